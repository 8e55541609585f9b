"""A statistic is found by its name in the use case."""

import pytest

from contract.errors import BadInput
from contract.use_case.sections.monitoring import Monitoring
from monitoring.measures.distances.registry import DISTANCES, statistic_of


@pytest.mark.parametrize("name", DISTANCES)
def test_a_statistic_has_a_name(name: str) -> None:
    assert statistic_of(Monitoring(distance=name)) is DISTANCES[name]


def test_a_name_of_none_is_answered_with_the_nearest() -> None:
    with pytest.raises(BadInput, match=r"no statistic 'jensen'; did you mean 'jensen_shannon'"):
        statistic_of(Monitoring(distance="jensen"))
