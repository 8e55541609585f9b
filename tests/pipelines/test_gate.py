"""The gate over real tables, packages and a real registry: what it measures and what it records."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from matplotlib.image import imread
from sklearn.metrics import roc_auc_score

from contract.names import ROW_HASH
from contract.statistics.metrics import Scored, metric_values
from contract.store.frames import feature_frame
from contract.store.rows.fingerprint import content_hash, row_hashes
from contract.use_case.model import UseCase
from contract.use_case.sections.gates import Evaluation, Gates
from pipelines.data.rehearsal import Rehearsal
from pipelines.evaluate import STEP as EVALUATE
from pipelines.gate import evidence_of, gate
from pipelines.main import pipeline
from pipelines.model.fitted import answers, labels, load_model
from pipelines.model.plots import BLUE
from pipelines.registry.versions import Version, champion_of
from pipelines.release.evidence import LINEAGE, _baseline
from pipelines.release.gate_evidence import (
    Champion,
    GateEvidence,
    Latency,
    NoChampion,
    RarestClass,
)
from pipelines.release.loaded_package import MeasuredPackage, load
from pipelines.runtime.code_hash import PROJECT
from pipelines.runtime.step import load_result
from pipelines.runtime.workspace import Workspace, open_workspace
from pipelines.train import STEP as TRAIN
from pipelines.train import read_rows
from tests.conftest import MADE, deliver, made_rows, made_use_case, settle
from tests.support.golden import Flags, Floats, blank, cells, of_two_classes, resamples

pytestmark = pytest.mark.usefixtures("stored")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Version 1 is champion; version 2 is worse, breaks callers and was refused. Read it only."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        settle(folder, patch)
        deliver(folder, made_rows(500))
        with open_workspace(made_use_case(folder)) as opened:
            pipeline(opened, Rehearsal(), tune=0)
        with open_workspace(worse(folder)) as opened:
            assert not pipeline(opened, Rehearsal(), tune=0).gated.passed
    yield folder


def worse(folder: Path) -> UseCase:
    """A stump instead of a regression, and only the known colours are accepted."""
    declared = made_use_case(folder)
    columns = dict(declared.columns)
    columns["colour"] = columns["colour"].model_copy(update={"unseen": "reject"})
    estimator = declared.estimator.model_copy(
        update={
            "path": "sklearn.ensemble.HistGradientBoostingClassifier",
            "parameters": {"max_iter": 1, "max_leaf_nodes": 2, "early_stopping": False},
            "search": {},
        }
    )
    return declared.model_copy(update={"columns": columns, "estimator": estimator})


@pytest.fixture
def opened(made: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.chdir(made)
    with open_workspace(worse(made)) as workspace:
        yield workspace


def versions(workspace: Workspace) -> tuple[Version, Version]:
    """The challenger and the champion."""
    champion = champion_of(workspace)
    assert champion is not None
    return Version.read(workspace, "2"), champion


def relabelled(version: Version, **tags: str) -> Version:
    """The version as it would be with other tags."""
    return replace(version, tags=version.tags | tags)


def met(evidence: GateEvidence) -> Champion:
    assert isinstance(evidence.opponent, Champion)
    return evidence.opponent


def test_everything_is_measured_on_the_package_and_the_frozen_holdout(opened: Workspace) -> None:
    mine, champion = versions(opened)
    evidence = evidence_of(opened, mine, champion)
    assert evidence.problems == ()
    assert evidence.missing_tags == ()
    assert evidence.rows == 126
    assert evidence.holdout_hash == evidence.registered_hash
    assert (evidence.trained_on, met(evidence).trained_on) == (0, 0)
    assert evidence.figures is not None
    assert f"{evidence.figures['roc_auc']:.4f}" == mine.tags["roc_auc"]
    assert evidence.latency is not None
    assert 0 < evidence.latency.median_ms <= evidence.latency.p99_ms
    assert evidence.latency.calls == 1000
    assert evidence.size_mb is not None
    assert 0 < evidence.size_mb < 0.1
    found = met(evidence).comparison
    assert found is not None
    assert f"{found.champion:.4f}" == champion.tags["roc_auc"]
    assert found.difference.low < found.difference.value < 0
    assert {s.value for s in found.slices} == {"red", "green", "blue"}
    assert evidence.rarest == RarestClass("True", 48)
    assert evidence.baseline is not None
    assert evidence.baseline["roc_auc"] == 0.5
    alone = evidence_of(opened, mine, None).opponent
    assert isinstance(alone, NoChampion)
    assert alone.comparison is not None
    assert (alone.comparison.challenger, alone.comparison.champion) == (found.challenger, 0.5)


def answered(workspace: Workspace, whose: Version, holdout: str) -> tuple[Flags, Floats]:
    """Labels of a holdout and what a version's pipeline answers on it: (n_rows,) both."""
    rows = workspace.tables.read("holdout", int(holdout), order_by=[ROW_HASH])
    trained = load_result(workspace, TRAIN, whose.tags["train_run"])
    model = load_model(trained.model_uri)
    chance = model.predict_proba(feature_frame(rows, workspace.use_case))[:, 1]
    return rows.column("late").to_numpy().astype(bool), chance


