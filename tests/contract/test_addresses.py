"""Folders whose names need care in an address: found again, or refused in one sentence."""

from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pytest
import sqlalchemy

from contract.addresses import check_tables
from contract.errors import BadInput
from contract.settings import Settings, read_settings
from contract.store.tables import Tables

PLAIN = ("a b", " a", "ü", "h#x", "50%", "%zz", "a&b=c;d", "a+b", "a:b", "a@b", "'a'", '"a"', "{a}")
MISREAD = ("a%20b", "feature%2Fx", "%41", "a\\b", "[a]", "a^b", "a|b", "a\tb", "a\x7fb", "a\udce4b")


def settled(patch: pytest.MonkeyPatch, address: str, root: str = "") -> Settings:
    patch.setenv("MLFLOW_TRACKING_URI", address)
    return read_settings(root)


@pytest.mark.parametrize("name", [*PLAIN, "q?b"])
def test_tables_in_a_folder_of_any_usual_name_are_written_and_read(home: Path, name: str) -> None:
    check_tables(str(home / name))
    tables = Tables(str(home / name), "made")
    rows = pa.table({"a": [1, 2]})
    version = tables.append("raw", rows)
    assert tables.read("raw", version).equals(rows)
    assert (home / name / "made" / "raw" / "_delta_log").is_dir()
    assert [path.name for path in home.iterdir()] == [name]


@pytest.mark.parametrize("name", MISREAD)
def test_a_folder_that_tables_could_not_be_read_from_is_refused_at_once(
    home: Path, name: str
) -> None:
    with pytest.raises(BadInput, match=r"Tables can't lie in .*; FOURCYCLE_ROOT names a folder"):
        read_settings(str(home / name))
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("written", [str, quote], ids=["plain", "encoded"])
def test_a_store_lies_in_the_folder_that_its_address_names(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str, written: type[str]
) -> None:
    folder = home / name
    folder.mkdir()
    settings = settled(monkeypatch, f"sqlite:///{written(str(folder))}/mlflow.db")
    assert settings.home == folder
    assert settings.table_root == str(folder / "data")
    with sqlalchemy.create_engine(settings.store_uri).connect() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE t (a INT)"))
    assert [path.name for path in folder.iterdir()] == ["mlflow.db"]


def test_a_relative_address_is_of_the_working_folder_and_keeps_its_options(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "a b").mkdir()
    monkeypatch.chdir(home / "a b")
    settings = settled(monkeypatch, "sqlite:///mlflow.db?timeout=60")
    assert settings.store_uri == f"sqlite:///{home}/a b/mlflow.db?timeout=60"
    assert settings.home == home / "a b"


@pytest.mark.parametrize("name", ["a%20b", "feature%2Fx", "a?b"])
@pytest.mark.parametrize("written", [str, quote], ids=["plain", "encoded"])
def test_a_folder_that_mlflow_takes_for_another_is_refused_at_once(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str, written: type[str]
) -> None:
    (home / name).mkdir()
    said = f"MLFLOW_TRACKING_URI: a database can't lie in '{home}/{name}', for MLflow reads"
    with pytest.raises(BadInput) as refused:
        settled(monkeypatch, f"sqlite:///{written(str(home / name))}/mlflow.db", "/tables")
    assert str(refused.value).startswith(said)
    monkeypatch.chdir(home / name)
    with pytest.raises(BadInput) as refused:
        settled(monkeypatch, "sqlite:///mlflow.db", "/tables")
    assert str(refused.value).startswith(said)
    assert [path.name for path in home.iterdir()] == [name]
