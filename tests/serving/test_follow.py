"""A small package in a real registry: followed, refused when it is changed, and logged."""

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import mlflow
import psutil
import pytest
from mlflow import MlflowClient
from skops.io import dump

from contract.errors import BadInput, Refused
from contract.names import CHALLENGER, CHAMPION, SCORER_DIR, USE_CASE_FILE
from contract.package import MANIFEST_FILE
from contract.settings import Settings
from contract.store.ledger import ShownRegistry
from contract.store.tables import Tables
from pipelines.package import seal
from serving.__main__ import bind, main
from serving.check import Check, CheckAhead, check_apart
from serving.check import main as check
from serving.endpoints.context import WorkerContext
from serving.follower import Follower, pointer_reader
from serving.http.app import create_app
from serving.http.gateway import Gateway
from serving.log.log import open_feedback_log, open_log
from serving.requests.api_keys import Keys
from serving.scoring.cache import Announcement, Cache
from serving.scoring.champion import CurrentVersion
from serving.scoring.pointer import LedgerReader, Pointer, by_alias
from serving.scoring.scorer import GRAPH_FILE, SCORER_FILE
from serving.scoring.version import GOLDEN_FILE, check_golden, load_version
from serving.shipping.shipper import Shipper
from serving.telemetry.access_log import AccessLog
from serving.telemetry.board import Board
from serving.telemetry.metrics import SHARED, Metrics
from tests.support.keys import key_pair
from tests.support.project import PROJECT
from tests.support.running import running
from tests.support.small import SMALL, Registry, check_here, client_of, pack, register, save_model
from tracking.tags import PACKAGE_TAG, SIGNATURE_TAG

