import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from contract.errors import BadInput
from contract.store.tables import Tables
from serving.keys import main, make
from serving.requests import api_keys
from serving.requests.api_keys import Keys
from serving.requests.errors import Problem
from serving.shipper import shippers
from tests.serving.endpoints.test_predictions import ROW
from tests.support.project import PROJECT
from tests.support.running import app_of, current_of, running, spool_in

NOW = datetime(2024, 5, 1, tzinfo=UTC)


def bearer(token: str) -> bytes:
    return f"Bearer {token}".encode()


def test_only_the_hash_is_stored_and_only_the_owner_reads_it(home: Path) -> None:
    path = home / "keys.json"
    token = make(path, "shop", ("predict",), NOW)
    assert token not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Keys(path).admit(bearer(token), "predict") == "shop"
    assert len({token, make(path, "other", ("predict",), NOW)}) == 2


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        (None, "unauthorized"),
        (b"", "unauthorized"),
        (b"Bearer", "unauthorized"),
        (b"Bearer fc_wrong", "unauthorized"),
        (b"Basic {}", "unauthorized"),
        (b"\xff\xfe", "unauthorized"),
    ],
)
def test_without_a_right_key_nobody_comes_in(
    home: Path, authorization: bytes | None, reason: str
) -> None:
    token = make(home / "keys.json", "shop", ("predict",), NOW)
    sent = authorization and authorization.replace(b"{}", token.encode())
    with pytest.raises(Problem) as refused:
        Keys(home / "keys.json").admit(sent, "predict")
    assert refused.value.reason == reason


def test_a_scope_that_is_not_given_is_forbidden(home: Path) -> None:
    token = make(home / "keys.json", "shop", ("predict", "feedback"), NOW)
    with pytest.raises(Problem, match="no scope 'admin'") as refused:
        Keys(home / "keys.json").admit(bearer(token), "admin")
    assert refused.value.reason == "forbidden"


def test_a_scope_may_be_for_one_use_case_alone(home: Path) -> None:
    path = home / "keys.json"
    token = bearer(make(path, "shop", ("predict:flights", "feedback"), NOW))
    flights, penguins = Keys(path, "flights"), Keys(path, "penguins")
    assert flights.admit(token, "predict") == "shop"
    assert flights.admit(token, "feedback") == penguins.admit(token, "feedback") == "shop"
    with pytest.raises(Problem, match="no scope 'predict' here") as refused:
        penguins.admit(token, "predict")
    assert refused.value.reason == "forbidden"


def test_a_key_is_revoked_while_the_service_runs(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_keys, "LOOK_S", 0)
    path = home / "keys.json"
    token = make(path, "shop", ("predict",), NOW)
    known = Keys(path)
    path.write_text("{")  # a broken file changes nothing
    assert known.admit(bearer(token), "predict") == "shop"
    path.write_text('{"keys": []}')
    with pytest.raises(Problem):
        known.admit(bearer(token), "predict")


@pytest.mark.parametrize(
    ("name", "scopes"),
    [("Shop", ("predict",)), ("shop", ()), ("shop", ("read",)), ("", ()), ("shop", ("predict:",))],
)
def test_a_wrong_name_or_scope_is_refused(home: Path, name: str, scopes: tuple[str, ...]) -> None:
    with pytest.raises(BadInput):
        make(home / "keys.json", name, scopes, NOW)
    assert not (home / "keys.json").exists()


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"keys": [{}]}', '{"keys": [{"name": "a", "sha256": "0", "scopes": []}]}']
)
def test_a_service_does_not_start_with_an_unreadable_file(home: Path, text: str) -> None:
    (home / "keys.json").write_text(text)
    with pytest.raises(BadInput):
        Keys(home / "keys.json")
    with pytest.raises(BadInput, match=r"serving\.keys makes one"):
        Keys(home / "nowhere.json")


@pytest.mark.parametrize("sha256", ["é" * 64, "A" * 64, "0" * 63])
def test_a_hash_that_is_none_is_named_when_it_is_read(home: Path, sha256: str) -> None:
    key = {"name": "shop", "sha256": sha256, "scopes": ["predict"]}
    (home / "keys.json").write_text(json.dumps({"keys": [key]}))
    with pytest.raises(BadInput, match="sha256 of key 'shop' is not 64 of 0-9 and a-f"):
        Keys(home / "keys.json")


