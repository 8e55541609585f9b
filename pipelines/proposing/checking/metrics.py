"""Whether the metrics that a use case names are metrics of its task."""

from collections.abc import Iterator

import numpy as np

from contract.statistics.metrics import Scored, metrics_for
from contract.use_case.loader import nearest
from contract.use_case.model import UseCase
from pipelines.proposing.checking.finding import CheckFinding, error


def check(use_case: UseCase) -> Iterator[CheckFinding]:
    """Every name in `evaluation.metric` and in the limits of the gate."""
    known = metric_names(use_case)
    places = {"evaluation.metric": use_case.evaluation.metric}
    places |= {f"gates.minimum.{name}": name for name in use_case.gates.minimum}
    places |= {f"gates.maximum.{name}": name for name in use_case.gates.maximum}
    for place, name in places.items():
        if name not in known:
            hint = nearest(name, known)
            yield error(f"{place}: no metric {name!r} for the task {use_case.task}; {hint}")


def metric_names(use_case: UseCase) -> list[str]:
    """Names of the task's metrics: those that two answers have."""
    two = np.array([0, 1])
    scored = Scored(two, two, np.eye(2), (0, 1)) if use_case.classifies else Scored(two, two)
    return list(metrics_for(use_case.model_copy(update={"positive": None}), scored))
