"""The shell blocks of the documents, executed in a copy of the project with a small store.

A block that stands in no table below runs in `make test`; `make docs-check` runs the others, too.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from secrets import token_hex

import pytest
from deltalake import DeltaTable

from contract.store.sql import answer
from docs.site.places import PROJECT
from docs.site.tour import PAGES, answers
from pipelines.replaying.service_process import free_port, service
from tests.conftest import copy_world
from tests.support.documents import Block, keep_labels, shell_blocks, thin_out, train
from tests.support.newcomer import copied, start
from tests.support.receiver import Receiver, listening
from tests.system.test_readme import LINES

FULL = os.environ.get("FOURCYCLE_DOCS") == "full"
# Documents and first commands of blocks that `make docs-check` alone runs, and why.
LATER = {
    (
        "docs/batch.md",
        "fourcycle score --use-case flights --source holdout --target answers.parquet --log yes",
    ): "two times a minute's work, test_batch does what they do",
    ("docs/feedback.md", "python -m pipelines.feedback --use-case flights --source labels.csv"): (
        "three imports, test_feedback imports from each kind of source"
    ),
    (
        "docs/feedback.md",
        "python -m pipelines.lineage --use-case flights "
        "--prediction-id 0198b5f2-6a3c-7c1e-9d52-1f0a6f0c9b11-0",
    ): "needs a month of answers",
    ("docs/feedback.md", "python -m pipelines.maintain --use-case flights"): (
        "rewrites every table three times"
    ),
    (
        "docs/gate.md",
        "python -m benchmarks.gate --rows 500 --metrics roc_auc --simulations 100",
    ): "minutes",
    ("docs/monitoring.md", "make monitor"): "five reports, with a month of answers",
    ("docs/predictions.md", "python -m pipelines.maintain --use-case flights"): "half a minute",
    (
        "docs/observability.md",
        "FOURCYCLE_TRACE_URL=http://127.0.0.1:4318/v1/traces make serve",
    ): "test_spans sends them to a receiver",
    (
        "docs/releases.md",
        "mlflow run . --env-manager local -e rollback -P use_case=flights "
        '-P reason="too many late alarms"',
    ): "two rollbacks with their checks",
    (
        "docs/releases.md",
        "mlflow run . --env-manager local -e promote -P use_case=flights -P version=3 "
        '-P reason="checked the slices"',
    ): "two moves with their checks",
    (
        "docs/releases.md",
        "openssl genpkey -algorithm ed25519 -out sign.pem",
    ): "needs openssl; test_promote signs with keys of its own",
    ("docs/demo.md", "make demo EXIT=yes"): "minutes, test_replay tells a story",
    ("docs/replay.md", "make replay"): "minutes",
    ("docs/retraining.md", "python -m pipelines.retrain --use-case flights"): "five retrainings",
    ("docs/schedule.md", "python -m pipelines.schedule --use-case flights"): "runs all jobs",
    (
        "docs/scorer.md",
        "python -m pipelines.score --use-case penguins --source holdout --output answers.parquet",
    ): "trains another use case first; test_readme scores flights",
    ("docs/serving.md", "FOURCYCLE_SERVE_KEYS=keys.json make serve"): "test_readme starts it",
    ("docs/store.md", "fourcycle backup --target backups/monday"): (
        "five commands, test_backup and test_upgrade do what they do"
    ),
    ("CONTRIBUTING.md", "make lock"): "asks a package index for every package",
}
# Blocks that no copy can run by itself: what they need, what says whether it is there, and what
# takes away what they made.
ENGINES = {
    ("docs/compose.md", "make images"): (
        "a container engine",
        "docker info",
        "docker compose --env-file .env -f docker/compose.yaml down --volumes",
    ),
    (
        "docs/compose.md",
        "docker compose --env-file .env -f docker/compose.yaml -f docker/compose.secrets.yaml "
        "-f docker/compose.team.yaml up -d front",
    ): (
        "a container engine",
        "docker info",
        "docker compose --env-file .env -f docker/compose.yaml -f docker/compose.secrets.yaml "
        "-f docker/compose.team.yaml down --volumes",
    ),
    ("docs/beyond.md", "ray start --head --port=6379"): (
        "two machines of which HEAD is one, with Ray",
        'test -n "$HEAD" && ray --version',
        "ray stop",
    ),
    (
        "docs/beyond.md",
        "docker build -f docker/jobs.Dockerfile --build-arg EXTRAS=scale "
        "-t fourcycle-jobs:0.2.0-ray .",
    ): ("a container engine", "docker info", "docker image rm fourcycle-jobs:0.2.0-ray"),
    ("docs/beyond.md", "kubectl apply -k docker/kubernetes/ray"): (
        "a Kubernetes cluster",
        "kubectl cluster-info",
        "kubectl delete -k docker/kubernetes/ray",
    ),
    (
        "docs/schedule.md",
        "docker compose --env-file .env -f docker/compose.yaml up -d schedule",
    ): (
        "a container engine",
        "docker info",
        "docker compose --env-file .env -f docker/compose.yaml down --volumes",
    ),
    ("docs/kubernetes.md", "kubectl create namespace fourcycle-dev"): (
        "a Kubernetes cluster",
        "kubectl cluster-info",
        "kubectl delete namespace fourcycle-dev",
    ),
    (
        "docs/kubernetes.md",
        "kubectl -n fourcycle create secret generic fourcycle-jobs "
        "--from-file=FOURCYCLE_SIGN_KEY=sign.pem \\\n  --from-literal=FOURCYCLE_LOG_SECRET=... "
        "--from-literal=FOURCYCLE_ALERT_SLACK_URL=...",
    ): (
        "a Kubernetes cluster",
        "kubectl cluster-info",
        "kubectl -n fourcycle delete secret fourcycle-jobs",
    ),
}
# Their blocks need what is installed apart: tests/scale runs them, but for those of ENGINES.
SCALE = {"docs/beyond.md"}
# Blocks whose commands are alternatives: each begins with the store as it was.
ALTERNATIVES = {
    ("docs/feedback.md", "python -m pipelines.maintain --use-case flights"),
    *(
        key
        for key in LATER
        if key[0] in ("docs/releases.md", "docs/replay.md", "docs/retraining.md")
    ),
}
# Their blocks build upon each other: tests/docs/test_tour.py walks them.
TUTORIALS = {str(page.relative_to(PROJECT)) for page in PAGES}
# A block that changes the copy itself: the next make would install what it resolved.
APART = {("CONTRIBUTING.md", "make lock")}
# What runs until it is stopped, and the path that says it is well; "": it only has to live.
SERVERS = {
    "FOURCYCLE_SERVE_KEYS=keys.json make serve": "/ping",
    "FOURCYCLE_TRACE_URL=http://127.0.0.1:4318/v1/traces make serve": "/ping",
    "python -m pipelines.schedule --use-case flights": "/health",
    "python -m serving.shipper --name flights": "",
}
# Commands that may also answer no.
MAY_SAY_NO = {"python -m monitoring --fail-on drift"}
ID = "0198b5f2-6a3c-7c1e-9d52-1f0a6f0c9b11-0"  # stands for an answer that a reader was given
PATIENCE_S = 1800 if FULL else 300
LIVES_S = 5  # a server that fails has ended by then
BLOCKS = shell_blocks()


def by_readme(block: Block) -> bool:
    """Whether test_readme runs it, or says why not."""
    return all(command in LINES for command in block.commands)


def due(block: Block) -> bool:
    """Whether this run executes a block."""
    if block.document in TUTORIALS | SCALE or block.key in ENGINES or by_readme(block):
        return False
    return FULL or block.key not in LATER


class Desk:
    """Where commands are typed: a copy of the project, a store, and what answers beside it."""

    def __init__(self, folder: Path, slack: str) -> None:
        self.folder, self.example = folder, ID
        self.given = {"FOURCYCLE_ALERT_SLACK_URL": slack, "CURL_HOME": str(folder)}
        self.given["OPS_DATABASE"] = f"sqlite:///{folder}/ops.db"
        (folder / ".curlrc").write_text("fail-with-body\n")

    def complaint(self, command: str, **given: str) -> str:
        """Run a command; what it said if it failed, "" where it did what it should."""
        if command in SERVERS:
            return self._served(command)
        typed = command.replace(ID, self.example)
        process = start(self.folder, typed, self.given | given)
        try:
            said, _ = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return f"it did not end within {PATIENCE_S} s: {process.communicate()[0][-2000:]}"
        fine = {0, 1} if command in MAY_SAY_NO else {0}
        return "" if process.returncode in fine else f"{process.returncode}: {said[-2000:]}"

    def alone(self, command: str, store: Path) -> str:
        """The same with a store of its own, as the desk's is now."""
        store.mkdir()
        copy_world(self.folder, store)
        return self.complaint(command, MLFLOW_TRACKING_URI=f"sqlite:///{store}/mlflow.db")

    def apart(self, command: str, folder: Path) -> str:
        """The same in a copy of the project that nothing else uses."""
        self.folder, here = copied(folder), self.folder
        try:
            return self.complaint(command)
        finally:
            self.folder = here

    @contextmanager
    def answering(self) -> Iterator[None]:
        """The service, at the address that documents name."""
        port = free_port()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            with service("flights", "", port):
                to = f'connect-to = "localhost:8080:127.0.0.1:{port}"\n'
                (self.folder / ".curlrc").write_text(f"fail-with-body\n{to}")
                yield

    def _served(self, command: str) -> str:
        port = str(free_port())
        ports = {"FOURCYCLE_SERVE_PORT": port, "FOURCYCLE_SCHEDULE_PORT": port}
        process = start(self.folder, command, self.given | ports)
        try:
            if not (path := SERVERS[command]):
                time.sleep(LIVES_S)
            elif not answers(f"http://127.0.0.1:{port}{path}"):
                return f"{path} never answered 200"
            if process.poll() is not None:
                return f"it ended by itself with exit code {process.returncode}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            said, _ = process.communicate(timeout=60)
        return "" if "Traceback" not in said else said[-2000:]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = copied(tmp_path_factory.mktemp("docs") / "fourcycle")
    rows = thin_out(folder)
    train(folder, live=2 if FULL else 1)
    keep_labels(folder, rows)
    with listening(Receiver()) as slack:
        found = Desk(folder, slack.url)
        assert found.complaint("git init --quiet") == ""
        if FULL:
            assert found.complaint("python -m pipelines.main --use-case penguins") == ""
            assert found.complaint("python -m pipelines.turn --use-case flights") == ""
            found.example = an_answer(folder)
        yield found