def test_the_evaluation_measures_the_champion_on_the_same_rows(opened: Workspace) -> None:
    mine, champion = versions(opened)
    y, theirs = answered(opened, champion, mine.tags["holdout_version"])
    expected = of_two_classes(y, theirs)
    evaluated = load_result(opened, EVALUATE, mine.tags["evaluate_run"])
    assert evaluated.champion == "1"
    assert evaluated.champion_figures == pytest.approx(expected)
    logged = opened.client.get_run(mine.tags["evaluate_run"]).data.metrics
    assert {n: logged[f"champion/{n}"] for n in expected} == evaluated.champion_figures
    assert evaluated.line().endswith(f", champion v1 {expected['roc_auc']:.3f}")
    _, own = answered(opened, mine, mine.tags["holdout_version"])
    measured = of_two_classes(y, own)
    card = opened.client.get_model_version("made", "2").description or ""
    shown = {row[0].strip("*↑↓ "): row for row in cells(card, "Metrics on the holdout")}
    assert {name: (row[1], row[4]) for name, row in shown.items()} == {
        name: (f"{measured[name]:.4f}", f"{expected[name]:.4f}") for name in expected
    }


def test_the_evaluation_is_of_the_answers_that_are_served_to_the_last_digit(
    opened: Workspace,
) -> None:
    mine, champion = versions(opened)
    case, said = opened.use_case, load_result(opened, EVALUATE, mine.tags["evaluate_run"])
    rows = read_rows(opened.tables, case, said.holdout)
    figures = {
        which.version: metric_values(
            case, answers(load(opened, which).served.scorer, rows, labels(rows, case))
        )
        for which in (mine, champion)
    }
    assert {name: figure.value for name, figure in said.figures.items()} == figures["2"]
    assert said.champion_figures == figures["1"]


def test_the_page_of_the_gate_compares_both_as_scikit_learn_does(opened: Workspace) -> None:
    mine, champion = versions(opened)
    pairs = [answered(opened, v, mine.tags["holdout_version"]) for v in (mine, champion)]
    (y, own), (_, theirs) = pairs
    measured = [float(roc_auc_score(y, p)) for p in (own, theirs)]
    counts = resamples(len(y), 1000)
    drawn = areas(y, own, counts) - areas(y, theirs, counts)
    low = np.quantile(drawn, 0.025, method="lower")
    high = np.quantile(drawn, 0.975, method="higher")
    page = mlflow.artifacts.load_text(f"runs:/{mine.tags['gate_run']}/gate/decision.md")
    rows = dict(cells(page, f"Against champion version 1, on {len(y)} rows"))
    assert rows == {
        "challenger": f"{measured[0]:.4f}",
        "champion version 1": f"{measured[1]:.4f}",
        "**difference**": f"**{measured[0] - measured[1]:+.4f}**",
        "95 % interval": f"{low:+.4f} … {high:+.4f}",
        "the interval must begin above": "-0.05",
    }
    assert (
        f"roc_auc {measured[0]:.4f} against {measured[1]:.4f} of champion version 1: difference "
        f"{measured[0] - measured[1]:+.4f}, lower bound {low:+.4f}, above -0.05 is required"
    ) in mine.tags["gate_reasons"]
    own_rows = {row[0]: row[1] for row in cells(page, "On the holdout, as packaged")}
    assert own_rows == {name: f"{value:.4f}" for name, value in of_two_classes(y, own).items()}


