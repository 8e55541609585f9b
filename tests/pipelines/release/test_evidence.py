"""What is collected for the gate: what fails is a problem of the version, or says nothing of it."""

from pathlib import Path

import pyarrow as pa
import pytest

from contract.errors import Refused, Unavailable
from contract.names import SCORER_DIR
from contract.store.sql import FilesRemoved
from pipelines.release.evidence import EvidenceCollector
from pipelines.release.loaded_package import check_columns
from serving.scoring.scorer import load_scorer
from tests.support.small import save_model


def failing(error: Exception) -> None:
    raise error


def test_what_is_damaged_is_a_problem_and_what_is_away_ends_the_gate() -> None:
    attempt = EvidenceCollector()
    assert attempt("the holdout can't be read", lambda: 7) == 7
    attempt("the holdout can't be read", lambda: failing(ValueError("first\nsecond")))
    attempt("its files are gone", lambda: failing(FilesRemoved("forget took them")), "; do this")
    attempt("it has no words", lambda: failing(ValueError()))
    with pytest.raises(Unavailable, match="the store is away"):
        attempt("the package can't be read", lambda: failing(Unavailable("the store is away")))
    assert attempt.problems == [
        "the holdout can't be read: first",
        "its files are gone: forget took them; do this",
        "it has no words: ValueError",
    ]


def test_a_holdout_without_a_column_of_the_model_is_refused(home: Path) -> None:
    scorer = load_scorer(save_model(home / "model") / SCORER_DIR)
    check_columns(scorer, pa.table({"size": [1.0]}))
    with pytest.raises(Refused, match="the holdout has no column size"):
        check_columns(scorer, pa.table({"other": [1.0]}))
