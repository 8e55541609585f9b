"""The result of a run as a page in Markdown."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from contract.markdown import table


def share(results: Sequence[Mapping[str, Any]]) -> float:
    """Of all mutants those that a test noticed."""
    return sum(not result["survived"] for result in results) / len(results)


def page(results: Sequence[Mapping[str, Any]]) -> str:
    """Counts by module, then every survivor."""
    rows = []
    for module, some in groupby(results, key=lambda result: str(result["module"])):
        each = list(some)
        noticed = sum(not result["survived"] for result in each)
        rows.append((f"`{module}`", str(len(each)), str(noticed)))
    survivors = [
        f"{result['module']}:{result['line']} {result['operator']}\n- {result['was']}\n"
        f"+ {result['now']}"
        for result in results
        if result["survived"]
    ]
    return (
        f"{len(results)} mutants, {share(results):.1%} noticed.\n\n"
        + table(("module", "mutants", "noticed"), rows)
        + "\n\n```text\n"
        + "\n\n".join(survivors)
        + "\n```\n"
    )
