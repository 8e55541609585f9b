"""The command `fourcycle`: a list by cycles, the commands' own options, sentences, exit codes."""

import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("fourcycle")


def fourcycle(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it in the test's own folder, as from any folder."""
    return subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=False)


def test_help_lists_the_commands_by_the_four_cycles() -> None:
    done = fourcycle("--help")
    assert done.returncode == 0
    titles = ["Data cycle", "Model cycle", "Development cycle", "Operations cycle"]
    places = [done.stdout.index(title) for title in titles]
    assert places == sorted(places)
    assert places[0] < done.stdout.index("│ ingest ") < places[1]
    assert places[3] < done.stdout.index("│ serve ")


@pytest.mark.parametrize("name", ["history", "training-set", "training_set", "serve"])
def test_a_command_has_its_own_options(name: str) -> None:
    done = fourcycle(name, "--help")
    assert done.returncode == 0
    assert f"fourcycle {name}" in done.stdout
    assert "--use-case" in done.stdout


def test_a_misspelt_command_is_told_the_nearest_one() -> None:
    done = fourcycle("trian")
    assert done.returncode == 2
    assert "'train'" in done.stderr


@pytest.mark.parametrize("name", ["history", "serve", "monitor"])
def test_an_error_is_one_sentence_and_an_exit_code(name: str) -> None:
    done = fourcycle(name, "--use-case", "nowhere")
    assert done.returncode == 2
    assert done.stderr.startswith("No shipped use case 'nowhere'")
    assert len(done.stderr.splitlines()) == 1
