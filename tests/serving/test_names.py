"""Columns may have any name that a source has: every protocol takes it, and the log keeps it."""

import csv
import json
from collections.abc import Iterator
from html.parser import HTMLParser
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from contract.names import SCORER_DIR, USE_CASE_FILE
from contract.store.tables import Tables
from contract.use_case.loader import frozen, parse_use_case
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from pipelines.compiler.compile import write_scorer
from pipelines.package import seal
from serving.http_check import ask
from serving.log.record import FEEDBACK_FOLDER
from serving.requests.request import CSV, JSON_ROWS, PARQUET
from serving.scoring.version import load_version
from serving.shipping.record_kinds import FEEDBACK
from serving.shipping.shipper import Shipper
from tests.support.running import app_of, current_of, running, spool_in
from tests.support.small import SMALL

# With what JSON, CSV, HTML, SQL, Python and our own code could take for something else.
ODD = (
    'width (3")', "in\\out", "a\tb", "bill\nlength", "a\r\nb", "\x01", "a:b", " ", ".", "é",
    "e\u0301", "数", "x" * 300, "class", "None", "rows", "f0", "f1", "size", "__proto__", "a`b",
    "a'b", "a;b--", "a\u2028b", "{a}", "%20", "<b>&amp;", "index", "data",
)  # fmt: skip
KEYS = ("i\nd", '"', "k\\", "k:")
ROWS = 4


def odd_use_case(folder: Path) -> UseCase:
    """As many numbers as there are names, and keys of the same kind."""
    number = Column(type="number")
    columns = {"kind": Column(type="string"), **dict.fromkeys(ODD, number)}
    columns |= dict.fromkeys(KEYS, Column(type="string"))
    small = parse_use_case(SMALL, "small.yaml", folder)
    return small.model_copy(update={"name": "penguins", "columns": columns, "keys": KEYS})


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed package of a model of all these columns."""
    folder = tmp_path_factory.mktemp("odd")
    use_case, rows = (
        odd_use_case(folder),
        pd.DataFrame(dict.fromkeys(ODD, range(ROWS)), dtype=float),
    )
    model = make_pipeline(LogisticRegression()).fit(rows, list("aabb"))
    write_scorer(folder / SCORER_DIR, model, use_case, pa.Table.from_pandas(rows))
    (folder / USE_CASE_FILE).write_text(frozen(use_case), encoding="utf-8")
    seal(folder)
    return folder


@pytest.fixture(scope="module")
def address(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("served")
    with running(app_of(current_of(package, folder), folder)) as found:
        yield found


ROW: dict[str, Any] = {name: float(at % 3) for at, name in enumerate(ODD)}


def test_the_release_check_passes_them(package: Path) -> None:
    served = ask(package, "penguins", "1", load_version(package, "penguins", "1").digest)
    assert set(served.use_case.features) == set(ODD)


@pytest.mark.parametrize("media_type", [JSON_ROWS, CSV, PARQUET])
def test_invocations_take_them(address: str, media_type: str) -> None:
    text, binary = StringIO(newline=""), BytesIO()
    writer = csv.writer(text)
    writer.writerows([ROW.keys(), ROW.values()])
    pd.DataFrame([ROW]).to_parquet(binary)
    bodies = {
        JSON_ROWS: json.dumps({"dataframe_records": [ROW]}).encode(),
        CSV: text.getvalue().encode(),
        PARQUET: binary.getvalue(),
    }
    content, headers = bodies[media_type], {"Content-Type": media_type}
    answer = httpx.post(f"{address}/invocations", content=content, headers=headers, timeout=30)
    assert (answer.status_code, len(answer.json()["predictions"])) == (200, 1), answer.text


def test_answers_and_labels_reach_their_tables(package: Path, home: Path) -> None:
    keys = {name: f"k{at}" for at, name in enumerate(KEYS)}
    with running(app_of(current_of(package, home), home)) as address:
        answer = httpx.post(f"{address}/predict", json={"rows": [ROW | keys]}, timeout=30)
        assert answer.status_code == 200, answer.text
        said = httpx.post(f"{address}/feedback", json=keys | {"label": "a"}, timeout=30)
        assert said.status_code == 202, said.text
    tables, spool = Tables(str(home / "data"), "penguins"), spool_in(home)
    Shipper(spool, tables).drain()
    Shipper(spool / FEEDBACK_FOLDER, tables, FEEDBACK).drain()
    (row,) = tables.read("predictions").to_pylist()
    assert row["inputs"] == ROW
    (label,) = tables.read("feedback").to_pylist()
    for found in (row, label):
        assert {name: found[name] for name in KEYS} == keys


def test_a_wrong_cell_is_named(address: str) -> None:
    for name in ODD:
        found = httpx.post(f"{address}/predict", json={"rows": [ROW | {name: "x"}]}).json()
        assert (found["status"], found["column"]) == (422, name)


class Fields(HTMLParser):
    """Names of the form's fields."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("input", "select"):
            self.names.append(dict(attrs).get("name"))


def test_the_form_asks_for_them(address: str) -> None:
    text, fields = httpx.get(address).text, Fields()
    fields.feed(text)
    assert fields.names == list(ODD)
    assert 'name="a&#13;\nb"' in text  # a bare one is read as a line feed by browsers


def test_the_document_names_them(address: str) -> None:
    document = httpx.get(f"{address}/openapi.json").json()
    body = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    row = body["schema"]["properties"]["rows"]["items"]
    assert set(row["properties"]) == {*ODD, *KEYS}
    assert httpx.post(f"{address}/predict", json=body["example"]).status_code == 200
