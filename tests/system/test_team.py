"""A team's set-up by settings alone: PostgreSQL, S3, sign-in, two people, two hosts, one loop.

docs/team.md is the page of it.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pandas as pd
import pyarrow.parquet as pq
import pytest

from contract.errors import Refused
from contract.names import TableName
from contract.settings import read_settings
from contract.store.ledger import read_entries
from contract.store.tables import Tables
from contract.use_case.loader import frozen
from contract.use_case.sections.release import Release
from pipelines import forget, main, maintain, promote, reproduce, retrain, rollback, score
from tests.conftest import deliver, made_rows
from tests.support import monitored as made
from tests.support.service import PATIENCE_S, Service, running, until
from tests.support.store import Store, running_store
from tests.support.stores import new_database
from tests.support.tracking import give_rights, sign_in, signed_in_server
from tests.support.turned import DAYS, FILE, N_ROWS, declared, watch

NAME = "made"
PEOPLE = ("ann", "bob", "host")
# A poll asks the server three times, and two hosts ask it all the while.
PACE = {"serve_poll_s": "1", "log_segment_s": "0.5", "ship_every_s": "0.5"}


def databases(postgresql: str) -> tuple[str, str]:
    """Two new databases of a server: one for the runs and one for the users."""
    return new_database(postgresql, "team"), new_database(postgresql, "people")


@pytest.fixture
def store(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """S3 for the tables and the artifacts, known to every process that is started here."""
    with running_store(home / "store", monkeypatch) as found:
        yield found


@pytest.fixture
def address(home: Path, store: Store, postgresql: str) -> Iterator[str]:
    """Of the tracking server, which alone speaks to PostgreSQL and to the bucket of artifacts."""
    runs, users = databases(postgresql)
    options = ["--workers", "4", "--artifacts-destination", "s3://tables/mlflow"]
    with signed_in_server(home, PEOPLE, runs, users, options) as found:
        yield found


@dataclass(frozen=True)
class Team:
    """People and hosts on one tracking server and one root of tables."""

    address: str
    root: str
    home: Path
    patch: pytest.MonkeyPatch

    @property
    def tables(self) -> Tables:
        return Tables(self.root, NAME)

    def now(self, user: str) -> None:
        """From here on this process is somebody's."""
        sign_in(self.patch, self.address, user)

    def let_in(self) -> None:
        """An admin lets ann approve, and the hosts read."""
        give_rights(self.address, "ann", NAME)
        give_rights(self.address, "host", NAME, "READ", "READ")

    def hosts(self, stack: ExitStack) -> list[Service]:
        """Two hosts with two workers each; spool and cache are their own."""
        self.now("host")
        found = []
        for name in ("host-1", "host-2"):
            folder = self.home / name
            folder.mkdir()
            own = {"root": self.root, "log_spool": str(folder / "spool"), "serve_workers": "2"}
            use_case = self.home / FILE
            found.append(stack.enter_context(running(use_case, self.address, folder, **own | PACE)))
        for host in found:
            until(host.all_ready)
        return found


@pytest.fixture
def team(home: Path, store: Store, address: str, monkeypatch: pytest.MonkeyPatch) -> Team:
    monkeypatch.setenv("FOURCYCLE_ROOT", store.root)
    monkeypatch.setenv("FOURCYCLE_STORE_WAIT_S", str(PATIENCE_S))
    own = declared(home)
    # How quick an answer is depends on what else the machine does, and is no part of this loop.
    gates = own.gates.model_copy(update={"max_latency_ms": PATIENCE_S * 1000})
    use_case = own.model_copy(update={"release": Release(approval="manual"), "gates": gates})
    (home / FILE).write_text(frozen(use_case), encoding="utf-8")
    deliver(home, made_rows())
    return Team(address, store.root, home, monkeypatch)


def day(number: int) -> pd.DataFrame:
    """Rows of a day whose labels turn out the other way round."""
    rows = made.rows(N_ROWS, number, DAYS[number - 1])
    return rows.assign(late=~rows["late"], moment=rows["moment"].map(pd.Timestamp.isoformat))


def ask(host: Service, rows: pd.DataFrame) -> None:
    """One request for all rows; each answer is logged."""
    body = rows[["id", "moment", *made.FEATURES]].to_dict("records")
    answer = httpx.post(f"{host.address}/predict", json={"rows": body}, timeout=PATIENCE_S)
    assert answer.status_code == httpx.codes.OK, answer.text
    assert answer.headers["X-Model-Version"] == "1"


def label(host: Service, rows: pd.DataFrame) -> None:
    """The labels, told to whichever host, by the keys of the rows."""
    body = rows[["id", "late"]].rename(columns={"late": "label"}).to_dict("records")
    answer = httpx.post(f"{host.address}/feedback", json={"rows": body}, timeout=PATIENCE_S)
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text


def shipped(tables: Tables, name: TableName, rows: pd.DataFrame) -> bool:
    """Whether each row stands in a table, once."""
    if not tables.exists(name):
        return False
    return sorted(tables.read(name, columns=["id"]).column("id").to_pylist()) == sorted(rows["id"])


def test_a_team_goes_once_round_the_loop(team: Team, capsys: pytest.CaptureFixture[str]) -> None:
    # Bob, who is no admin, trains what nobody has made before.
    team.now("bob")
    main.main(FILE)
    assert "waits for approval" in capsys.readouterr().err
    with pytest.raises(Refused, match="was trained by bob; another person must approve it"):
        promote.main(FILE, reason="looks good to me")
    team.let_in()
    team.now("ann")
    promote.main(FILE, reason="looks good")

    with ExitStack() as stack:
        hosts = team.hosts(stack)
        assert [host.version() for host in hosts] == ["1", "1"]
        days = [day(1), day(2)]
        for host, other, rows in zip(hosts, reversed(hosts), days, strict=True):
            ask(host, rows)
            label(other, rows)
        until(shipped, team.tables, "predictions", pd.concat(days))
        until(shipped, team.tables, "feedback", pd.concat(days))

        team.now("bob")
        use_case = declared(team.home)
        assert [watch(use_case, number).status for number in (1, 2)] == ["WATCH", "DRIFT"]
        retrain.main(FILE)
        assert "waits for approval" in capsys.readouterr().err
        team.now("ann")
        promote.main(FILE, reason="learned what has changed")
        for host in hosts:
            until(lambda host=host: host.version() == "2")
        rollback.main(FILE, reason="too many late alarms")
        for host in hosts:
            until(lambda host=host: host.version() == "1")

        team.now("bob")
        maintain.main(FILE)
        gone = int(days[0]["id"][0])
        forget.main(FILE, key=str(gone))
        left = pd.concat(days).query("id != @gone")
        assert shipped(team.tables, "predictions", left)
        reproduce.main(FILE)
        assert "bit-identical" in capsys.readouterr().err
        score.main(FILE, source="holdout", output="answers.parquet")
        assert pq.read_table("answers.parquet").num_rows == N_ROWS
    made_by = [(entry.move, entry.who, entry.proven) for entry in read_entries(team.tables)]
    moves = [("register", "bob"), ("promote", "ann")]
    assert made_by == [(*move, True) for move in (*moves, *moves, ("rollback", "ann"))]
    assert read_settings().root == team.root
    # Nothing of store, artifacts or tables was written beside the people.
    assert not (team.home / "mlruns").exists()
