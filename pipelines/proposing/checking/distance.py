"""Whether the drift statistic is one, and its limits can be reached."""

from collections.abc import Iterator

from contract.errors import BadInput
from contract.use_case.model import UseCase
from monitoring.measures.distances.registry import statistic_of
from pipelines.proposing.checking.finding import CheckFinding, error


def check(use_case: UseCase) -> Iterator[CheckFinding]:
    """`monitoring.distance` by its name, and each limit against the most it can be."""
    policy = use_case.monitoring
    try:
        most = statistic_of(policy).most
    except BadInput as problem:
        yield error(str(problem))
        return
    limits = {f"monitoring.effect_limits.{n}": v for n, v in policy.effect_limits.items()}
    if policy.effect_limit is not None:
        limits["monitoring.effect_limit"] = policy.effect_limit
    for place, limit in limits.items():
        if limit > most:
            yield error(
                f"{place}: {policy.distance} is {most:g} at most, so {limit:g} is never reached; "
                f"up to {most:g} is right"
            )
