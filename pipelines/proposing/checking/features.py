"""Whether the features are what a model can learn from."""

from collections.abc import Iterator

from contract.use_case.model import UseCase
from pipelines.proposing.checking.finding import CheckFinding, error


def check(use_case: UseCase) -> Iterator[CheckFinding]:
    """There is a feature, and none is a moment in time."""
    if not use_case.features:
        yield error(
            "columns: no feature is left beside keys, event time, group and target; a model needs "
            "at least one"
        )
    for name, column in use_case.feature_columns.items():
        if column.type == "timestamp":
            yield error(
                f"columns.{name}: a timestamp can't be a feature, for every later moment is new to "
                "the model; declare its parts, such as parts: [day_of_week, hour], name it as "
                "event_time, or keep it out with feature: false"
            )