def test_the_command_prints_a_key_once(home: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-m", "serving.keys", "--name", "shop", "--file", "keys.json"]
    made = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert Keys(home / "keys.json").admit(bearer(made.stdout.strip()), "predict") == "shop"
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout) == (2, "")
    assert "is there" in again.stderr


def test_without_a_file_of_keys_the_command_says_what_names_one() -> None:
    with pytest.raises(BadInput, match="No file of keys is named; --file or FOURCYCLE_SERVE_KEYS"):
        main(name="shop", file="")


def test_a_scope_that_is_none_is_named_when_it_is_read(home: Path) -> None:
    key = {"name": "shop", "sha256": "0" * 64, "scopes": ["predict", "read:flights"]}
    (home / "keys.json").write_text(json.dumps({"keys": [key]}))
    with pytest.raises(BadInput, match="key 'shop' has a scope that is none of predict, feedback"):
        Keys(home / "keys.json")


def header(path: Path, name: str, scope: str) -> dict[str, str]:
    """What a client with a new key sends."""
    return {"Authorization": f"Bearer {make(path, name, (scope,), NOW)}"}


def test_each_protocol_says_401_and_403_in_its_words(package: Path, home: Path) -> None:
    path = home / "keys.json"
    predict, admin = header(path, "shop", "predict"), header(path, "ops", "admin")
    body = {"rows": [ROW]}
    app = app_of(current_of(package, home), home, serve_keys=str(path))
    with running(app) as address:
        assert httpx.post(f"{address}/predict", json=body, headers=predict).status_code == 200
        refused = httpx.post(f"{address}/predict", json=body)
        assert refused.headers["www-authenticate"].startswith("Bearer")
        assert (refused.status_code, refused.json()["reason"]) == (401, "unauthorized")
        mlflow = httpx.post(f"{address}/invocations", json=body, headers=admin)
        assert (mlflow.status_code, mlflow.json()["error_code"]) == (403, "PERMISSION_DENIED")
        v2 = httpx.post(f"{address}/v2/models/penguins/infer", json=body)
        assert (v2.status_code, set(v2.json())) == (401, {"error"})
        assert httpx.get(f"{address}/metrics", headers=predict).status_code == 403
        assert httpx.get(f"{address}/metrics", headers=admin).status_code == 200
        for open_to_all in ("/ping", "/ready", "/v2", "/", "/docs", "/openapi.json"):
            assert httpx.get(address + open_to_all).status_code == 200
        assert 'id="key"' in httpx.get(address).text
    assert json.loads(path.read_text())["keys"][0]["made"] == NOW.isoformat()


def test_labels_need_a_key_of_their_own_and_the_tables_say_whose_it_was(
    package: Path, home: Path
) -> None:
    path = home / "keys.json"
    predict, feedback = header(path, "shop", "predict"), header(path, "crm", "feedback")
    app = app_of(current_of(package, home), home, serve_keys=str(path))
    with running(app) as address:
        told = httpx.post(f"{address}/predict", json={"rows": [ROW]}, headers=predict).json()
        name = told["predictions"][0]["prediction_id"]
        tried = [
            httpx.post(
                f"{address}/feedback", json={"prediction_id": name, "label": "Gentoo"}, headers=key
            )
            for key in ({}, predict, feedback)
        ]
    assert [(said.status_code, said.json().get("reason")) for said in tried] == [
        (401, "unauthorized"),
        (403, "forbidden"),
        (202, None),
    ]
    tables = Tables(str(home / "data"), "penguins")
    assert [part.attempt() for part in shippers(spool_in(home), tables)] == ["", ""]
    columns = ["prediction_id", "key_id"]
    (answer,) = tables.read("predictions", columns=columns).to_pylist()
    (label,) = tables.read("feedback", columns=columns).to_pylist()
    assert answer == {"prediction_id": name, "key_id": "shop"}
    assert label == {"prediction_id": name, "key_id": "crm"}