def test_the_page_of_the_gate_shows_both_on_every_slice(opened: Workspace) -> None:
    mine, champion = versions(opened)
    pairs = [answered(opened, v, mine.tags["holdout_version"]) for v in (mine, champion)]
    (y, own), (_, theirs) = pairs
    at = int(mine.tags["holdout_version"])
    colours = opened.tables.read("holdout", at, order_by=[ROW_HASH]).column("colour").to_numpy()
    page = mlflow.artifacts.load_text(f"runs:/{mine.tags['gate_run']}/gate/decision.md")
    found = {row[0]: row[1:5] for row in cells(page, "Slices")}
    expected = {}
    for colour in ("red", "green", "blue"):
        mask = colours == colour
        mine_, theirs_ = (float(roc_auc_score(y[mask], p[mask])) for p in (own, theirs))
        figures = (f"{mine_:.4f}", f"{theirs_:.4f}", f"{mine_ - theirs_:+.4f}")
        expected[f"colour={colour}"] = [str(mask.sum()), *figures]
    assert found == expected


def test_the_run_of_the_gate_shows_the_champion_s_figures_and_the_difference(
    opened: Workspace,
) -> None:
    mine, champion = versions(opened)
    pairs = [answered(opened, v, mine.tags["holdout_version"]) for v in (mine, champion)]
    measured = [float(roc_auc_score(y, p)) for y, p in pairs]
    run = mine.tags["gate_run"]
    logged = opened.client.get_run(run).data.metrics
    assert logged["champion/roc_auc"] == pytest.approx(measured[1])
    assert logged["gate/difference"] == pytest.approx(measured[0] - measured[1])
    compared = met(evidence_of(opened, mine, champion)).comparison
    assert compared is not None
    ends = (compared.difference.low, compared.difference.high)
    assert (logged["gate/low"], logged["gate/high"]) == pytest.approx(ends)
    drawn = mlflow.artifacts.download_artifacts(f"runs:/{run}/gate/difference.png")
    assert not blank(imread(drawn), BLUE)


def areas(y: Flags, p: Floats, counts: Floats) -> Floats:
    """The area under the ROC curve of each resample: the share of pairs in the right order."""
    right = 1.0 * (p[y][:, None] > p[~y]) + 0.5 * (p[y][:, None] == p[~y])
    pairs = ((counts[:, y] @ right) * counts[:, ~y]).sum(axis=1)
    found: Floats = pairs / (counts[:, y].sum(axis=1) * counts[:, ~y].sum(axis=1))
    return found


def test_the_baseline_weighs_the_labels_as_the_version_did(opened: Workspace) -> None:
    mine, _ = versions(opened)
    case = opened.use_case.model_copy(update={"weight": "id"})
    scored = Scored(np.array([True, False]), np.array([True, False]), np.eye(2), (False, True))
    measured = MeasuredPackage(case, scored, {}, Latency(1, 1, 1))
    found = _baseline(opened.tables, mine, measured)
    rows = opened.tables.read("training", int(mine.tags["training_version"])).to_pandas()
    assert found.probability is not None
    expected = rows["id"][rows["late"]].sum() / rows["id"].sum()
    assert found.probability[:, 1] == pytest.approx([expected] * 2)
    assert expected != pytest.approx(rows["late"].mean(), abs=0.01)


