"""What the candidate of a retraining is made of: the champion's tables, split and parameters."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from contract.errors import Refused
from pipelines.data.raw_table import raw_schema
from pipelines.model.results import Trained
from pipelines.registry.versions import Version
from pipelines.retraining.candidate import (
    champion_tables,
    keeps_parameters,
    with_holdout,
    with_parameters,
)
from pipelines.retraining.policy import LabelledAnswers
from pipelines.runtime.workspace import Workspace
from tests.conftest import made_use_case

CHAMPION = Version("1", "Production", "r", "", {})


def test_what_the_champion_was_tuned_to_is_kept_and_nothing_is_tuned_anew(home: Path) -> None:
    use_case = made_use_case(home)
    tuned = with_parameters(use_case, {"C": 0.3})
    assert tuned.estimator.parameters == {"C": 0.3}
    assert tuned.estimator.kind == use_case.estimator.kind


@pytest.mark.parametrize(
    ("estimator", "trials", "tags", "keeps"),
    [
        ("LogisticRegression", 20, {}, True),
        ("LogisticRegression", 0, {"retrained_tuned": "yes"}, True),  # the one before was tuned
        ("LogisticRegression", 0, {}, False),  # what is declared now counts
        ("SVC", 20, {}, False),
    ],
)
def test_parameters_that_a_search_found_are_kept_from_version_to_version(
    home: Path, estimator: str, trials: int, tags: dict[str, str], keeps: bool
) -> None:
    trained = Trained.model_construct(estimator=estimator, tune=trials)
    assert keeps_parameters(made_use_case(home), trained, tags) is keeps


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
