"""Texts of others in Markdown of ours: shown as they are, and nothing but text.

MLflow renders descriptions and notes as Markdown; so do Swagger UI and ReDoc with OpenAPI's. A
title, a category, a person's name or a reason would become a heading, a link or HTML there.
"""

import re
from collections.abc import Iterable, Sequence
from html import escape

# What opens or closes something, in CommonMark and in GitHub's flavour, which MLflow shows: an
# underscore only at the edge of a word, a colon only in an address or in the name of a picture.
SPECIAL = re.compile(
    r"[\\`*\[\]|~]|(?<![^\W_])_|_(?![^\W_])|:(?=//|[\w+-]+:)|(?<=\bwww)\.", re.IGNORECASE
)
OPENS_A_BLOCK = re.compile(r"^([#+=-]|\d+(?=[.)](?:\s|$)))")


def plain(text: object) -> str:
    """A text on one line that Markdown shows as it is; `&lt;` and the like stay readable."""
    line = escape(" ".join(str(text).split()), quote=False)
    line = SPECIAL.sub(lambda found: f"\\{found[0]}", line).replace("@", "&#64;")
    return OPENS_A_BLOCK.sub(_apart, line)


def _apart(found: re.Match[str]) -> str:
    """A sign with a backslash; a number with one before the dot that would make it a list."""
    return f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}"


# MLflow strips every style from Markdown and gives the cells of a table no room of their own; this
# is what it lets through, and no white space of Markdown's, which would be trimmed.
GAP = "&emsp;"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose columns stand apart on MLflow's pages; its cells are Markdown."""
    lines = [_row(head), "|" + "---|" * len(head), *map(_row, rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    *some, last = cells
    return "| " + " | ".join([*(f"{cell}{GAP}" for cell in some), last]) + " |"


def link(text: str, page: str) -> str:
    """A link to a page of MLflow's interface, whatever host and port it is opened at.

    In the view for models of our kind: without its name, MLflow shows the one for language models.
    """
    return f"[{text}]({in_view(page)})"


def in_view(page: str) -> str:
    """A page of MLflow's interface below its address, as it opens in that view."""
    return f"#/{page}{'&' if '?' in page else '?'}workflowType=machine_learning"


def run_link(text: str, run_id: str, experiment_id: str = "") -> str:
    """A link to a run; where its experiment is not known, MLflow finds it and forgets the view."""
    return link(
        text, f"experiments/{experiment_id}/runs/{run_id}" if experiment_id else f"runs/{run_id}"
    )
