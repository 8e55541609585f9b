"""Settings that do not fit together: each is named, all at once, and no secret is shown."""

import re

import pytest

from contract.errors import BadInput
from contract.settings import Settings, read_settings
from tests.support.project import PROJECT
from tests.support.tracking import LIGHT

SERVER = {"MLFLOW_TRACKING_URI": "https://mlflow.example"}
BUCKET = {"FOURCYCLE_ROOT": "s3://bucket/fourcycle"}
CASES: dict[str, tuple[dict[str, str], str]] = {
    "a user without a password": (
        SERVER | {"MLFLOW_TRACKING_USERNAME": "ann"},
        "MLFLOW_TRACKING_PASSWORD: it is not set and MLFLOW_TRACKING_USERNAME is;",
    ),
    "a password without a user": (
        SERVER | {"MLFLOW_TRACKING_PASSWORD": "hush"},
        "MLFLOW_TRACKING_USERNAME: it is not set and MLFLOW_TRACKING_PASSWORD is;",
    ),
    "half a key": (
        BUCKET | {"AWS_SECRET_ACCESS_KEY": "hush"},
        "AWS_ACCESS_KEY_ID: it is not set and AWS_SECRET_ACCESS_KEY is;",
    ),
    "no address": (
        BUCKET | {"AWS_ENDPOINT_URL": "minio:9000"},
        "AWS_ENDPOINT_URL: 'minio:9000' is no address of a server;",
    ),
    "no receiver of spans": (
        {"FOURCYCLE_TRACE_URL": "collector:4318"},
        "FOURCYCLE_TRACE_URL: 'collector:4318' is no address of a server;",
    ),
    "no port": (
        BUCKET | {"AWS_ENDPOINT_URL": "http://minio:port"},
        "AWS_ENDPOINT_URL: 'http://minio:port' is no address of a server;",
    ),
    "a slash short": (
        {"FOURCYCLE_ROOT": "s3:/bucket/fourcycle"},
        "FOURCYCLE_ROOT: 's3:/bucket/fourcycle' is neither a folder nor a bucket of S3;",
    ),
    "no bucket": ({"FOURCYCLE_ROOT": "s3://"}, "FOURCYCLE_ROOT: 's3://' is neither"),
    "another cloud": ({"FOURCYCLE_ROOT": "gs://bucket"}, "FOURCYCLE_ROOT: 'gs://bucket' is"),
    "a spool in a bucket": (
        {"FOURCYCLE_LOG_SPOOL": "s3://bucket/spool"},
        "FOURCYCLE_LOG_SPOOL: 's3://bucket/spool' is no folder;",
    ),
    "a word for a number": (
        {"FOURCYCLE_SERVE_PORT": "http"},
        "FOURCYCLE_SERVE_PORT: input should be a valid integer, unable to parse string as an "
        "integer, found 'http'.",
    ),
    "too many workers": (
        {"FOURCYCLE_SERVE_WORKERS": "65"},
        "FOURCYCLE_SERVE_WORKERS: input should be less than or equal to 64, found '65'.",
    ),
    "no such policy": (
        {"FOURCYCLE_LOG_SYNC": "always"},
        "FOURCYCLE_LOG_SYNC: input should be 'fsync', 'os' or 'off', found 'always'.",
    ),
    "no such store": ({"MLFLOW_TRACKING_URI": "mlruns"}, "MLFLOW_TRACKING_URI: 'mlruns' is no"),
}
FINE: dict[str, dict[str, str]] = {
    "nothing": {},
    "roles of the machine in place of keys": SERVER | BUCKET,
    "a token in place of a password": SERVER | {"MLFLOW_TRACKING_TOKEN": "hush"},
    "keys that nothing needs": {"AWS_SECRET_ACCESS_KEY": "hush"},
    "both": SERVER
    | BUCKET
    | {"MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": "hush"}
    | {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "hush"}
    | {"AWS_ENDPOINT_URL": "http://127.0.0.1:8333"},
}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)


def refusal(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> str:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BadInput) as refused:
        read_settings()
    return str(refused.value)


@pytest.mark.parametrize("case", CASES)
def test_a_setting_that_does_not_fit_is_named(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment, said = CASES[case]
    found = refusal(monkeypatch, environment)
    assert found.startswith(said)
    assert "\n" not in found
    assert "hush" not in found


@pytest.mark.parametrize("case", FINE)
def test_what_fits_is_taken(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in FINE[case].items():
        monkeypatch.setenv(name, value)
    assert read_settings().root == FINE[case].get("FOURCYCLE_ROOT", "")


def test_everything_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "MLFLOW_TRACKING_URI": "htp://mlflow",
        "FOURCYCLE_ROOT": "s3:/bucket",
        "FOURCYCLE_SERVE_PORT": "http",
        "FOURCYCLE_LOG_SYNC": "always",
        "FOURCYCLE_LOG_SPOOL": "s3://bucket/spool",
    }
    first, *others = refusal(monkeypatch, wrong).split("\n")
    assert first == "5 settings can't be used:"
    assert {line.partition(":")[0] for line in others} == set(wrong)


TEAM = (PROJECT / "docs/team.md").read_text(encoding="utf-8")


def test_a_team_s_page_names_every_setting_that_the_team_s_test_makes() -> None:
    code = ("tests/system/test_team.py", "tests/support/tracking.py", "tests/support/store.py")
    text = "\n".join((PROJECT / path).read_text(encoding="utf-8") for path in code)
    made = set(re.findall(r"\"((?:FOURCYCLE|AWS|MLFLOW)_[A-Z_]+)\"", text)) - {*LIGHT}
    own = {f"FOURCYCLE_{name.upper()}" for name in re.findall(r'"((?:log|serve)_[a-z]+)"', text)}
    assert len(made) > 8
    assert {name for name in made | own if f"`{name}`" not in TEAM} == set()


def test_a_team_s_page_names_no_setting_that_is_none() -> None:
    named = set(re.findall(r"FOURCYCLE_([A-Z_]+)", TEAM))
    # NAME_FILE names the file of a secret.
    assert {name.lower().removesuffix("_file") for name in named} <= {*Settings.model_fields}
