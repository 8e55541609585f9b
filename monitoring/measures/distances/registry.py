"""The statistics by name. One more is a file beside this one and a line here."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from contract.errors import BadInput
from contract.use_case.loader import nearest
from contract.use_case.sections.monitoring import Monitoring
from monitoring.measures.bins import Counts
from monitoring.measures.distances.jensen_shannon import jensen_shannon
from monitoring.measures.distances.psi import psi


@dataclass(frozen=True)
class Statistic:
    """How far apart two samples lie.

    `effect` takes the rows in the same cells of both, (n_cells,) each with a row on either side,
    to 0 (alike) and above, free of what chance alone gives.
    """

    effect: Callable[[Counts, Counts], float]
    limit: float  # from which a column may count as drifted, where a use case names no other
    most: float  # that it can be
    evidently: str  # Evidently's name for it


DISTANCES: Mapping[str, Statistic] = {
    "jensen_shannon": Statistic(jensen_shannon, 0.1, 1.0, "jensenshannon"),
    "psi": Statistic(psi, 0.2, math.inf, "psi"),
}


def statistic_of(policy: Monitoring) -> Statistic:
    """The one that a use case names; BadInput where there is none of that name."""
    if policy.distance not in DISTANCES:
        raise BadInput(
            f"monitoring.distance: no statistic {policy.distance!r}; "
            f"{nearest(policy.distance, list(DISTANCES))}"
        )
    return DISTANCES[policy.distance]


def limit_of(name: str, policy: Monitoring) -> float:
    """The effect from which a column, `prediction` or `label` may count as drifted."""
    common = policy.effect_limit or statistic_of(policy).limit
    return policy.effect_limits.get(name, common)
