"""Secrets in files: taken where they are named or lie in the folder, and never shown."""

from pathlib import Path

import pytest

from contract.environment import take_secrets
from contract.errors import BadInput
from contract.settings import read_settings, secret_variables

NAME = "FOURCYCLE_LOG_SECRET"


def taken(**environment: str) -> tuple[dict[str, str], list[str]]:
    """The environment afterwards, and what was wrong."""
    return environment, take_secrets([NAME], environment)


def test_a_named_file_stands_for_its_variable_and_its_name_is_taken_out(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a long random text\n")
    assert taken(FOURCYCLE_LOG_SECRET_FILE=f"{tmp_path}/key") == (
        {NAME: "a long random text"},
        [],
    )


def test_a_folder_holds_what_has_no_value_yet_and_anything_else_beside(tmp_path: Path) -> None:
    for name in (NAME, "AWS_SECRET_ACCESS_KEY", "PGPASSWORD"):
        (tmp_path / name).write_text(f"of {name}")
    folder = {"FOURCYCLE_SECRETS": str(tmp_path)}
    after, troubles = taken(**folder, AWS_SECRET_ACCESS_KEY="given")
    assert after == folder | {NAME: f"of {NAME}", "AWS_SECRET_ACCESS_KEY": "given"}
    assert troubles == []


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({f"{NAME}_FILE": "{}/none"}, f"{NAME}: its file can't be read (No such file"),
        ({f"{NAME}_FILE": "{}/bytes"}, f"{NAME}: its file can't be read (it is no text)"),
        ({f"{NAME}_FILE": "{}/key", NAME: "hush"}, f"{NAME}: it is set and so is {NAME}_FILE"),
        ({"FOURCYCLE_SECRETS": "{}/none"}, "FOURCYCLE_SECRETS: '{}/none' is no folder"),
    ],
)
def test_what_is_wrong_is_one_sentence_of_the_settings(
    environment: dict[str, str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("hush")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for name, value in environment.items():
        monkeypatch.setenv(name, value.format(tmp_path))
    with pytest.raises(BadInput) as refused:
        read_settings()
    assert str(refused.value).startswith(said.format(tmp_path))
    assert "hush" not in str(refused.value)


def test_an_empty_file_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("")
    assert taken(FOURCYCLE_SECRETS=str(tmp_path))[0][NAME] == ""


def test_settings_read_each_secret_from_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = f"whsec_{'A' * 32}"
    for name in secret_variables():
        monkeypatch.setenv(name, "")  # undone after the test, whatever is set meanwhile
        (tmp_path / name).write_text(webhook)
    monkeypatch.setenv("FOURCYCLE_SECRETS", str(tmp_path))
    settings = read_settings()
    found = {name.removeprefix("FOURCYCLE_").lower() for name in secret_variables()}
    assert {getattr(settings, name).get_secret_value() for name in found} == {webhook}