def an_answer(folder: Path) -> str:
    table = DeltaTable(folder / "data" / "flights" / "predictions")
    found = answer(
        "SELECT min(prediction_id) AS id FROM t WHERE flight_id IS NOT NULL", {"t": table}
    )
    return str(found.column("id")[0].as_py())


# In full a test for each document; else one, so that no two workers make the store.
DOCUMENTS = list(dict.fromkeys(block.document for block in BLOCKS if due(block)))


@pytest.mark.parametrize(
    "documents",
    [(d,) for d in DOCUMENTS] if FULL else [DOCUMENTS],
    ids=lambda d: d[0] if FULL else "all",
)
def test_every_block_runs(desk: Desk, tmp_path: Path, documents: Sequence[str]) -> None:
    blocks = [block for block in BLOCKS if block.document in documents and due(block)]
    asked = [(block, command) for block in blocks for command in block.commands]
    asked.sort(key=lambda pair: "localhost:8080" not in pair[1])  # one service answers them all
    failed: dict[str, str] = {}
    with ExitStack() as service_of:
        if "localhost:8080" in asked[0][1]:
            service_of.enter_context(desk.answering())
        for number, (block, command) in enumerate(asked):
            if "localhost:8080" not in command:
                service_of.close()
            if said := run(desk, block, command, tmp_path / f"{number}"):
                failed[f"{block.document}: {command}"] = said
    assert not failed, "\n\n".join(f"{command}\n{said}" for command, said in failed.items())


