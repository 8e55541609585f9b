"""Two things go wrong at once under load: afterwards each acknowledged answer is there, once.

One service over an S3 store, its spool on a small disk, its clock in our hands. Each pair is a test
of its own, so a report names the two; FOURCYCLE_FAULT_SEED draws other pairs.
"""

import itertools
import os
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from deltalake.exceptions import DeltaError
from mlflow import MlflowException

from contract.errors import FourcycleError
from contract.names import SCORER_DIR
from contract.settings import read_settings
from contract.store.ledger import read_entries, state_after
from contract.store.tables import Tables
from contract.use_case.loader import load_use_case
from pipelines.forget import forget
from pipelines.maintain import maintain
from pipelines.runtime.workspace import Workspace, connected
from serving.scoring.scorer import GRAPH_FILE
from tests.support.clocks import JumpingClock
from tests.support.disks import fill, small_disk
from tests.support.rounds import FULL
from tests.support.service import Load, Service, load, running, until
from tests.support.shop import BODY, Case, Shop
from tests.support.small import SMALL, client_of, register
from tests.support.store import Store, running_store
from tests.support.versions import make, now

# Read once, since each test cleans the environment of our settings.
SEED = int(os.environ.get("FOURCYCLE_FAULT_SEED", "15"))
PAIRS = 40
LASTS_S = 3  # what is away, full or wrong stays so for that long
SUBJECT = 7
ITS_BODY = {"rows": [{"id": SUBJECT, "size": 0}]}
# How a job says that what it needs is away; anything else fails the test.
AWAY = (FourcycleError, MlflowException, DeltaError, OSError)


@dataclass
class World:
    """What can be broken, and a number for each new version."""

    case: Case
    service: Service
    store: Store
    disk: Path
    clock: JumpingClock
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def workspace(self) -> Workspace:
        """As a job on another host has it, whose clock is right."""
        settings = read_settings().model_copy(
            update={"tracking_uri": self.case.shop.uri, "root": self.store.root}
        )
        return connected(load_use_case(str(self.case.use_case)), settings, "releases")

    def champion(self) -> str:
        """The version that the ledger says is live."""
        return state_after(read_entries(self.service.tables)).champion


def killed(parts: list[psutil.Process]) -> None:
    for process in parts:
        process.kill()
        process.wait(10)


def worker_killed(world: World) -> None:
    killed([world.chance.choice(world.service.parts("serving.worker"))])


def shipper_killed(world: World) -> None:
    killed(world.service.parts("serving.shipper"))


def spool_disk_full(world: World) -> None:
    filler = fill(world.disk)
    time.sleep(LASTS_S)
    filler.unlink()


def store_away(world: World) -> None:
    world.store.kill()
    time.sleep(LASTS_S)
    world.store.start()


def tracking_away(world: World) -> None:
    """The database answers nobody."""
    database = sqlite3.connect(world.case.shop.folder / "mlflow.db", timeout=60)
    database.execute("BEGIN EXCLUSIVE")
    time.sleep(LASTS_S)
    database.rollback()
    database.close()


def jumped(world: World, seconds: int) -> None:
    world.clock.jump(seconds)
    time.sleep(LASTS_S)
    world.clock.jump(0)


def clock_an_hour_back(world: World) -> None:
    jumped(world, -3600)


def clock_a_day_ahead(world: World) -> None:
    jumped(world, 86_400)


def cached_package_damaged(world: World) -> None:
    """Bytes of the scorer that answers now are others, as after a fault of the disk."""
    known = world.service.known().champion
    assert known
    graph = world.service.cache.version_folder(known.digest) / SCORER_DIR / GRAPH_FILE
    content = graph.read_bytes()
    graph.write_bytes(content[:100] + bytes(100) + content[200:])


def a_promotion(world: World) -> None:
    workspace = world.workspace()
    version = world.case.registry.add(world.case.package(next(world.numbers)))
    make(workspace, "register", version)
    make(workspace, "promote", version)


def a_rollback(world: World) -> None:
    workspace = world.workspace()
    state = now(workspace)
    if state.previous:
        make(workspace, "rollback", state.previous)


def a_forgetting(world: World) -> None:
    forget(world.workspace(), str(SUBJECT))


def a_maintaining(world: World) -> None:
    maintain(world.workspace(), timedelta(days=1))