def test_a_refusal_is_recorded_with_the_champion_it_met(opened: Workspace) -> None:
    mine, _ = versions(opened)
    assert (mine.tags["gate"], mine.tags["gate_champion"]) == ("refused", "1")
    assert "above -0.05 is required" in mine.tags["gate_reasons"]
    assert "colour: any text was accepted" in mine.tags["gate_reasons"]
    run = mine.tags["gate_run"]
    note = opened.client.get_run(run).data.tags["mlflow.note.content"]
    assert note.startswith("# Version 2: refused\n\n- roc_auc")
    assert "## Against champion version 1, on 126 rows" in note
    files = {f.path for f in opened.client.list_artifacts(run, "gate")}
    assert files == {
        f"gate/{name}"
        for name in (
            "decision.md",
            "declared.json",
            "difference.png",
            "evidence.json",
            "slices.json",
        )
    }
    whole = json.loads(mlflow.artifacts.load_text(f"runs:/{run}/gate/evidence.json"))
    assert len(whole["opponent"]["comparison"]["drawn"]) == 1000


def test_a_breaking_change_is_allowed_by_hand_and_a_worse_model_is_not(opened: Workspace) -> None:
    mine, _ = versions(opened)
    decided = gate(opened, mine, allow_breaking=True).result
    assert len(decided.reasons) == 1
    assert "above -0.05 is required" in decided.reasons[0]
    assert Version.read(opened, "2").tags["gate_allow_breaking"] == "yes"


