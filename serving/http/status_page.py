"""The status page for people: what answers, since when, its card, and a form to try it.

One self-contained document: no address but our own, one script that the page's policy names by its
hash, and every text from the use case escaped.
"""

from collections.abc import Iterable
from datetime import datetime
from html import escape
from urllib.parse import quote

from contract.use_case.model import Card, Column
from serving.http.status_page_assets import SCRIPT, STYLE
from serving.protocols.openapi_rows import example_row
from serving.scoring.version import ServedVersion

KEY = '<label>API key<input id="key" type="password" autocomplete="off"></label>'


def page(
    served: ServedVersion, since: datetime | None, trouble: Iterable[str], ui_url: str, keys: bool
) -> str:
    """The page of a served version."""
    use_case = served.use_case
    facts = {
        "model": served.name,
        "version": served.version,
        "in Production since": f"{since:%Y-%m-%d %H:%M} UTC" if since else "unknown",
        "task": use_case.task,
        "owner": use_case.owner,
    }
    model = f"{ui_url.rstrip('/')}/#/models/{quote(served.name)}?workflowType=machine_learning"
    examples = example_row(use_case).items()
    fields = "".join(_field(name, use_case.columns[name], value) for name, value in examples)
    body = f"""
<h1>{escape(use_case.title)}</h1>
<p>{escape(use_case.description)}</p>
<div class="facts">{"".join(_fact(k, v) for k, v in facts.items() if v)}</div>
{_troubles(trouble)}
<p><a href="docs">API documentation</a> · <a href="openapi.json">OpenAPI</a> ·
<a href="{escape(model)}">the model in MLflow</a> · <a href="ready">readiness</a> ·
<a href="metrics">metrics</a></p>
<h2>Try it</h2>
<form>{fields}{KEY if keys else ""}<button>Predict</button></form>
<div id="answer" role="status"></div>
{_card(use_case.card)}"""
    return _document(f"{served.name} · version {served.version}", body)


def waiting(trouble: Iterable[str]) -> str:
    """The page while nothing is served."""
    return _document(
        "Fourcycle",
        f"<h1>Nothing is in Production yet</h1><p>This service follows the registry and begins to "
        f"answer by itself.</p>{_troubles(trouble)}<p><a href='docs'>API documentation</a></p>",
    )


def _document(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body>{body}<script>{SCRIPT}</script></body></html>"
    )


def _fact(name: str, value: str) -> str:
    return f"<div><b>{escape(name)}</b>{escape(value)}</div>"


def _troubles(trouble: Iterable[str]) -> str:
    return "".join(f'<p class="trouble">{escape(sentence)}</p>' for sentence in trouble)


def _card(card: Card) -> str:
    limits = "".join(f"<li>{escape(limit)}</li>" for limit in card.limits)
    parts = {
        "Intended use": f"<p>{escape(card.intended_use)}</p>" if card.intended_use else "",
        "Out of scope": f"<p>{escape(card.out_of_scope)}</p>" if card.out_of_scope else "",
        "Limits": f"<ul>{limits}</ul>" if limits else "",
    }
    return "".join(f"<h2>{name}</h2>{text}" for name, text in parts.items() if text)


def _field(name: str, column: Column, example: object) -> str:
    about = ", ".join(part for part in (column.description, column.unit) if part)
    hint = f"<small>{escape(about)}</small>" if about else ""
    return f"<label>{escape(name)}{_input(name, column, example)}{hint}</label>"


def _input(name: str, column: Column, example: object) -> str:
    safe = escape(name).replace("\r", "&#13;")  # HTML reads a bare one as a line feed
    shared = f'name="{safe}" data-type="{column.type}"'
    shared += "" if column.nullable else " required"
    value = escape(str(example).lower() if isinstance(example, bool) else str(example))
    choices = ("true", "false") if column.type == "boolean" else column.categories
    if choices and (column.unseen == "reject" or column.type == "boolean"):
        choices = (*choices, "") if column.nullable else choices
        options = "".join(f"<option>{escape(choice)}</option>" for choice in choices)
        return f"<select {shared}>{options}</select>"
    if column.type in ("integer", "number"):
        step = "1" if column.type == "integer" else "any"
        return f'<input type="number" step="{step}" {shared} value="{value}">'
    hints = "".join(f"<option>{escape(choice)}</option>" for choice in choices or ())
    listed = f'list="of-{escape(name)}"' if hints else ""
    given = f'<datalist id="of-{escape(name)}">{hints}</datalist>' if hints else ""
    return f'<input type="text" {shared} {listed} value="{value}">{given}'
