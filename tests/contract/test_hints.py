"""Commands to type next: as short as this person's shell takes them, and always such that work."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from contract.hints import typed, written
from contract.settings import read_settings
from tests.support.project import PROJECT

OURS = Path(sys.prefix)


def test_in_an_active_environment_the_name_alone_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", str(OURS))
    assert typed("history", "flights") == "fourcycle history --use-case flights"
    assert typed("serve", "my tables/a.yaml") == "fourcycle serve --use-case 'my tables/a.yaml'"


def test_what_is_read_elsewhere_names_no_place_of_this_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.setenv("MAKELEVEL", "1")
    said = written("promote", "my tables/a.yaml", version="3", reason="it's well")
    words = ["fourcycle", "promote", "--use-case", "my tables/a.yaml", "--version", "3"]
    assert shlex.split(said) == [*words, "--reason", "it's well"]


def test_after_make_it_is_the_path_in_the_project(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.setenv("MAKELEVEL", "1")  # make has put the environment on the PATH, for itself
    assert typed("ui") == f"{shlex.quote(f'{OURS}/bin/fourcycle')} ui"
    (home / ".venv").symlink_to(OURS)
    assert typed("ui") == ".venv/bin/fourcycle ui"
    command = [*typed("history").split(), "--help"]
    assert b"--use-case" in subprocess.run(command, capture_output=True, check=True).stdout


def test_ctrl_c_while_libraries_are_imported_is_one_line() -> None:
    code = "import {}; raise KeyboardInterrupt"
    for package in ("pipelines", "serving", "monitoring"):
        command = [sys.executable, "-c", code.format(package)]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
        assert (done.stderr, done.returncode != 0) == ("Stopped.\n", True)


def test_links_lead_to_where_the_interface_is(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings().ui_address == "http://127.0.0.1:5000"
    (home / ".ui").write_text("http://127.0.0.1:5077")  # as `ui` does while it runs
    assert read_settings().ui_address == "http://127.0.0.1:5077"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ann:secret@mlflow.example.org/")
    assert read_settings().ui_address == "https://mlflow.example.org"
    monkeypatch.setenv("FOURCYCLE_UI_URL", "https://models.example.org/")
    assert read_settings().ui_address == "https://models.example.org"
