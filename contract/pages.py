"""HTML pages of ours: templates beside the module that fills them, and one style sheet for all.

Every value that enters a template is escaped, and one that is missing is an error, not a gap. A
template extends `page.html.jinja`, which brings the style sheet.
"""

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

STYLE_SHEET = "page.css"


def render(package: str, template: str, **values: object) -> str:
    """The page that a template in a package of ours makes of these values."""
    return _environment(package).get_template(template).render(values)


def style_sheet() -> str:
    """What all pages share, for a page that no template of ours makes."""
    return packaged("contract", STYLE_SHEET)


@cache
def packaged(package: str, file: str) -> str:
    """A text file that lies in a package of ours."""
    return files(package).joinpath(file).read_text(encoding="utf-8")


@cache
def _environment(package: str) -> "Environment":
    # A third of a second to import: a service pays for it once somebody opens a page.
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    places = [PackageLoader(name, "") for name in (package, "contract")]
    made = Environment(
        loader=ChoiceLoader(places),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["attribute"] = _attribute
    return made


def _attribute(value: object) -> str:
    """A value for an attribute in quotes, in which HTML would read a bare CR as a line feed."""
    from markupsafe import Markup, escape

    return Markup(str(escape(value)).replace("\r", "&#13;"))  # noqa: S704  # escaped right here
