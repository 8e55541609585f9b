"""Whether the expectations that a user adds are there, and speak of declared columns."""

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from contract.use_case.loader import nearest
from contract.use_case.model import UseCase
from pipelines.proposing.checking.finding import CheckFinding, error


def check(use_case: UseCase) -> Iterator[CheckFinding]:
    """The name of each, and every column among its arguments."""
    known = expectation_names() if use_case.expectations else []
    for i, declared in enumerate(use_case.expectations):
        if declared.expectation not in known:
            hint = nearest(declared.expectation, known)
            yield error(f"expectations[{i}]: no expectation {declared.expectation!r}; {hint}")
        for argument, value in declared.arguments.items():
            if not argument.startswith("column"):
                continue
            for name in value if isinstance(value, list | tuple) else [value]:
                if isinstance(name, str) and name not in use_case.columns:
                    hint = nearest(name, list(use_case.columns))
                    yield error(
                        f"expectations[{i}].arguments.{argument}: no column {name!r} is declared; "
                        f"{hint}"
                    )


def expectation_names() -> list[str]:
    """Great Expectations' own, read from its list: importing it takes seconds."""
    spec = find_spec("great_expectations")
    assert spec and spec.origin, "Great Expectations is installed"
    listed = Path(spec.origin).parent / "expectations" / "__init__.py"
    return sorted(set(re.findall(r"\bExpect[A-Z]\w+", listed.read_text(encoding="utf-8"))))
