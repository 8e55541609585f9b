"""What the candidate of a retraining is made of: the champion's tables, split and parameters."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from contract.errors import Refused
from pipelines.data.raw_table import raw_schema
from pipelines.registry.versions import Version
from pipelines.retraining.candidate import champion_tables, with_holdout, with_parameters
from pipelines.retraining.policy import LabelledAnswers
from pipelines.runtime.workspace import Workspace
from tests.conftest import made_use_case

CHAMPION = Version("1", "Production", "r", "", {})


def test_what_the_champion_was_tuned_to_is_kept_and_nothing_is_tuned_anew(home: Path) -> None:
    use_case = made_use_case(home)
    tuned = with_parameters(use_case, use_case.estimator.kind, {"C": 0.3})
    assert tuned.estimator.parameters == {"C": 0.3}
    assert tuned.estimator.kind == use_case.estimator.kind
    assert with_parameters(use_case, "sklearn.svm.SVC", {"C": 0.3}) == use_case


def test_without_a_window_to_hold_out_the_split_stays(home: Path) -> None:
    use_case = made_use_case(home)
    none = LabelledAnswers(date(2024, 2, 1), date(2024, 3, 1), 1000, None)
    assert with_holdout(use_case, none) == use_case


def test_other_columns_than_those_of_the_table_need_a_version_first(workspace: Workspace) -> None:
    workspace.tables.create("raw", pa.schema([("id", pa.int64())]))
    with pytest.raises(Refused, match=r"'made' declares other columns .*main makes a version"):
        champion_tables(workspace, CHAMPION)


def test_a_version_that_does_not_say_what_it_learned_from_is_refused(workspace: Workspace) -> None:
    workspace.tables.create("raw", raw_schema(workspace.use_case))
    with pytest.raises(Refused, match="Version 1 does not say which training table"):
        champion_tables(workspace, CHAMPION)
