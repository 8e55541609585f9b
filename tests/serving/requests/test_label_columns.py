"""Labels over HTTP and of tables: what can be one."""

from typing import Any

import pytest

from contract.use_case.sections.column import Column
from serving.requests.label_columns import label_problem


@pytest.mark.parametrize(
    ("declared", "label", "said"),
    [
        ({"type": "string", "categories": ["a", "b"], "unseen": "reject"}, "c", "one of a, b"),
        ({"type": "string", "categories": ["a", "b"]}, "c", ""),
        ({"type": "number", "min": 0}, -1.5, "at least 0"),
        ({"type": "integer", "max": 3}, 4, "at most 3"),
        ({"type": "integer", "min": 0, "max": 3}, 3, ""),
        ({"type": "boolean"}, True, ""),
    ],
)
def test_a_label_follows_the_rules_of_ingest(
    declared: dict[str, Any], label: object, said: str
) -> None:
    found = label_problem(Column(**declared), label)
    assert found.startswith(said) and bool(found) == bool(said)