def run(desk: Desk, block: Block, command: str, folder: Path) -> str:
    """What a command of a block complains of; the folder is empty."""
    if block.key in ALTERNATIVES:
        return desk.alone(command, folder)
    return desk.apart(command, folder) if block.key in APART else desk.complaint(command)


@pytest.mark.skipif(not FULL, reason="make docs-check looks for engines")
@pytest.mark.parametrize("block", [b for b in BLOCKS if b.key in ENGINES], ids=lambda b: b.document)
def test_a_block_that_needs_an_engine_runs_where_it_is(block: Block, tmp_path: Path) -> None:
    what, probe, undo = ENGINES[block.key]
    folder = copied(tmp_path / "fourcycle")
    if typed(folder, probe)[0]:
        pytest.skip(f"needs {what}, here is none: {block.commands[0].splitlines()[0]}")
    if os.environ.get("FOURCYCLE_DOCS_ENGINES") != "yes":
        pytest.skip(f"would change {what}; FOURCYCLE_DOCS_ENGINES=yes lets it")
    example, secret = (folder / ".env.example").read_text(), "POSTGRES_PASSWORD="
    (folder / ".env").write_text(example.replace(secret, f"{secret}{token_hex()}"))
    try:
        said = [typed(folder, command) for command in block.commands]
    finally:
        typed(folder, undo)
    assert not [words for code, words in said if code]


def typed(folder: Path, command: str) -> tuple[int, str]:
    """Exit code of a command, and what it said."""
    with start(folder, command) as process:
        words, _ = process.communicate(timeout=PATIENCE_S)
    return process.returncode, words


def test_the_tables_name_blocks_and_commands_that_stand_there() -> None:
    keys = {block.key for block in BLOCKS}
    assert {*LATER, *ENGINES, *ALTERNATIVES, *APART} <= keys
    said = {command for block in BLOCKS for command in block.commands}
    assert {*SERVERS, *MAY_SAY_NO} <= said
    assert any(ID in command for command in said)
