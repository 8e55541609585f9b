"""What every section of a use case's file has in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section of the file: immutable, and a stranger among its keys is an error.

    The text under each key is its description, in the reference and in an editor.
    """

    # A section is built with the file that it stands in: each by itself, too, doubles the import.
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=False,
        use_attribute_docstrings=True,
        defer_build=True,
    )