FAULTS: tuple[Callable[[World], None], ...] = (
    worker_killed,
    shipper_killed,
    spool_disk_full,
    store_away,
    tracking_away,
    clock_an_hour_back,
    clock_a_day_ahead,
    cached_package_damaged,
    a_promotion,
    a_rollback,
    a_forgetting,
    a_maintaining,
)
JOBS = (a_promotion, a_rollback, a_forgetting, a_maintaining)
Pair = tuple[Callable[[World], None], Callable[[World], None]]


def drawn() -> list[Pair]:
    """Pairs by the seed, no pair twice."""
    return random.Random(SEED).sample(list(itertools.combinations(FAULTS, 2)), PAIRS)


@pytest.fixture(scope="module")
def world(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A use case of this module's own, its first version live and served."""
    home = tmp_path_factory.mktemp("pairs")
    own = Shop(home, shop.models)
    (home / "mlflow.db").write_bytes((shop.folder / "mlflow.db").read_bytes())
    use_case = home / "pairs.yaml"
    use_case.write_text(SMALL.replace("name: small", "name: pairs"), encoding="utf-8")
    clock = JumpingClock(home)
    with (
        pytest.MonkeyPatch.context() as patch,
        running_store(home / "store", patch) as store,
        small_disk(home / "disk", 8) as disk,
    ):
        registry = register(client_of(home), "pairs", home)
        registry = replace(registry, tables=Tables(store.root, "pairs"))
        case = Case(own, home, registry, use_case)
        settings = {
            "root": store.root,
            "log_spool": str(disk),
            "serve_workers": "2",
            "log_segment_s": "0.3",
            "ship_every_s": "0.3",
        }
        before = ["env", *(f"{name}={value}" for name, value in clock.environment.items())]
        # The first version is live before anything is served.
        first = World(case, None, store, disk, clock)  # type: ignore[arg-type]
        a_promotion(first)
        case.warm()
        with running(use_case, own.uri, home, before, **settings) as service:
            world = World(case, service, store, disk, clock)
            world.numbers = first.numbers
            until(answers_as_the_ledger_says, world)
            yield world


def answers_as_the_ledger_says(world: World) -> bool:
    """False too while a store that has just come back answers with errors."""
    try:
        return world.service.ready() and world.service.version() == world.champion()
    except AWAY:
        return False


def tried(fault: Callable[[World], None], world: World) -> bool:
    """Whether a fault happened, or a job was done; False where what it needs was away."""
    try:
        fault(world)
    except AWAY:
        if fault not in JOBS:
            raise
        return False
    return True


def logged(service: Service) -> Counter[str]:
    """How often each prediction id stands in the table."""
    if not service.tables.exists("predictions"):
        return Counter()
    rows = service.tables.read("predictions", columns=["prediction_id"])
    return Counter(rows.column("prediction_id").to_pylist())


def assert_kept(service: Service, plain: Load, told: list[str], not_logged: list[str]) -> None:
    """Every acknowledged answer is in the table once; one that was not logged is not."""
    assert plain.told
    assert plain.statuses.keys() <= {200, 503}
    until(lambda: not set(told) - logged(service).keys())
    counts = logged(service)
    assert [i for i, n in counts.items() if n > 1] == []
    assert [i for i in not_logged if i in counts] == []


@pytest.mark.skipif(not FULL, reason="make faults: each pair takes seconds")
@pytest.mark.parametrize(
    "pair", drawn(), ids=[f"seed {SEED}: {a.__name__} and {b.__name__}" for a, b in drawn()]
)
def test_two_faults_at_once(world: World, pair: Pair) -> None:
    service = world.service
    with (
        load(service.address, BODY, clients=2) as plain,
        load(service.address, ITS_BODY, clients=1, pause_s=0.1) as its,
    ):
        time.sleep(0.5)
        with ThreadPoolExecutor(2) as at_once:
            done = list(at_once.map(lambda fault: tried(fault, world), pair))
        again = [fault for fault, was_done in zip(pair, done, strict=True) if not was_done]
        for fault in again:  # what was away is back: the same command goes through
            fault(world)
        until(answers_as_the_ledger_says, world)
        time.sleep(0.5)
    forgets = a_forgetting in pair
    told = plain.told if forgets else [*plain.told, *its.told]
    assert_kept(service, plain, told, [*plain.not_logged, *its.not_logged])
    if forgets:
        until(lambda: spool_is_empty(service))
        a_forgetting(world)
        assert not service.tables.read("predictions", where=f"id = {SUBJECT}").num_rows


def spool_is_empty(service: Service) -> bool:
    return not [p for p in service.spool.iterdir() if p.suffix in (".open", ".segment")]
