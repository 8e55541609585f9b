"""A store that is damaged, full, or lacks what was there: one sentence, exit code 3, at once."""

import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlflow import MlflowClient, MlflowException

from contract.errors import BadInput, FourcycleError
from contract.settings import read_settings
from pipelines.runtime import cli
from tracking.schema import schema_trouble
from tracking.store import connect
from tracking.trouble import store_trouble


def garbage(file: Path) -> None:
    file.write_bytes(b"\x07" * 5000)


def torn(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:200_000])


def overwritten(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:8192] + b"\xff" * (len(content) - 8192))


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


DAMAGES: dict[Callable[[Path], None], str] = {
    garbage: "is damaged or lies on a disk that fails (file is not a database); restore a backup",
    torn: "is damaged or lies on a disk that fails (database disk image is malformed); restore",
    overwritten: "is damaged or lies on a disk that fails (database disk image is malformed);",
    folder: "can't be opened (unable to open database file); see that it is a file",
}


def said(capsys: pytest.CaptureFixture[str], command: Callable[[], object], code: int = 3) -> str:
    """What a person reads of a command that ends with an exit code."""
    with pytest.raises(SystemExit) as ended:
        cli.execute(command)
    words = capsys.readouterr().err
    assert ended.value.code == code, words
    assert "\n" not in words.strip()
    return words


@pytest.mark.parametrize("spoil", DAMAGES, ids=lambda each: each.__name__)
def test_a_damaged_database_is_told_at_once(
    spoil: Callable[[Path], None],
    home: Path,
    empty_store: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copy(empty_store / "mlflow.db", home)
    spoil(home / "mlflow.db")
    assert DAMAGES[spoil] in said(capsys, lambda: connect(read_settings()))


@contextmanager
def no_room() -> Iterator[None]:
    """A disk that takes no byte of a database more: files may not grow beyond their first page."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture
def client(home: Path, empty_store: Path) -> MlflowClient:
    shutil.copy(empty_store / "mlflow.db", home)
    return connect(read_settings())


def test_a_disk_without_room_is_told(client: MlflowClient) -> None:
    with no_room(), pytest.raises(MlflowException) as failed:
        client.create_experiment("made")
    with pytest.raises(FourcycleError, match=r"\(disk I/O error\)"):
        raise store_trouble(failed.value) or failed.value
    assert client.get_experiment_by_name("made") is None
    client.create_experiment("made")  # with room it goes on


def of_a_deleted_experiment(client: MlflowClient) -> None:
    number = client.create_experiment("made")
    client.delete_experiment(number)
    client.create_run(number)


def of_a_deleted_run(client: MlflowClient) -> None:
    run_id = client.create_run("0").info.run_id
    client.delete_run(run_id)
    client.set_tag(run_id, "stage", "done")


def of_a_deleted_version(client: MlflowClient) -> None:
    client.create_registered_model("made")
    client.create_model_version("made", "file:///nowhere")
    client.delete_model_version("made", "1")
    client.set_model_version_tag("made", "1", "gate", "passed")


def of_a_deleted_model(client: MlflowClient) -> None:
    client.create_registered_model("made")
    client.delete_registered_model("made")
    client.set_registered_model_alias("made", "champion", "1")


DELETIONS: dict[Callable[[MlflowClient], None], str] = {
    of_a_deleted_experiment: "(The experiment 1 must be in the 'active' state",
    of_a_deleted_run: "must be in the 'active' state",
    of_a_deleted_version: "(Model Version (name=made, version=1) not found)",
    of_a_deleted_model: "(Registered Model with name=made not found)",
}


@pytest.mark.parametrize("work", DELETIONS, ids=lambda each: each.__name__)
def test_what_was_deleted_meanwhile_is_told(
    work: Callable[[MlflowClient], None],
    client: MlflowClient,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = " ".join(said(capsys, lambda: work(client)).split())
    assert words.startswith("MLflow does not have what the command works with (")
    assert DELETIONS[work] in words
    assert "run the command again" in words


# In PostgreSQL's own words, as its servers and standbys say them.
POSTGRESQL = {
    'could not extend file "base/16384/16397": No space left on device': "has no room left",
    "cannot execute INSERT in a read-only transaction": "takes no writes",
    "invalid page in block 7 of relation base/16384": "is damaged or lies on a disk that fails",
    "sorry, too many clients already": "takes no more connections",
}


@pytest.mark.parametrize("words", POSTGRESQL)
def test_the_words_of_a_server_s_database_are_understood(words: str) -> None:
    handed_on = MlflowException(f"(psycopg.errors.Any) {words}\n[SQL: INSERT INTO runs]")
    trouble = store_trouble(handed_on)
    assert trouble is not None
    assert f"MLflow's store {POSTGRESQL[words]} ({words}" in str(trouble)
    assert "INSERT INTO" not in str(trouble)


@pytest.mark.parametrize(
    "error",
    [
        BadInput("Run with id=7 not found"),
        ValueError("no space left on device"),
        MlflowException("Experiment(name=made) already exists."),
        MlflowException("Metric 'a' can't be logged."),
    ],
)
def test_other_errors_are_left_alone(error: Exception) -> None:
    assert store_trouble(error) is None


def test_of_other_refusals_nothing_is_said_about_the_schema() -> None:
    assert schema_trouble(MlflowException("Experiment(name=made) already exists.")) is None
