"""The status page for people: what answers, since when, its card, and a form to try it.

One self-contained document: no address but our own, one script that the page's policy names by its
hash, and every text from the use case escaped.
"""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from urllib.parse import quote

from contract.pages import packaged, render
from contract.use_case.model import Column
from serving.protocols.openapi_rows import example_row
from serving.scoring.version import ServedVersion

SCRIPT_FILE = "status_page.js"
STEPS = {"integer": "1", "number": "any"}  # of an input for numbers


@dataclass(frozen=True)
class Field:
    """One input of the form."""

    name: str
    type: str
    about: str
    value: str
    choices: tuple[str, ...]
    closed: bool  # only a choice can be right
    required: bool

    @property
    def step(self) -> str:
        """Step of a number; empty for other types."""
        return STEPS.get(self.type, "")


def page(
    served: ServedVersion, since: datetime | None, trouble: Iterable[str], ui_url: str, keys: bool
) -> str:
    """The page of a served version; with `keys` its form asks for one."""
    from markupsafe import Markup  # a service that nobody looks at never imports it

    use_case = served.use_case
    facts = {
        "model": served.name,
        "version": served.version,
        "in Production since": f"{since:%Y-%m-%d %H:%M} UTC" if since else "unknown",
        "task": use_case.task,
        "owner": use_case.owner,
    }
    examples = example_row(use_case).items()
    return render(
        __package__,
        "status_page.html.jinja",
        served=served,
        use_case=use_case,
        facts=facts,
        trouble=list(trouble),
        model_url=f"{ui_url}/#/models/{quote(served.name)}?workflowType=machine_learning",
        fields=[_field(name, use_case.columns[name], example) for name, example in examples],
        asks_key=keys,
        script=Markup(packaged(__package__, SCRIPT_FILE)),  # noqa: S704  # a file of ours
    )


def waiting(trouble: Iterable[str]) -> str:
    """The page while nothing is served."""
    return render(__package__, "waiting.html.jinja", trouble=list(trouble))


@cache
def policy() -> str:
    """What a browser may do with the page: run our one script, ask the service, and no more."""
    digest = hashlib.sha256(packaged(__package__, SCRIPT_FILE).encode()).digest()
    return (
        f"default-src 'none'; script-src 'sha256-{base64.b64encode(digest).decode()}'; "
        "style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


def _field(name: str, column: Column, example: object) -> Field:
    choices = ("true", "false") if column.type == "boolean" else tuple(column.categories or ())
    closed = bool(choices) and (column.unseen == "reject" or column.type == "boolean")
    return Field(
        name=name,
        type=column.type,
        about=", ".join(part for part in (column.description, column.unit) if part),
        value=str(example).lower() if isinstance(example, bool) else str(example),
        choices=(*choices, "") if closed and column.nullable else choices,
        closed=closed,
        required=not column.nullable,
    )
