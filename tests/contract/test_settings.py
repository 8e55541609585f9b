"""Settings: the environment is read as documented, and `.env.example` lists all of it."""

import os
import re
from pathlib import Path

import pytest
from pydantic import AliasChoices

from contract.errors import BadInput
from contract.settings import Settings, read_settings
from pipelines.runtime.code_hash import PROJECT


def documented() -> dict[str, str]:
    lines = (PROJECT / ".env.example").read_text(encoding="utf-8").splitlines()
    pairs = [line.partition("=") for line in lines if re.match(r"^[A-Z_]+=", line)]
    return {name: value for name, _, value in pairs}


def declared() -> dict[str, str]:
    """Names in the environment of all settings, with their defaults."""
    found = {}
    for field, info in Settings.model_fields.items():
        alias = info.validation_alias
        first = alias.choices[0] if isinstance(alias, AliasChoices) else alias
        found[str(first or f"FOURCYCLE_{field.upper()}")] = str(info.default)
    return found


def asked_by_compose() -> set[str]:
    files = sorted((PROJECT / "docker").glob("compose*.yaml"))
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    # The project's name stands in no file of ours, since docker-compose 1.29 takes none there.
    return {*re.findall(r"\$\{([A-Z_]+)", text), "COMPOSE_PROJECT_NAME"}


def test_the_example_lists_every_setting_with_its_default() -> None:
    listed = documented()
    assert {name: listed.get(name) for name in declared()} == declared()


def test_the_example_lists_nothing_else_but_what_compose_asks_for() -> None:
    assert set(documented()) == set(declared()) | asked_by_compose()


def test_the_example_says_what_the_settings_say() -> None:
    text = (PROJECT / ".env.example").read_text(encoding="utf-8")
    for field, info in Settings.model_fields.items():
        assert f"# {info.description}\n" in text, field


def test_an_unusable_value_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOURCYCLE_SERVE_PORT", "http")
    with pytest.raises(BadInput, match="FOURCYCLE_SERVE_PORT"):
        read_settings()


def test_tables_stand_beside_a_sqlite_database(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("FOURCYCLE_ROOT", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    assert read_settings().table_root == str(tmp_path / "data")


@pytest.mark.parametrize(
    ("root", "expected"), [("s3://bucket/tables/", "s3://bucket/tables"), ("/srv/t", "/srv/t")]
)
def test_a_given_root_wins_over_the_environment(
    monkeypatch: pytest.MonkeyPatch, root: str, expected: str
) -> None:
    monkeypatch.setenv("FOURCYCLE_ROOT", "/elsewhere")
    assert read_settings(root).table_root == expected


def test_tables_of_two_roots_never_share_a_spool(tmp_path: Path) -> None:
    places = ["s3://bucket/prod", "s3://bucket/staging", "s3://bucket-prod", "/srv/a", "/srv/b"]
    long = [f"s3://bucket/{'x' * 200}/{end}" for end in "ab"]
    for shared in ("", str(tmp_path)):
        folders = {
            Settings().model_copy(update={"root": root, "log_spool": shared}).spool_folder("made")
            for root in places + long
        }
        assert len(folders) == len(places + long)
        assert all(len(part) < 100 for folder in folders for part in folder.parts)


def test_a_user_without_a_name_is_called_by_his_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)  # as a container's
    assert Settings().claimed == f"user {2**31 - 7}"


def test_a_root_has_one_spool_however_it_is_spelt(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "data").symlink_to("tables")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    spelt = ["", "data", "./data/", f"{tmp_path}/data", "~/data", "tables", "tables/../data"]
    for shared in ("", str(tmp_path / "spools")):
        monkeypatch.setenv("FOURCYCLE_LOG_SPOOL", shared)
        assert len({read_settings(root).spool_folder("made") for root in spelt}) == 1
        buckets = {read_settings(root).spool_folder("made") for root in ("s3://b/p", "s3://b/p/")}
        assert len(buckets) == 1


def test_services_of_two_tracking_servers_share_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def cache(uri: str) -> Path:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        return read_settings().cache_root

    uris = ["http://a:5000", "http://a:5001", "https://a:5000", "postgresql://me:secret@a/mlflow"]
    assert len({cache(uri) for uri in uris}) == len(uris)
    assert cache("postgresql://me:secret@a/mlflow") == cache("postgresql://me:changed@a/mlflow")
    assert "secret" not in str(cache(uris[-1]))
    assert cache("http://a:5000/") == cache("http://a:5000")
