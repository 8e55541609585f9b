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
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from serving.protocols.openapi_rows import example_row
from serving.scoring.version import ServedVersion

SCRIPT_FILE = "status_page.js"
STEPS = {"integer": "1", "number": "any"}  # of an input for numbers


@dataclass(frozen=True)
class Field:
    """One input of the form; `least` and `most` are empty where nothing bounds it."""

    name: str
    type: str
    about: str
    value: str
    least: str
    most: str
    usual: bool  # the bounds only say what is usual: the service answers beyond them
    choices: tuple[str, ...]
    closed: bool  # only a choice can be right
    required: bool

    @property
    def step(self) -> str:
        """Step of a number; empty for other types."""
        return STEPS.get(self.type, "")


@dataclass(frozen=True)
class Target:
    """What is asked for, in the words of the use case."""

    name: str
    words: str
    about: str
    unit: str
    yes_or_no: bool


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
    examples = example_row(served).items()
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
        target=_target(use_case),
        script=Markup(packaged(__package__, SCRIPT_FILE)),  # noqa: S704  # a file of ours
    )


def waiting(trouble: Iterable[str]) -> str:
    """The page while nothing is served."""
    return render(__package__, "waiting.html.jinja", trouble=list(trouble))


def _target(use_case: UseCase) -> Target:
    column = use_case.columns[use_case.target]
    return Target(
        name=use_case.target,
        words=use_case.target.replace("_", " "),
        about=column.description.partition(";")[0],
        unit=column.unit or "",
        yes_or_no=column.type == "boolean",
    )


def _text(value: object) -> str:
    """A value as an input of the form holds it."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _bound(value: float | None) -> str:
    return "" if value is None else f"{value:.12g}"


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
        value=_text(example),
        least=_bound(column.min),
        most=_bound(column.max),
        usual=column.out_of_range != "reject",
        choices=(*choices, "") if closed and column.nullable else choices,
        closed=closed,
        required=not column.nullable,
    )
