"""Feedback over a real service: whatever comes, and whatever dies, each label is kept once."""

import itertools
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from contract.store.labels import label_tables, labels_sql, pending
from contract.store.tables import Tables
from contract.use_case.loader import load_use_case
from pipelines.main import Outcome
from serving.shipper import shippers
from tests.support.answers import answer, spooled
from tests.support.rounds import rounds
from tests.support.service import Service, until
from tests.support.traffic import BODY, ROW, service

Trained = tuple[Path, Outcome]
UNKNOWN = "0198b5f2-6a3c-7c1e-9d52-1f0a6f0c9b11-0"
KEYS = ["penguin"]
AT_ONCE = 1000
CALLERS = 32


@pytest.fixture(scope="module")
def served(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service with two workers for all rows of the table of faults."""
    with service(trained[0], tmp_path_factory.mktemp("served"), serve_workers="2") as running:
        yield running


def say(service: Service, **said: Any) -> httpx.Response:
    return httpx.post(f"{service.address}/feedback", json=said, timeout=30)


def ask(service: Service) -> str:
    """The id of a fresh prediction."""
    told = httpx.post(f"{service.address}/predict", json=BODY, timeout=30)
    prediction_id: str = told.json()["predictions"][0]["prediction_id"]
    return prediction_id


def label_of(service: Service, prediction_id: str) -> tuple[int, str] | None:
    """Revision and label that count, once they are there."""
    if not (service.tables.exists("predictions") and service.tables.exists("feedback")):
        return None
    sql = labels_sql(KEYS, f"p.prediction_id = '{prediction_id}'")
    rows = service.tables.query(sql, **label_tables(service.tables)).to_pylist()
    assert len(rows) <= 1
    return (rows[0]["revision"], rows[0]["label"]) if rows else None


def statements(tables: Tables, prediction_id: str) -> int:
    if not tables.exists("feedback"):
        return 0
    rows = tables.read("feedback", where=f"prediction_id = '{prediction_id}'")
    return int(rows.num_rows)


def is_labelled(service: Service, prediction_id: str, revision: int, label: str) -> bool:
    return label_of(service, prediction_id) == (revision, label)


def test_an_unknown_id_is_accepted_and_reported_after_the_deadline(served: Service) -> None:
    assert say(served, prediction_id=UNKNOWN, label="Gentoo").status_code == 202
    until(statements, served.tables, UNKNOWN)
    now = datetime.now(UTC)
    assert pending(served.tables, KEYS, now - timedelta(hours=1)).overdue == 0
    assert pending(served.tables, KEYS, now + timedelta(seconds=1)).overdue >= 1


def test_a_repeated_label_is_one_and_a_contradiction_is_its_revision(served: Service) -> None:
    name = ask(served)
    for _ in range(5):
        assert say(served, prediction_id=name, label="Gentoo").status_code == 202
    until(lambda: statements(served.tables, name) == 5)
    until(is_labelled, served, name, 1, "Gentoo")
    assert say(served, prediction_id=name, label="Adelie").status_code == 202
    until(is_labelled, served, name, 2, "Adelie")


def test_a_label_before_its_prediction_is_shipped_joins_it(served: Service) -> None:
    """The label is in its table while the prediction still waits for its shipper."""
    (shipper,) = served.parts("serving.shipper")
    shipper.suspend()
    try:
        name = ask(served)
        assert say(served, prediction_id=name, label="Chinstrap").status_code == 202
        until(lambda: list(served.spool.glob("*.segment")))
        assert label_of(served, name) is None
    finally:
        shipper.resume()
    until(is_labelled, served, name, 1, "Chinstrap")


def test_a_label_thirty_days_late_joins_its_prediction(served: Service) -> None:
    """A worker of that time left the prediction; the label is posted now."""
    use_case, then = load_use_case("penguins"), datetime.now(UTC) - timedelta(days=30)
    old = answer(
        use_case,
        str(uuid.uuid4()),
        features={name: [ROW[name]] for name in use_case.features},
        keys={"penguin": [None]},
        event_time=[then],
        logged_time=then,
        prediction=["Gentoo"],
        probability=[[0.0, 0.0, 1.0]],
        flags=[[]],
    )
    spooled(served.spool, use_case, [old])
    (name,) = old.prediction_ids
    assert say(served, prediction_id=name, label="Adelie").status_code == 202
    until(is_labelled, served, name, 1, "Adelie")
    where = f"prediction_id = '{name}'"
    (row,) = served.tables.read("predictions", where=where).to_pylist()
    (label,) = served.tables.read("feedback", where=where).to_pylist()
    assert label["label_time"] - row["logged_time"] >= timedelta(days=30)


def test_a_wrong_type_is_refused_and_leaves_nothing(served: Service) -> None:
    name = ask(served)
    assert say(served, prediction_id=name, label=3).status_code == 422
    assert say(served, prediction_id=name, label="Gentoo").status_code == 202
    until(is_labelled, served, name, 1, "Gentoo")
    assert statements(served.tables, name) == 1


def test_a_thousand_at_once_are_one_label(served: Service) -> None:
    name = ask(served)
    # All are kept: the pool may close one that is too many while another thread reads from it.
    kept = httpx.Limits(max_connections=CALLERS, max_keepalive_connections=CALLERS)
    with (
        httpx.Client(base_url=served.address, timeout=60, limits=kept) as client,
        ThreadPoolExecutor(CALLERS) as clients,
    ):
        said = {"prediction_id": name, "label": "Gentoo"}

        def post(_: int) -> int:
            while (status := client.post("/feedback", json=said).status_code) == 503:
                time.sleep(0.05)  # as Retry-After asks, only sooner
            return status

        assert set(clients.map(post, range(AT_ONCE))) == {202}
        batch = {"rows": [{"prediction_id": name, "label": "Gentoo"}] * AT_ONCE}
        assert client.post("/feedback", json=batch).status_code == 202
    until(lambda: statements(served.tables, name) == 2 * AT_ONCE)
    assert label_of(served, name) == (1, "Gentoo")


@dataclass
class Callers:
    """Clients that send labels all the time, each with a key of its own, and remember the 202s."""

    address: str
    told: list[int] = field(default_factory=list)
    cut: int = 0
    numbers: Iterator[int] = field(default_factory=itertools.count)
    stop: threading.Event = field(default_factory=threading.Event)

    def send_on(self) -> None:
        with httpx.Client(base_url=self.address, timeout=30) as client:
            while not self.stop.is_set():
                number = next(self.numbers)
                try:
                    said = {"penguin": number, "label": "Gentoo"}
                    status = client.post("/feedback", json=said).status_code
                except httpx.TransportError:
                    self.cut += 1
                    time.sleep(0.02)
                    continue
                if status == httpx.codes.ACCEPTED:
                    self.told.append(number)


def test_workers_and_shippers_killed_while_labels_come(trained: Trained, home: Path) -> None:
    chance = random.Random(0)
    with service(trained[0], home, serve_workers="2") as running:
        callers = Callers(running.address)
        threads = [threading.Thread(target=callers.send_on) for _ in range(4)]
        for thread in threads:
            thread.start()
        for turn in range(rounds(4, 50)):
            time.sleep(chance.uniform(0.3, 1.0))
            module = "serving.shipper" if turn % 2 else "serving.worker"
            for part in running.parts(module)[:1]:
                part.kill()
        callers.stop.set()
        for thread in threads:
            thread.join()
        running.stop()
    # The shipper that was killed last may not have been there for the end.
    assert [shipper.attempt() for shipper in shippers(running.spool, running.tables)] == ["", ""]
    counts = Counter(running.tables.read("feedback").column("penguin").to_pylist())
    assert callers.told
    assert [number for number in callers.told if counts[number] != 1] == []
    assert [number for number, n in counts.items() if n > 1] == []
