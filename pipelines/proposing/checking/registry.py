"""Every check; a new subject is a file beside this one and a line here."""

from collections.abc import Callable, Iterator

from contract.errors import BadInput, Unavailable
from contract.use_case.model import UseCase
from pipelines.proposing.checking import (
    classes,
    declared_expectations,
    distance,
    estimator,
    features,
    gate_limits,
    group,
    memory,
    metrics,
    repeated_keys,
    source_columns,
    target,
)
from pipelines.proposing.checking.finding import CheckFinding
from pipelines.sources.first_rows import FirstRows

OF_THE_FILE: tuple[Callable[[UseCase], Iterator[CheckFinding]], ...] = (
    target.check,
    features.check,
    declared_expectations.check,
    estimator.check,
    metrics.check,
    distance.check,
    group.check,
)
OF_ROWS: tuple[Callable[[UseCase, FirstRows], Iterator[CheckFinding]], ...] = (
    source_columns.check,
    classes.check,
    repeated_keys.check,
    gate_limits.check,
    memory.check,
)


def check_file(use_case: UseCase) -> tuple[CheckFinding, ...]:
    """What the declaration alone shows."""
    return tuple(finding for check in OF_THE_FILE for finding in check(use_case))


def check_rows(use_case: UseCase, first: FirstRows) -> tuple[CheckFinding, ...]:
    """What the first rows show beside it."""
    return tuple(finding for check in OF_ROWS for finding in check(use_case, first))


def stop_at_errors(name: str, findings: tuple[CheckFinding, ...]) -> None:
    """BadInput with every error at once; Unavailable where all that is wrong is somebody away."""
    errors = [f.sentence for f in findings if f.severity == "error"]
    away = [f.sentence for f in findings if f.severity == "away"]
    lines = "".join(f"\n  - {sentence}" for sentence in (*errors, *away))
    if errors:
        raise BadInput(f"{name} can't work as it is declared:{lines}")
    if away:
        raise Unavailable(f"{name} can't be checked now:{lines}")
