"""With a key of the services only what it signed is served, on two hosts with real processes."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from contract.names import USE_CASE_FILE
from contract.package import MANIFEST_FILE
from contract.store.ledger import append_entry, read_entries
from pipelines import sign
from pipelines.package import seal
from serving.follower import Follower
from serving.scoring.cache import Cache
from serving.scoring.pointer import LedgerReader
from tests.support.keys import KeyPair, key_pair
from tests.support.rounds import FULL
from tests.support.service import PATIENCE_S, Service, running, until
from tests.support.shop import Case
from tests.support.small import check_here, pack
from tracking.tags import PACKAGE_TAG


@pytest.fixture
def pair() -> KeyPair:
    return key_pair()


def package(case: Case, which: int) -> Path:
    """A package like no other."""
    folder = case.folder / f"own{which}"
    text = case.use_case.read_text(encoding="utf-8") + f"owner: number {which}\n"
    return folder if folder.exists() else pack(case.shop.models[which % 2], folder, text)


def promote(
    case: Case,
    which: int,
    key: str,
    signed: bool = True,
    other_digest: Callable[[], str] | None = None,
) -> str:
    """Register a package, sign it, and make it live by an entry that the key signs.

    `other_digest` makes what somebody writes in its tag before any host looks at it.
    """
    version = case.registry.add(package(case, which))
    digest = digest_of(case, version)
    if signed:
        case.registry.sign(version, key)
    if other_digest:
        other = other_digest()
        case.registry.client.set_model_version_tag(case.registry.name, version, PACKAGE_TAG, other)
    case.registry.move(version, key=key, package=digest)
    return version


@pytest.fixture
def hosts(case: Case, pair: KeyPair) -> Iterator[list[Service]]:
    """Two of them that hold the public key alone, with version 1 in their caches."""
    registry = case.registry
    promote(case, 0, pair.private)
    with ExitStack() as stack:
        found = []
        for name in ("one", "two"):
            folder = case.folder / name
            cache = Cache(folder / "cache" / registry.name)
            point = LedgerReader(registry.tables, registry.name)
            Follower(lambda: registry.client, cache, registry.name, point, check=check_here).look()
            own = {"log_spool": str(folder / "spool"), "verify_key": pair.public}
            root = {"root": registry.tables.root}
            found.append(
                stack.enter_context(running(case.use_case, case.shop.uri, folder, **own, **root))
            )
        for host in found:
            until(host.ready)
        yield found


def reasons(host: Service) -> list[str]:
    """What the host says to whoever asks how it is."""
    answer = httpx.get(f"{host.address}/ready", timeout=PATIENCE_S)
    return [str(reason) for reason in answer.json()["reasons"]]


def told(host: Service, words: str) -> bool:
    return any(words in reason for reason in reasons(host))


def serve_on(hosts: list[Service], version: str, words: str) -> None:
    """All refuse what is new with a sentence, and go on answering by a version."""
    for host in hosts:
        until(told, host, words)
        until(told, host, f"version {version} serves on.")
        assert host.version() == version


def serve(hosts: list[Service], version: str) -> None:
    for host in hosts:
        until(lambda host=host: host.version() == version)
        until(lambda host=host: reasons(host) == [])


def sign_by_hand(case: Case, version: str, key: str) -> None:
    """`fourcycle sign`, where somebody holds the private key."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", case.shop.uri)
        patch.setenv("FOURCYCLE_SIGN_KEY", key)
        sign.main(str(case.use_case), case.registry.tables.root, version=version)


def digest_of(case: Case, version: str) -> str:
    """What the registry says a version's package is."""
    return str(
        case.registry.client.get_model_version(case.registry.name, version).tags[PACKAGE_TAG]
    )


def reseal(package: Path) -> str:
    """Other bytes, sealed as they are: all that who can write to the artifacts can do."""
    with (package / USE_CASE_FILE).open("a", encoding="utf-8") as file:
        file.write("# other bytes\n")
    (package / MANIFEST_FILE).unlink()
    seal(package)
    return hashlib.sha256((package / MANIFEST_FILE).read_bytes()).hexdigest()


@pytest.mark.skipif(not FULL, reason="two services for a minute: make faults")
def test_what_the_key_did_not_sign_is_refused_until_it_does(
    case: Case, pair: KeyPair, hosts: list[Service]
) -> None:
    serve(hosts, "1")
    # Made before there was a key.
    unsigned = promote(case, 1, pair.private, signed=False)
    serve_on(hosts, "1", f"Version {unsigned} of {case.registry.name} can't be served: it is not")
    sign_by_hand(case, unsigned, pair.private)
    serve(hosts, unsigned)

    # Who may write to the registry gives a version the digest of another one, which is signed.
    retagged = promote(case, 2, pair.private, other_digest=lambda: digest_of(case, "1"))
    serve_on(
        hosts, unsigned, f"Version {retagged} of {case.registry.name} can't be served: its tag"
    )

    # Who may write to the artifacts too seals other bytes anew.
    resealed = promote(case, 3, pair.private, other_digest=lambda: reseal(package(case, 3)))
    serve_on(
        hosts, unsigned, f"Version {resealed} of {case.registry.name} can't be served: its tag"
    )

    # Who may write to the tables, without the key, makes an old version live.
    case.registry.move("1")
    serve_on(hosts, unsigned, "which makes version 1 live, does not count: it is not signed")
    sign_by_hand(case, "1", pair.private)
    serve(hosts, "1")

    # Or writes an entry that is not what its hash says.
    newest = read_entries(case.registry.tables)[-1]
    forged = newest.after(newest, newest.time)
    assert append_entry(case.registry.tables, replace(forged, version=unsigned))
    serve_on(hosts, "1", f"The ledger is damaged: entry {forged.number} was changed after")
