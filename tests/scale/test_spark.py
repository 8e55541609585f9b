"""A registered version answers in Spark, by MLflow's own `spark_udf`, what `score` answers. `make
scale` brings Spark; Java is the machine's."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from contract.settings import read_settings
from contract.use_case.loader import load_use_case
from pipelines.main import Outcome
from pipelines.runtime.workspace import Workspace, connected
from pipelines.score import score
from tests.support.documents import python_block

pytest.importorskip("pyspark", reason="Spark is installed apart: make scale")
pytestmark = [
    pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java 17, here is none"),
    pytest.mark.filterwarnings("ignore"),  # what lies beside ours here warns of itself
]


@pytest.fixture
def workspace(
    trained: tuple[Path, Outcome], home: Path, monkeypatch: pytest.MonkeyPatch
) -> Workspace:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{trained[0]}/mlflow.db")
    return connected(load_use_case("penguins"), read_settings(), "monitoring")


@pytest.fixture
def spark(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from pyspark.sql import SparkSession

    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master("local[2]").appName("scale")
    settings = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2"}
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    yield session
    session.stop()


def test_spark_answers_as_score_does(workspace: Workspace, spark: Any, home: Path) -> None:
    score(workspace, "holdout", "answers.parquet")
    ours = pq.read_table("answers.parquet").to_pandas().set_index("penguin")["prediction"]
    pq.write_table(workspace.tables.read("holdout"), home / "rows.parquet")
    found: dict[str, Any] = {}
    exec(python_block("docs/beyond.md", "spark_udf"), found)
    theirs = {row["penguin"]: row["prediction"] for row in found["answers"].collect()}
    assert theirs == ours.to_dict()
    assert len(theirs) > 50
