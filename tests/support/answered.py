"""Answers of the trained penguins, as the service logs them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contract.settings import read_settings
from contract.store.schema import conform
from contract.use_case.loader import load_use_case
from pipelines.feedback import feedback
from pipelines.registry.versions import champion_of
from pipelines.release.loaded_package import load
from pipelines.runtime.workspace import Workspace, connected
from pipelines.sources.registry import read_source
from serving.requests.columns import SentColumns, check
from serving.shipping.shipper import Shipper
from tests.support.answers import answer as answer_of
from tests.support.answers import spooled

REQUEST = "0198b5f2-6a3c-7c1e-9d52-1f0a6f0c9b11"
N_ROWS = 60


def opened(folder: Path) -> Workspace:
    settings = read_settings().model_copy(
        update={"tracking_uri": f"sqlite:///{folder}/mlflow.db", "root": str(folder / "data")}
    )
    return connected(load_use_case("penguins"), settings, "monitoring")


def answer(
    workspace: Workspace,
    folder: Path,
    request_id: str,
    rows: range,
    named: bool = True,
    **changes: Any,
) -> None:
    """Let the champion answer some rows of the source, as the service does."""
    champion = champion_of(workspace)
    assert champion
    served = load(workspace, champion).served
    source = read_source(workspace.use_case).slice(rows.start, len(rows))
    names = [*workspace.use_case.features, *(workspace.use_case.keys if named else ())]
    known = conform(source, workspace.use_case).table
    columns = {name: known.column(name).to_pylist() for name in names}
    checked = check(SentColumns(columns, len(rows)), served.use_case)
    found = served.scorer.score(checked.features)
    facts: dict[str, Any] = {
        "version": served.version,
        "features": checked.features,
        "keys": checked.keys,
        "event_time": checked.event_time,
        "prediction": found.prediction,
        "probability": found.probability,
        "flags": checked.flags,
        "logged_time": datetime.now(UTC),
    }
    answered = answer_of(served.use_case, request_id, len(rows), **facts | changes)
    spooled(folder / "spool", served.use_case, [answered])
    Shipper(folder / "spool", workspace.tables).drain()


def answer_and_label(folder: Path) -> None:
    """Answers of the champion in a folder's tables, and labels for half of them and one more."""
    workspace = opened(folder)
    answer(workspace, folder, REQUEST, range(N_ROWS))
    answer(workspace, folder, REQUEST.replace("11", "12"), range(10), named=False)
    rows = read_source(workspace.use_case).slice(0, N_ROWS // 2).select(["penguin", "species"])
    rows.to_pandas().to_csv(folder / "labels.csv", index=False)
    feedback(workspace, str(folder / "labels.csv"))
    (folder / "more.csv").write_text(
        f"prediction_id,label,label_time\n{REQUEST}-1,Gentoo,2026-01-01\n{REQUEST}-40,Gentoo,\n"
    )
    feedback(workspace, str(folder / "more.csv"))
