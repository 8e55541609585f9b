from pathlib import Path

from contract.use_case.sections.monitoring import Monitoring
from monitoring.measures.distances.registry import limit_of, statistic_of
from pipelines.proposing.checking.distance import check
from tests.conftest import made_use_case
from tests.monitoring.measures.test_distance import *  # noqa: F403  # those of every statistic

POLICY = Monitoring(distance="total_variation")


def test_a_use_case_may_name_it(home: Path) -> None:
    use_case = made_use_case(home, {"monitoring": POLICY})
    assert list(check(use_case)) == []
    assert statistic_of(POLICY).most == 1
    assert limit_of("size", POLICY) == 0.15