def test_the_command_says_no_by_exit_code_1(made: Path) -> None:
    (made / "made.yaml").write_text(MADE, encoding="utf-8")
    command = [sys.executable, "-m", "pipelines.gate", "--use-case", "made.yaml", "--version", "2"]
    done = subprocess.run(
        command,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        cwd=made,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "Version 2 may not reach Production" in done.stderr


def test_the_champion_is_compared_with_the_one_it_met(opened: Workspace) -> None:
    _, champion = versions(opened)
    assert gate(opened, champion).result.champion == "none"


# Broken and foolish things


def with_training(workspace: Workspace, version: Version, extra: pa.Table) -> Version:
    """The version as if it had been trained on other rows too."""
    at = int(version.tags["training_version"])
    rows = pa.concat_tables([workspace.tables.read("training", at), extra])
    total = content_hash(rows.column(ROW_HASH).to_numpy())
    made = workspace.tables.publish("training", rows, total)
    return relabelled(version, training_version=str(made.version), training_hash=made.content_hash)


def revised(rows: pa.Table) -> pa.Table:
    """The same rows with another size, hashed anew: the keys stay."""
    at = rows.column_names.index("size")
    changed = rows.set_column(at, "size", pa.array([0.125] * rows.num_rows))
    hashes = row_hashes(changed.drop_columns([ROW_HASH]))
    return changed.set_column(changed.column_names.index(ROW_HASH), ROW_HASH, pa.array(hashes))


def test_who_was_trained_on_holdout_rows_is_found_by_content_and_by_key(opened: Workspace) -> None:
    mine, champion = versions(opened)
    some = opened.tables.read("holdout", int(mine.tags["holdout_version"])).slice(0, 3)
    for extra in (some, revised(some)):
        assert evidence_of(opened, with_training(opened, mine, extra), champion).trained_on == 3
        seen = evidence_of(opened, mine, with_training(opened, champion, extra))
        assert met(seen).trained_on == 3
        assert seen.trained_on == 0


def test_a_holdout_whose_rows_were_changed_is_noticed_whatever_it_says_of_itself(
    opened: Workspace,
) -> None:
    mine, champion = versions(opened)
    rows = opened.tables.read("holdout", int(mine.tags["holdout_version"]))
    at = rows.column_names.index("late")
    flipped = rows.set_column(at, "late", pa.array([not v for v in rows["late"].to_pylist()]))
    version = opened.tables.overwrite("holdout", flipped, content_hash=mine.tags["holdout_hash"])
    evidence = evidence_of(opened, relabelled(mine, holdout_version=str(version)), champion)
    assert evidence.holdout_hash != evidence.registered_hash


def test_a_holdout_whose_files_are_gone_is_a_problem(opened: Workspace) -> None:
    mine, champion = versions(opened)
    before = set(Path(opened.tables.uri("holdout")).rglob("*.parquet"))
    version = opened.tables.overwrite("holdout", opened.tables.read("holdout").slice(0, 9))
    for file in set(Path(opened.tables.uri("holdout")).rglob("*.parquet")) - before:
        file.unlink()
    evidence = evidence_of(opened, relabelled(mine, holdout_version=str(version)), champion)
    assert evidence.problems is not None
    assert "the holdout of version 2 can't be read" in evidence.problems[0]
    assert (evidence.rows, evidence.figures, met(evidence).comparison) == (None, None, None)
    alone = evidence_of(opened, relabelled(mine, holdout_version=str(version)), None)
    assert alone.opponent == NoChampion(None)


@pytest.mark.parametrize(
    ("tag", "value", "said"),
    [
        ("holdout_version", "99", "the holdout of version 2 can't be read"),
        ("training_hash", "0", "does not hold the rows that it was trained on"),
        ("package_digest", "0", "Its package is not the one that was registered: found"),
        ("raw_hash", "0", "no finished validation of raw rows 0"),
        ("training_version", "", "version 2 has no tag training_version"),
    ],
)
def test_a_wrong_tag_is_a_problem(opened: Workspace, tag: str, value: str, said: str) -> None:
    mine, champion = versions(opened)
    evidence = evidence_of(opened, relabelled(mine, **{tag: value}), champion)
    assert evidence.problems is not None
    assert said in "; ".join(evidence.problems)
    assert evidence.missing_tags == ((tag,) if not value else ())


def test_every_lineage_tag_is_one_that_register_writes(opened: Workspace) -> None:
    mine, _ = versions(opened)
    assert {name for name in LINEAGE if not mine.tags.get(name)} == set()


@pytest.mark.parametrize(
    ("whose", "said"),
    [("2", "version 2 can't be served"), ("1", "champion version 1 can't be read")],
)
def test_a_changed_package_is_a_problem(opened: Workspace, whose: str, said: str) -> None:
    mine, champion = versions(opened)
    source = Version.read(opened, whose).source
    graph = Path(source.removeprefix("file://")) / "scorer" / "model.onnx"
    whole = graph.read_bytes()
    graph.write_bytes(whole[:-1])
    try:
        evidence = evidence_of(opened, mine, champion)
    finally:
        graph.write_bytes(whole)
    assert evidence.problems is not None
    assert said in "; ".join(evidence.problems)
    assert met(evidence).comparison is None


def test_a_version_that_says_no_to_everything_is_refused(home: Path) -> None:
    """0.17 % positives, nothing to learn, and limits that the constant answer keeps."""
    rows = pd.concat([made_rows(500)] * 5, ignore_index=True)
    moments = pd.date_range("2024-01-01", periods=len(rows), freq="h", tz="UTC")
    rows = rows.assign(id=range(len(rows)), moment=moments, late=rows.index % 600 == 599)
    deliver(home, rows)
    gates = Gates(minimum={"accuracy": 0.9}, min_rows=40)
    changes: dict[str, object] = {
        "gates": gates,
        "evaluation": Evaluation(metric="accuracy", resamples=100),
    }
    with open_workspace(made_use_case(home, changes)) as opened:
        outcome = pipeline(opened, Rehearsal(), tune=0)
    gated = outcome.gated
    assert not gated.passed
    assert gated.reasons == (
        "there is no champion yet; accuracy 0.9984 against 0.9984 of the baseline: difference "
        "+0.0000, lower bound +0.0000, above +0 is required",
        "1 holdout rows of 'True', the rarest class; at least 10 are required "
        "(gates.min_class_rows)",
    )
    assert "one answer for every row, reaches 0.9984" in gated.line()
