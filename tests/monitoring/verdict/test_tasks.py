"""Windows of a regression and of a use case with three classes, from rows to report."""

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from contract.settings import read_settings
from contract.store.tables import Tables
from contract.use_case.loader import parse_use_case
from contract.use_case.model import UseCase
from monitoring.monitor import monitor
from monitoring.report.history import read_document
from monitoring.windows.reference import Reference, Rows
from monitoring.windows.window import WindowRequest
from tests.conftest import MADE
from tests.support import monitored as made
from tracking.store import connect

CLASSES = ["low", "mid", "top"]
TARGETS = {  # task: type of the target, main metric
    "regression": ("number", "rmse"),
    "multiclass": ("string", "log_loss"),
}


def declared(task: str, home: Path) -> UseCase:
    kind, metric = TARGETS[task]
    text = MADE
    for old, new in (
        ("task: binary", f"task: {task}"),
        ("positive: true\n", ""),
        ("{type: boolean, nullable: true}", f"{{type: {kind}, nullable: true}}"),
        ("metric: roc_auc", f"metric: {metric}"),
        ("{roc_auc: 0.6}", "{}"),
    ):
        assert old in text
        text = text.replace(old, new)
    return parse_use_case(text, "made.yaml", home)


def rows(task: str, n_rows: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    """Rows with the answers of a model that knows how the label follows `size`."""
    found, random = made.rows(n_rows, seed, shift=shift), np.random.default_rng(seed)
    if task == "regression":
        answer = 2 * found["size"]
        label = answer + random.normal(size=n_rows)
        return found.assign(prediction=answer, probability=None, late=label)
    top = found["chance"].to_numpy()
    chances = np.column_stack([0.6 * (1 - top), np.full(n_rows, 0.4), 0.6 * top])
    drawn = [CLASSES[int((random.random() > c.cumsum()).sum())] for c in chances]
    likely = [CLASSES[k] for k in chances.argmax(axis=1)]
    return found.assign(prediction=likely, probability=chances.tolist(), late=drawn)


def reference(task: str) -> Reference:
    trained, held_out = rows(task, 2000, 101), rows(task, 2000, 102)
    answers = held_out[["prediction"]].assign(label=held_out["late"])
    if task == "multiclass":
        chances = np.array(held_out["probability"].tolist())
        answers = answers.assign(
            **{f"probability_{name}": chances[:, k] for k, name in enumerate(CLASSES)}
        )
    return Reference(trained[made.FEATURES], Rows(held_out[made.FEATURES], answers), {})


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of numpy, in Evidently
@pytest.mark.parametrize("task", TARGETS)
def test_a_window_is_judged_whatever_the_task(task: str, home: Path, empty_store: Path) -> None:
    use_case, (kind, metric) = declared(task, home), TARGETS[task]
    (home / "mlflow.db").write_bytes((empty_store / "mlflow.db").read_bytes())
    made.register(home, use_case, reference(task))
    tables, asked = Tables(str(home / "data"), "made"), rows(task, 400, 1, shift=1.0)
    made.answer(tables, use_case, asked)
    made.label(tables, asked, kind=kind)
    found = monitor(use_case, read_settings(str(home / "data")), WindowRequest())[0]
    assert found.status == "WATCH"
    assert {"prediction", "label", "columns:size"} == set(found.signals)
    client = connect(read_settings())
    figures = client.get_run(found.run_id).data.metrics
    assert figures["label_coverage"] == 1
    assert np.isfinite(figures[f"realised/{metric}"])
    assert ("estimated/accuracy" in figures) == (task == "multiclass")
    assert metric in mlflow.artifacts.load_text(found.report)
    document = read_document(client.get_run(found.run_id))
    assert document["evidently"]["left_out"] == {}
    pages = {file.path for file in client.list_artifacts(found.run_id, "evidently")}
    assert {"evidently/answers.html", "evidently/inputs.html"} <= pages
