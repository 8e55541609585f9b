"""Nothing secret stands in what pipeline and service write: store, tables, artifacts, logs."""

from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import httpx
from pydantic import SecretStr

from contract.settings import Settings
from contract.signing import unsigned
from contract.store.ledger import entry_said, read_entries
from contract.store.tables import Tables
from pipelines.main import Outcome
from serving.keys import make
from tests.serving.endpoints.test_predictions import ROW
from tests.support.running import app_of, current_of, running
from tests.support.secrets import KEY, SECRETS, found_in, needles


def test_the_shared_training_was_given_secrets_and_wrote_none_of_them(
    trained: tuple[Path, Outcome],
) -> None:
    folder, _ = trained
    tables = Tables(str(folder / "data"), "penguins")
    entries = read_entries(tables)
    for entry in entries:  # the key was there, and was used
        assert unsigned(KEY.public, entry.signature, *entry_said("penguins", entry)) == ""
    assert list(found_in(folder, needles())) == []
    rows = str(tables.read("ledger").to_pylist()).encode()  # files of tables are compressed
    assert [name for name, needle in needles().items() if needle in rows] == []


def test_a_search_finds_what_is_there(home: Path) -> None:
    (home / "deep").mkdir()
    (home / "deep/log.txt").write_text(f"key: {SECRETS['FOURCYCLE_SIGN_KEY']}")
    assert list(found_in(home, needles())) == [("FOURCYCLE_SIGN_KEY", "deep/log.txt")]


def test_the_service_writes_no_key_and_no_secret(package: Path, home: Path) -> None:
    keys, lines = home / "keys.json", StringIO()
    token = make(keys, "shop", ("predict", "admin"), datetime.now(UTC))
    secrets = needles({"token": token, "log": SECRETS["FOURCYCLE_LOG_SECRET"]})
    current = current_of(package, home, SECRETS["FOURCYCLE_LOG_SECRET"])
    app = app_of(current, home, lines, serve_keys=str(keys))
    headers, said = {"Authorization": f"Bearer {token}"}, b""
    with running(app) as address:
        assert httpx.post(f"{address}/predict", json={"rows": [ROW]}, headers=headers).is_success
        wrong = httpx.post(f"{address}/predict", json={"rows": [1]}, headers=headers)
        said += wrong.content
        for path in ("/metrics", "/ready", "/", "/openapi.json"):
            said += httpx.get(address + path, headers=headers).content
    assert lines.getvalue().count("\n") >= 6
    said += lines.getvalue().encode()
    assert [name for name, needle in secrets.items() if needle in said] == []
    assert list(found_in(home, secrets)) == []


def test_settings_print_no_secret() -> None:
    fields = Settings.model_fields.items()
    secret = {name for name, info in fields if info.annotation is SecretStr}
    assert {"sign_key", "log_secret", "alert_smtp_password"} <= secret
    settings = Settings.model_validate(dict.fromkeys(secret, "not-to-be-seen"))
    assert "not-to-be-seen" not in repr(settings) + str(settings.model_dump())
