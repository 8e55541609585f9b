"""What a worker holds: swapped when the announcement changes, kept when the new one fails."""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contract.names import USE_CASE_FILE
from serving.scoring.cache import Announcement, Cache, FetchedVersion
from serving.scoring.champion import SILENT_S, CurrentVersion
from serving.scoring.version import load_version

NOW = datetime(2024, 5, 1, tzinfo=UTC)
POLL_S = 0.2


@pytest.fixture
def cache(home: Path) -> Cache:
    return Cache(home / "cache")


@pytest.fixture
def announce(cache: Cache, package: Path) -> Callable[[str], FetchedVersion]:
    """Put the package into the cache under a version number and announce it."""

    def announced(version: str) -> FetchedVersion:
        digest = load_version(package, "penguins", version).digest
        if not cache.version_folder(digest).exists():
            shutil.copytree(package, cache.version_folder(digest))
        fetched = FetchedVersion(version, digest, NOW)
        cache.announce(Announcement("penguins", fetched, reachable=True, polled=NOW))
        return fetched

    return announced


def current_of(cache: Cache, now: datetime = NOW) -> CurrentVersion:
    return CurrentVersion(cache, "penguins", POLL_S, lambda: now)


def version_of(current: CurrentVersion) -> str | None:
    served = current.served()
    return served.version if served else None


def test_nothing_is_served_before_the_first_announcement(cache: Cache) -> None:
    current = current_of(cache)
    current.refresh()
    status = current.status()
    assert (status.ready, status.served, status.registry_age_s) == (False, None, None)


def test_what_changes_is_swapped_and_the_old_version_comes_back_without_loading(
    cache: Cache, announce: Callable[[str], FetchedVersion]
) -> None:
    current = current_of(cache)
    announce("1")
    current.refresh()
    first = current.served()
    announce("2")
    current.refresh()
    assert version_of(current) == "2"
    announce("1")
    current.refresh()
    assert current.served() is first
    current.refresh()
    assert current.status().swaps == 3


@pytest.mark.parametrize("damage", ["file", "folder", "announcement"])
def test_a_version_that_can_not_be_loaded_leaves_the_old_one(
    cache: Cache, announce: Callable[[str], FetchedVersion], damage: str
) -> None:
    current = current_of(cache)
    fetched = announce("1")
    current.refresh()
    if damage == "announcement":
        (cache.folder / "current.json").write_text("{}")
    else:
        place = cache.version_folder("other")
        shutil.copytree(cache.version_folder(fetched.digest), place)
        if damage == "file":
            (place / USE_CASE_FILE).write_text("")
        else:
            shutil.rmtree(place)
        cache.announce(Announcement("penguins", replace(fetched, version="2", digest="other")))
    current.refresh()
    current.refresh()
    status = current.status()
    assert version_of(current) == "1"
    assert status.ready
    assert len(status.trouble) == 1
    assert status.failures == 1
    announce("3")
    current.refresh()
    assert current.status().trouble == ()


def test_a_silent_follower_is_said(cache: Cache, announce: Callable[[str], FetchedVersion]) -> None:
    announce("1")
    later = current_of(cache, NOW + timedelta(seconds=SILENT_S + 3))
    later.refresh()
    status = later.status()
    assert status.ready
    assert status.trouble == ("The registry was last heard 33 s ago.",)


def test_a_draining_worker_is_not_ready_and_answers(
    cache: Cache, announce: Callable[[str], FetchedVersion]
) -> None:
    announce("1")
    current = current_of(cache)
    current.refresh()
    current.drain()
    assert not current.status().ready
    assert version_of(current) == "1"


def test_it_watches_loads_beside_the_event_loop_and_frees_the_old_version(
    cache: Cache, announce: Callable[[str], FetchedVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def seen(current: CurrentVersion) -> None:
        watching = asyncio.create_task(current.watch())
        for version in ("1", "2"):
            announce(version)
            async with asyncio.timeout(5):
                while version_of(current) != version:
                    await asyncio.sleep(0.01)
            async with asyncio.timeout(5):
                while current._kept:
                    await asyncio.sleep(0.01)
        watching.cancel()

    monkeypatch.setattr("serving.scoring.champion.KEEP_S", 0.1)
    asyncio.run(seen(current_of(cache)))


def test_a_cache_that_can_not_be_looked_at_is_said_once_and_watched_on(
    cache: Cache, announce: Callable[[str], FetchedVersion]
) -> None:
    async def until_well(current: CurrentVersion, well: bool) -> None:
        async with asyncio.timeout(5):
            while bool(current.status().trouble) == well:
                await asyncio.sleep(0.01)

    async def seen(current: CurrentVersion) -> None:
        announce("1")
        current.refresh()
        watching = asyncio.create_task(current.watch())
        aside = cache.folder.rename(cache.folder.with_name("aside"))
        cache.folder.write_text("no folder")
        await until_well(current, False)
        await asyncio.sleep(POLL_S)  # four more looks
        assert (current.status().failures, version_of(current)) == (1, "1")
        cache.folder.unlink()
        aside.rename(cache.folder)
        await until_well(current, True)
        watching.cancel()

    asyncio.run(seen(current_of(cache)))
