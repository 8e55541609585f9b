"""What is told of tables is what stands in them and what the use case declares."""

import json
from pathlib import Path

import pytest

from contract.errors import BadInput
from contract.settings import read_settings
from contract.store.tables import Tables
from contract.use_case.loader import load_use_case
from pipelines import datasets
from pipelines.main import Outcome


@pytest.fixture
def tables(trained: tuple[Path, Outcome], monkeypatch: pytest.MonkeyPatch) -> Tables:
    """The penguins' tables, worked beside."""
    monkeypatch.chdir(trained[0])
    return Tables(read_settings().table_root, "penguins")


def test_list_shows_every_table_with_its_rows(
    tables: Tables, capfd: pytest.CaptureFixture[str]
) -> None:
    root = Path(tables.uri("raw").removeprefix("file://")).parent
    written = {folder.parent.name for folder in root.glob("*/_delta_log")}
    assert {"raw", "training", "holdout", "ledger"} <= written
    datasets.main(as_json="yes")
    listed = {table["table"]: table for table in json.loads(capfd.readouterr().out)}
    assert set(listed) == written
    for name, told in listed.items():
        rows = tables.read(datasets.known_table(name)).num_rows
        assert (told["rows"], told["use_case"]) == (rows, "penguins"), name
        assert told["owner"] == load_use_case("penguins").owner
    datasets.main()
    shown = capfd.readouterr().err
    assert all(name in shown for name in written)


def test_describe_shows_every_column_as_it_is_declared(
    tables: Tables, capfd: pytest.CaptureFixture[str]
) -> None:
    use_case = load_use_case("penguins")
    datasets.main("penguins", action="describe", table="training", as_json="yes")
    found = json.loads(capfd.readouterr().out)
    columns = {column["name"]: column for column in found["columns"]}
    assert list(columns) == tables.schema("training").names
    for name, declared in use_case.columns.items():
        told = columns[name]
        assert (told["unit"], told["meaning"]) == (declared.unit, declared.description), name
        assert told["nullable"] == declared.nullable, name
    assert {name: columns[name]["role"] for name in ("penguin", "species", "island")} == {
        "penguin": "key",
        "species": "target",
        "island": "input",
    }
    assert columns["island"]["allowed"] == "Biscoe, Dream, Torgersen"
    assert columns["body_mass_g"]["allowed"] == "1000 to 10000"
    versions = [entry["version"] for entry in tables.history("training")]
    assert [version["version"] for version in found["versions"]] == versions
    assert found["rows"] == tables.read("training").num_rows
    datasets.main("penguins", action="describe", table="training")
    shown = capfd.readouterr().err
    # On a narrow screen names are folded, so that some stand on two lines.
    assert all(name in shown for name in ("penguin", "island", "sex"))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"action": "search"}, r"search needs --words, e\.g\. --words 'wind mph'"),
        ({"action": "describe"}, r"describe needs --table; --action list shows which"),
        (
            {"action": "describe", "table": "trainig"},
            r"No table is called 'trainig'; did you mean 'training'\?",
        ),
        ({"action": "find"}, r"action: list, .* is needed, found 'find'"),
    ],
)
def test_what_is_not_asked_whole_is_said(asked: dict[str, str], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        datasets.main(**asked)