ARRIVAL = datetime(2024, 5, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one migrated registry and one saved model; both take seconds."""
    folder = tmp_path_factory.mktemp("store")
    client_of(folder).search_registered_models()
    save_model(folder / "model")
    return folder


@pytest.fixture
def model(store: Path) -> Path:
    return store / "model"


@pytest.fixture
def registry(store: Path, home: Path) -> Registry:
    return register(client_of(store), home.name, home)


@pytest.fixture
def cache(home: Path) -> Cache:
    return Cache(home / "cache")


def follower_of(
    registry: Registry, cache: Cache, shadow: bool = False, check: Check = check_here
) -> Follower:
    point = LedgerReader(registry.tables, registry.name)
    return Follower(lambda: registry.client, cache, registry.name, point, shadow, check)


def champion_of(announced: Announcement) -> str | None:
    return announced.champion.version if announced.champion else None


def test_a_champion_that_appears_moves_or_comes_back_is_announced(
    registry: Registry, cache: Cache, model: Path, home: Path
) -> None:
    follower = follower_of(registry, cache)
    assert champion_of(follower.look()) is None
    versions = [
        registry.promote(pack(model, home / "one")),
        registry.promote(pack(model, home / "two")),
    ]
    assert champion_of(follower.look()) == versions[1]
    registry.move(versions[0], "rollback")
    announced = follower.look()
    assert champion_of(announced) == versions[0]
    assert announced.previous
    assert announced.previous.version == versions[1]
    assert announced == cache.read()
    assert announced.trouble == ""


def test_only_versions_that_may_be_asked_for_stay_in_the_cache(
    registry: Registry, cache: Cache, model: Path, home: Path
) -> None:
    follower = follower_of(registry, cache)
    for name in ("one", "two", "three"):
        registry.promote(pack(model, home / name, SMALL + f"owner: {name}\n"))
        announced = follower.look()
    assert announced.champion
    assert announced.previous
    (cache.folder / "versions" / "left-over").mkdir()
    cache.doubt("left-over")
    cache.doubt(announced.champion.digest)
    follower.look()
    assert not cache.doubted("left-over")
    kept = {folder.name for folder in (cache.folder / "versions").iterdir()}
    assert kept == {announced.champion.digest, announced.previous.digest}


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("model.skops", b"PK", "differing: model.skops"),
        ("stranger/manifest.json", b"{}", "differing: stranger/manifest.json"),
        ("manifest.json", b"[]", "not the one that was registered"),
        ("manifest.json", b"{", "not the one that was registered"),
    ],
)
def test_a_changed_package_is_refused_once_and_the_old_version_stays(
    registry: Registry,
    cache: Cache,
    model: Path,
    home: Path,
    caplog: pytest.LogCaptureFixture,
    file: str,
    content: bytes,
    said: str,
) -> None:
    follower = follower_of(registry, cache)
    good = registry.promote(pack(model, home / "good"))
    follower.look()
    bad = registry.promote(pack(model, home / "bad", SMALL + "owner: another\n"))
    (home / "bad" / file).parent.mkdir(exist_ok=True)
    (home / "bad" / file).write_bytes(content)
    caplog.clear()
    follower.look()
    announced = follower_of(registry, cache).look()  # another process remembers
    assert champion_of(announced) == good
    assert [(r.version, said in r.reason) for r in announced.refused] == [(bad, True)]
    assert announced.trouble.endswith(f"version {good} serves on.")
    assert said in caplog.records[0].getMessage()


def other_classes(package: Path) -> str:
    """Other answers, golden rows that agree with them, and a manifest of all that."""
    for name in (SCORER_FILE, GOLDEN_FILE):
        file = package / SCORER_DIR / name
        swapped = file.read_text().replace('"a"', '"?"').replace('"b"', '"a"').replace('"?"', '"b"')
        file.write_text(swapped)
    return seal(package)


@pytest.mark.parametrize("alias", [CHAMPION, CHALLENGER])
def test_a_package_that_was_sealed_anew_is_refused_for_the_registry_knows_its_digest(
    registry: Registry, cache: Cache, model: Path, home: Path, alias: str
) -> None:
    good = registry.promote(pack(model, home / "good"))
    follower = follower_of(registry, cache, shadow=True)
    follower.look()
    bad = registry.add(pack(model, home / "bad", SMALL + "owner: another\n"))
    other_classes(home / "bad")
    check_golden(load_version(home / "bad", "small", bad))  # it agrees with itself
    registry.move(bad) if alias == CHAMPION else registry.point(bad, alias)
    announced = follower.look()
    assert (champion_of(announced), announced.challenger) == (good, None)
    (refusal,) = announced.refused
    assert refusal.version == bad
    assert "Its package is not the one that was registered: found" in refusal.reason
    follower_of(registry, cache, shadow=True).look()
    current = CurrentVersion(cache, registry.name, 60)
    current.refresh()
    assert (current.served() is not None, len(current.status().refused)) == (True, 1)


@pytest.mark.parametrize("said", ["", "../../elsewhere"])
def test_a_version_that_was_registered_without_a_digest_is_refused(
    registry: Registry, cache: Cache, model: Path, home: Path, said: str
) -> None:
    tags = {PACKAGE_TAG: said} if said else {}
    package = pack(model, home / "one")
    version = registry.client.create_model_version(registry.name, str(package), tags=tags).version
    registry.move(str(version))
    announced = follower_of(registry, cache).look()
    assert champion_of(announced) is None
    assert "without its digest, the tag package_digest" in announced.trouble
    assert not (cache.folder / "versions").exists()


def test_a_package_with_an_unreadable_use_case_is_refused(
    registry: Registry, cache: Cache, model: Path, home: Path
) -> None:
    registry.promote(pack(model, home / "bad", "name: small"))
    announced = follower_of(registry, cache).look()
    assert champion_of(announced) is None
    assert "nothing is served yet" in announced.trouble
    assert len(announced.refused) == 1


def trap(package: Path) -> None:
    """A skops file with a type of ours, beside a compiled scorer that is whole."""
    dump(Foreign(), package / "model.skops")


def need(package: Path) -> None:
    (package / "requirements.txt").write_text("no-such-package==1\n")


class Foreign:
    pass


@pytest.mark.parametrize(
    ("spoil", "said"), [(trap, "types that are not trusted"), (need, "no-such-package")]
)
def test_a_process_apart_refuses_foreign_types_and_missing_requirements(
    registry: Registry,
    cache: Cache,
    model: Path,
    home: Path,
    spoil: Callable[[Path], None],
    said: str,
) -> None:
    package = pack(model, home / "bad")
    spoil(package)
    seal(package)
    registry.promote(package)
    announced = follower_of(registry, cache, check=check_apart).look()
    assert [said in refusal.reason for refusal in announced.refused] == [True]
    assert "Traceback" not in announced.trouble


def test_what_the_worker_of_a_check_counts_is_not_the_service_s(
    registry: Registry, cache: Cache, model: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = home / "counts"
    counts.mkdir()
    monkeypatch.setenv(SHARED, str(counts))
    version = registry.promote(pack(model, home / "one"))
    assert champion_of(follower_of(registry, cache, check=check_apart).look()) == version
    assert list(counts.iterdir()) == []


def newest_check() -> psutil.Process:
    """The process of the check that was started last."""
    return [p for p in psutil.Process().children() if "serving.check" in p.cmdline()][-1]


def test_a_check_that_was_prepared_serves_once_and_later_ones_are_started_anew(
    registry: Registry, cache: Cache, model: Path, home: Path
) -> None:
    ahead = CheckAhead()
    process = newest_check()
    try:
        bad = pack(model, home / "bad")
        trap(bad)
        seal(bad)
        registry.promote(bad)
        follower = follower_of(registry, cache, check=ahead)
        assert "types that are not trusted" in follower.look().trouble
        assert not process.is_running()
        version = registry.promote(pack(model, home / "one"))
        assert champion_of(follower.look()) == version
    finally:
        ahead.close()


def test_a_check_that_was_prepared_for_nothing_ends() -> None:
    ahead = CheckAhead()
    process = newest_check()
    ahead.close()
    assert not process.is_running()


def test_without_skops_nobody_can_open_the_pipeline_so_it_needs_no_requirement(
    model: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = pack(model, home / "one")
    need(package)
    digest = seal(package)
    with pytest.raises(Refused, match="It needs what is not installed here: no-such-package"):
        check(str(package), "small", "1", digest)
    monkeypatch.setitem(sys.modules, "skops", None)  # as in the service's image
    check(str(package), "small", "1", digest)
    assert json.loads(capsys.readouterr().out) == {"digest": digest, "golden_rows": 4}


@pytest.mark.parametrize("ends", ["SIGKILL", "SIGXCPU", "late"])
def test_a_check_that_could_not_be_finished_is_tried_again(
    registry: Registry,
    cache: Cache,
    model: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    ends: str,
) -> None:
    version = registry.promote(pack(model, home / "one"))
    with monkeypatch.context() as patch:
        if ends == "late":
            patch.setattr("serving.check.CHECK_S", 0.01)
        else:
            patch.setenv("PYTHONPATH", str(suicidal(home, ends)))
        announced = follower_of(registry, cache, check=check_apart).look()
    assert "can't be fetched" in announced.trouble
    assert announced.refused == ()
    assert champion_of(follower_of(registry, cache).look()) == version


def suicidal(folder: Path, by: str) -> Path:
    """A place for Python to look in first, which ends each process like the system does."""
    lines = f"import os, signal; os.kill(os.getpid(), signal.{by})"
    (folder / "sitecustomize.py").write_text(lines)
    return folder


@pytest.mark.parametrize("moved", [True, False])
def test_an_alias_moved_or_taken_by_hand_is_said_and_serves_nobody(
    registry: Registry, cache: Cache, model: Path, home: Path, moved: bool
) -> None:
    follower = follower_of(registry, cache)
    promoted = registry.promote(pack(model, home / "one"))
    follower.look()
    other = registry.add(pack(model, home / "two", SMALL + "owner: another\n"))
    if moved:
        registry.point(other)
    else:
        registry.client.delete_registered_model_alias(registry.name, CHAMPION)
    announced = follower.look()
    assert champion_of(announced) == promoted
    assert "by hand, which serves nobody; the ledger says version 1" in announced.trouble
    assert announced.reachable
    registry.move(other)
    announced = follower.look()
    assert (champion_of(announced), announced.trouble) == (other, "")


def test_an_alias_that_was_never_promoted_serves_nobody(
    registry: Registry, cache: Cache, model: Path, home: Path
) -> None:
    registry.point(registry.add(pack(model, home / "one")))
    announced = follower_of(registry, cache).look()
    assert champion_of(announced) is None
    assert "was set by hand, which serves nobody; nothing is served yet." in announced.trouble


def test_a_setting_of_the_service_lets_it_follow_the_alias(
    registry: Registry, cache: Cache, model: Path, home: Path
) -> None:
    settings = Settings(root=str(home / "data"), serve_follow="alias")
    point = pointer_reader(registry.name, settings)
    version = registry.add(pack(model, home / "one"))
    registry.point(version)
    connect = lambda: registry.client  # noqa: E731
    follower = Follower(connect, cache, registry.name, point, check=check_here)
    assert champion_of(follower.look()) == version


def resealed(registry: Registry, version: str, package: Path) -> None:
    """Other bytes, sealed as they are, and the tag set to that: all that write access can do."""
    other_classes(package)
    digest = hashlib.sha256((package / MANIFEST_FILE).read_bytes()).hexdigest()
    registry.client.set_model_version_tag(registry.name, version, PACKAGE_TAG, digest)


def unsign(registry: Registry, version: str, package: Path) -> None:
    registry.client.delete_model_version_tag(registry.name, version, SIGNATURE_TAG)


def another_signature(registry: Registry, version: str, package: Path) -> None:
    """That of version 1, which is a good one."""
    tags = registry.client.get_model_version(registry.name, "1").tags
    registry.client.set_model_version_tag(
        registry.name, version, SIGNATURE_TAG, tags[SIGNATURE_TAG]
    )


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (resealed, "its tag package_digest was changed, the ledger knows the package"),
        (unsign, "Version 2 of {name} can't be served: it is not signed"),
        (another_signature, "its signature is of another key or of something else"),
    ],
)
def test_with_a_key_unsigned_retagged_and_resealed_versions_are_refused(
    registry: Registry,
    cache: Cache,
    model: Path,
    home: Path,
    spoil: Callable[[Registry, str, Path], None],
    said: str,
) -> None:
    pair = key_pair()
    point = LedgerReader(registry.tables, registry.name, pair.public)
    follower = Follower(
        lambda: registry.client,
        cache,
        registry.name,
        point,
        check=check_here,
        verify_key=pair.public,
    )
    packages = [
        pack(model, home / "one"),
        pack(model, home / "two", SMALL + "owner: another\n"),
    ]
    first = registry.sign(registry.add(packages[0]), pair.private)
    registry.move(first, key=pair.private)
    assert champion_of(follower.look()) == first
    second = registry.sign(registry.add(packages[1]), pair.private)
    registry.move(second, key=pair.private)
    spoil(registry, second, packages[1])
    announced = follower.look()
    assert champion_of(announced) == first
    assert said.format(name=registry.name) in announced.trouble
    assert announced.trouble.endswith("version 1 serves on.")
    assert announced.refused == ()  # what is signed now is taken at the next poll
    if spoil is not resealed:
        registry.sign(second, pair.private)
        assert champion_of(follower.look()) == second


def test_a_ledger_that_is_away_is_said_and_the_version_serves_on(
    registry: Registry, cache: Cache, model: Path, home: Path
) -> None:
    follower = follower_of(registry, cache)
    promoted = registry.promote(pack(model, home / "one"))
    follower.look()
    registry.promote(pack(model, home / "two"))
    log = Path(registry.tables.uri("ledger")) / "_delta_log"
    newest = max(log.glob("*.json"))
    whole = newest.read_bytes()
    newest.write_bytes(b"{")
    announced = follower.look()
    assert champion_of(announced) == promoted
    assert announced.trouble.startswith("The ledger can't be read (")
    newest.write_bytes(whole)
    announced = follower.look()
    assert (champion_of(announced), announced.trouble) == ("2", "")


def test_a_registry_that_is_away_is_said_and_the_version_serves_on(
    registry: Registry, cache: Cache, model: Path, home: Path
) -> None:
    promoted = registry.promote(pack(model, home / "one"))
    answered = follower_of(registry, cache).look()
    away = Follower(lambda: MlflowClient("bad://", "bad://"), cache, registry.name, by_alias)
    announced = away.look()
    assert champion_of(announced) == promoted
    assert not announced.reachable
    assert announced.polled == answered.polled
    assert "does not answer" in announced.trouble


def test_a_registry_that_goes_away_between_two_questions_is_said_and_the_version_serves_on(
    store: Path, cache: Cache, model: Path, home: Path
) -> None:
    shutil.copy(store / "mlflow.db", home)
    registry = register(client_of(home), home.name, home)
    promoted = registry.promote(pack(model, home / "one"))
    follower_of(registry, cache).look()
    ledger = LedgerReader(registry.tables, registry.name)

    def then_away(shown: ShownRegistry, entry: int) -> Pointer:
        (home / "mlflow.db").write_bytes(b"no database any more" * 1000)
        return ledger(shown, entry)

    follower = Follower(lambda: registry.client, cache, registry.name, then_away, check=check_here)
    announced = follower.look()
    assert champion_of(announced) == promoted
    said = "Version 1 can't be fetched (MlflowException). version 1 serves on."
    assert announced.trouble == said


def test_a_cached_version_that_was_damaged_is_fetched_anew(
    registry: Registry, cache: Cache, model: Path, home: Path
) -> None:
    promoted = registry.promote(pack(model, home / "one"))
    announced = follower_of(registry, cache).look()
    assert announced.champion
    place = cache.version_folder(announced.champion.digest)
    (place / USE_CASE_FILE).write_text("")
    assert champion_of(follower_of(registry, cache).look()) == promoted
    assert (place / USE_CASE_FILE).read_text() == SMALL


def flip(file: Path) -> bytes:
    """Change one bit of a file; what it was before."""
    whole = file.read_bytes()
    middle = len(whole) // 2
    file.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    return whole


def reseal(package: Path) -> None:
    other_classes(package)


def remove(package: Path) -> None:
    shutil.rmtree(package)


def flip_graph(package: Path) -> None:
    flip(package / SCORER_DIR / GRAPH_FILE)


@pytest.mark.parametrize("damage", [flip_graph, reseal, remove])
def test_what_a_worker_finds_damaged_is_fetched_anew_by_a_follower_that_lives(
    registry: Registry, cache: Cache, model: Path, home: Path, damage: Callable[[Path], None]
) -> None:
    version = registry.promote(pack(model, home / "one"))
    follower = follower_of(registry, cache)
    first = follower.look().champion
    assert first
    place = cache.version_folder(first.digest)
    running, restarted = (CurrentVersion(cache, registry.name, 60) for _ in range(2))
    running.refresh()
    damage(place)
    running.refresh()
    assert running.status().trouble == ()  # what is in memory is whole
    follower.look()  # nobody has asked for a look yet
    restarted.refresh()
    assert restarted.served() is None
    announced = follower.look()
    restarted.refresh()
    served = restarted.served()
    assert served
    assert (served.version, served.digest) == (version, first.digest)
    assert (announced.champion, announced.trouble) == (first, "")
    assert restarted.status().trouble == ()
    assert not cache.doubted(first.digest)


def test_damage_while_the_registry_is_away_is_said_and_mended_once_it_answers(
    registry: Registry, cache: Cache, model: Path, home: Path
) -> None:
    version = registry.promote(pack(model, home / "one"))
    champion = follower_of(registry, cache).look().champion
    assert champion
    running, restarted = (CurrentVersion(cache, registry.name, 60) for _ in range(2))
    running.refresh()
    flip_graph(cache.version_folder(champion.digest))
    away = True

    def connect() -> MlflowClient:
        return MlflowClient("bad://", "bad://") if away else registry.client

    point = LedgerReader(registry.tables, registry.name)
    follower = Follower(connect, cache, registry.name, point, check=check_here)
    restarted.refresh()
    follower.look()
    for current in (running, restarted):
        current.refresh()
        said = " ".join(current.status().trouble)
        assert "The registry does not answer" in said
        assert "Version 1 is damaged in the cache, to be fetched anew" in said
        assert "differing: scorer/model.onnx" in said
    assert (running.served() is not None, restarted.served()) == (True, None)
    away = False
    follower.look()
    for current in (running, restarted):
        current.refresh()
        served = current.served()
        assert served
        assert (served.version, current.status().trouble) == (version, ())


def test_a_doubt_without_a_cause_costs_no_download(
    registry: Registry, cache: Cache, model: Path, home: Path
) -> None:
    registry.promote(pack(model, home / "one"))
    follower = follower_of(registry, cache)
    champion = follower.look().champion
    assert champion
    place = cache.version_folder(champion.digest)
    known = place.stat().st_ino
    cache.doubt(champion.digest)
    assert follower.look().champion == champion
    assert (cache.doubted(champion.digest), place.stat().st_ino) == (False, known)


def test_the_old_version_that_serves_on_is_mended_beside_a_new_one_that_is_refused(
    registry: Registry, cache: Cache, model: Path, home: Path
) -> None:
    good = registry.promote(pack(model, home / "good"))
    follower = follower_of(registry, cache)
    champion = follower.look().champion
    assert champion
    registry.promote(pack(model, home / "bad", SMALL + "owner: another\n"))
    (home / "bad" / USE_CASE_FILE).write_text("")
    flip_graph(cache.version_folder(champion.digest))
    restarted = CurrentVersion(cache, registry.name, 60)
    restarted.refresh()
    assert follower.look().trouble.endswith(f"version {good} serves on.")
    restarted.refresh()
    served = restarted.served()
    assert served
    assert served.version == good


def test_a_damaged_announcement_is_replaced(
    registry: Registry, cache: Cache, model: Path, home: Path
) -> None:
    promoted = registry.promote(pack(model, home / "one"))
    follower_of(registry, cache).look()
    (cache.folder / "current.json").write_text("{")
    assert champion_of(follower_of(registry, cache).look()) == promoted


def test_the_challenger_is_fetched_only_for_a_shadow(
    registry: Registry, cache: Cache, model: Path, home: Path
) -> None:
    version = registry.promote(pack(model, home / "one"))
    registry.point(version, CHALLENGER)
    assert follower_of(registry, cache).look().challenger is None
    challenger = follower_of(registry, cache, shadow=True).look().challenger
    assert challenger
    assert challenger.version == version


def app_of(current: CurrentVersion, settings: Settings) -> Gateway:
    context = WorkerContext(
        current=current,
        log=open_log(settings, "small"),
        feedback_log=open_feedback_log(settings, "small"),
        settings=settings,
        mlflow_version=mlflow.__version__,
        metrics=Metrics(),
        keys=Keys(None),
        access_log=AccessLog(None),
        board=Board(None, 1),
        clock=lambda: ARRIVAL,
    )
    return create_app(context)


def test_it_becomes_ready_and_writes_the_time_of_arrival(
    registry: Registry, cache: Cache, model: Path, home: Path
) -> None:
    settings = Settings(root=str(home / "data"))
    current, tables = CurrentVersion(cache, registry.name, 60), Tables(settings.root, "small")
    with running(app_of(current, settings)) as address:
        assert httpx.get(f"{address}/health").status_code == 503
        registry.promote(pack(model, home / "one"))
        follower_of(registry, cache).look()
        current.refresh()
        assert httpx.get(f"{address}/health").status_code == 200
        sent = {"rows": [{"id": 5, "size": 10}, {"size": 0}]}
        body = httpx.post(f"{address}/predict", json=sent).json()
    Shipper(settings.spool_folder("small"), tables).drain()
    assert [row["prediction"] for row in body["predictions"]] == ["b", "a"]
    rows = tables.read("predictions", order_by=["row"]).to_pylist()
    assert [row["id"] for row in rows] == [5, None]
    assert [row["prediction_id"] for row in rows] == [f"{body['request_id']}-{i}" for i in (0, 1)]
    assert {row["event_time"] for row in rows} == {ARRIVAL}
    assert all(row["latency_ms"] > 0 for row in rows)


@pytest.mark.parametrize("wrong", ["99999", "²", "-1"])
def test_a_wrong_port_is_said_plainly(wrong: str) -> None:
    with pytest.raises(BadInput, match="a number up to 65535 is needed"):
        main(port=wrong)


@pytest.mark.parametrize("host", ["a..b", "x" * 64, "::1%no-such-card"])
def test_a_host_that_is_no_address_is_said_plainly(host: str) -> None:
    with pytest.raises(BadInput, match=f"^{re.escape(host)} is no address of this machine: .+"):
        bind(host, 0)


def test_a_busy_port_is_said_plainly_before_anything_slow() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = start(str(taken.getsockname()[1]))
    assert found.returncode == 2
    assert "the port is busy" in found.stderr
    assert found.stderr.count("\n") == 1


def start(port: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-m", "serving", f"--port={port}"]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
