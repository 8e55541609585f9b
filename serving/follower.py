"""What of one model is to be served on this host: asked for, fetched, checked and announced."""

import logging
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from contract.errors import FourcycleError, Refused
from contract.names import CHALLENGER
from contract.package import package_said, verify
from contract.settings import Settings
from contract.signing import unsigned
from contract.store.ledger import ShownRegistry
from contract.store.tables import Tables
from serving.check import Check, check_apart
from serving.scoring.cache import Announcement, Cache, FetchedVersion, RefusedVersion
from serving.scoring.pointer import LedgerReader, Pointer, PointerReader, by_alias
from tracking.tags import PACKAGE_TAG, SIGNATURE_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient

SHA256 = re.compile(r"[0-9a-f]{64}")  # nothing else may name a folder of the cache
REMEMBERED = 50  # refused versions; more are more than anybody reads

logger = logging.getLogger(__name__)


def now_utc() -> datetime:
    """The time of a poll."""
    return datetime.now(UTC)


class Follower:
    """Keeps the cache and its announcement in step with what is to be served of one model."""

    def __init__(
        self,
        connect: "Callable[[], MlflowClient]",
        cache: Cache,
        name: str,
        point: PointerReader,
        shadow: bool = False,
        check: Check = check_apart,
        clock: Callable[[], datetime] = now_utc,
        verify_key: str = "",
    ) -> None:
        self._connect, self._cache, self._name, self._point = connect, cache, name, point
        self._shadow, self._check, self._clock = shadow, check, clock
        self._verify_key = verify_key
        self._client: MlflowClient | None = None
        self._announced = self._remembered()

    def look(self) -> Announcement:
        """Ask registry and ledger once and announce what follows from their answers."""
        try:
            shown = self._shown()
        except Exception as error:  # whatever it is, the next poll may be answered
            return self._away("The registry does not answer", error, reachable=False)
        try:
            pointer = self._point(shown, self._announced.entry)
        except Exception as error:
            return self._away("The ledger can't be read", error, reachable=True)
        announced = replace(self._announced, reachable=True, polled=self._clock(), trouble="")
        announced = self._follow_champion(replace(announced, entry=pointer.entry), pointer)
        if self._shadow:
            announced = self._follow_challenger(announced, shown.aliases.get(CHALLENGER))
        return self._announce(announced)

    def _away(self, what: str, error: Exception, reachable: bool) -> Announcement:
        """What is served goes on while registry or ledger is away."""
        old = self._announced.champion
        trouble = f"{what} ({_what(error)})."
        self._log_once(trouble, error)
        trouble = " ".join(filter(None, (trouble, self._damage(old))))
        return self._announce(replace(self._announced, reachable=reachable, trouble=trouble))

    def _remembered(self) -> Announcement:
        """What was announced before this process; what of it is damaged will be fetched anew."""
        try:
            announced = self._cache.read() or Announcement(self._name)
        except Refused as error:
            logger.warning("%s", error)
            announced = Announcement(self._name)
        for held in filter(None, (announced.champion, announced.challenger)):
            self._cache.doubt(held.digest)
            if damage := self._damage(held):
                logger.warning("%s", damage)
        return replace(announced, reachable=False)

    def _damage(self, held: FetchedVersion | None) -> str:
        """What is wrong with a version of the cache that was doubted; "" where nothing is."""
        if held is None or not self._cache.doubted(held.digest):
            return ""
        try:
            verify(self._cache.version_folder(held.digest), held.digest)
        except (Refused, OSError) as error:
            return f"Version {held.version} is damaged in the cache, to be fetched anew: {error}"
        self._cache.trust(held.digest)
        return ""

    def _shown(self) -> ShownRegistry:
        """What the registered model shows; nothing where it is not registered yet."""
        from tracking.shown import shown_registry

        self._client = self._client or self._connect()
        return shown_registry(self._client, self._name)

    def _follow_champion(self, announced: Announcement, pointer: Pointer) -> Announcement:
        old, version = announced.champion, pointer.version
        if not version:
            said = pointer.trouble or (f"No promotion of {self._name} is known" if old else "")
            return replace(announced, trouble=f"{said}; {_on(old)}" if said else "")
        announced, fetched = self._obtain(announced, version, old, pointer.package)
        if fetched is None:
            if old and old.version != version and self._cache.doubted(old.digest):
                self._obtain(announced, old.version, old)  # what serves on must be whole, too
            return replace(announced, trouble=f"{announced.trouble} {_on(old)}".strip())
        announced = replace(announced, trouble=pointer.trouble)
        return announced if fetched is old else replace(announced, champion=fetched, previous=old)

    def _follow_challenger(self, announced: Announcement, version: str | None) -> Announcement:
        if version is None:
            return replace(announced, challenger=None)
        seen, fetched = self._obtain(announced, version, announced.challenger)
        return replace(seen, challenger=fetched, trouble=announced.trouble)

    def _obtain(
        self,
        announced: Announcement,
        version: str,
        held: FetchedVersion | None,
        package: str = "",
    ) -> tuple[Announcement, FetchedVersion | None]:
        """The checked version, `held` if it is that; or None, with the trouble announced."""
        try:
            digest = self._registered(version, package)
        except Refused as error:  # not remembered: its tags can be put right
            return replace(announced, trouble=str(error)), None
        except Exception as error:  # the registry is away by now: the next poll tries again
            return self._unfetched(announced, version, error), None
        held = held if held and _same(held, version, digest) else None
        damage = self._damage(held)
        if held and not damage:
            return announced, held
        for refusal in announced.refused:
            if _same(refusal, version, digest):
                return replace(announced, trouble=refusal.reason), None
        try:
            self._fetch(version, digest)
        except Refused as error:
            refusal = RefusedVersion(version, digest, str(error), self._clock())
            refused = (*announced.refused, refusal)[-REMEMBERED:]
            return replace(announced, refused=refused, trouble=refusal.reason), None
        except Exception as error:  # the store of artifacts is away
            return self._unfetched(announced, version, error, damage), None
        return announced, held or FetchedVersion(version, digest, self._clock())

    def _registered(self, version: str, package: str) -> str:
        """The digest that a version's package was registered with; "" where the tag is missing.

        Refused where the ledger knows another one, or where the key has not signed it.
        """
        from mlflow import MlflowException

        from tracking.store import is_absent

        assert self._client is not None
        try:
            tags = self._client.get_model_version(self._name, version).tags
        except MlflowException as error:
            if not is_absent(error):
                raise
            gone = f"Version {version} of {self._name} was deleted from the registry;"
            raise Refused(gone) from error
        digest = str(tags.get(PACKAGE_TAG, ""))
        why = ""
        if package and digest != package:
            why = f"its tag {PACKAGE_TAG} was changed, the ledger knows the package {package[:12]}"
        signature = str(tags.get(SIGNATURE_TAG, ""))
        why = why or unsigned(
            self._verify_key, signature, *package_said(self._name, version, digest)
        )
        if why:
            raise Refused(f"Version {version} of {self._name} can't be served: {why}.")
        return digest

    def _fetch(self, version: str, digest: str) -> None:
        """Bring a version into the cache by one rename, after its checks."""
        from tracking.packages import download

        if not SHA256.fullmatch(digest):
            without = f"it was registered without its digest, the tag {PACKAGE_TAG}"
            raise Refused(f"Version {version} of {self._name} can't be served: {without}.")
        place = self._cache.version_folder(digest)
        try:
            if place.is_dir():
                self._check(place, self._name, version, digest, False)
                self._cache.trust(digest)
                return
        except Refused:
            shutil.rmtree(place)  # damaged on this disk, perhaps only here
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent) as partial:
            uri = f"models:/{self._name}/{version}"
            package = download(uri, partial, version)
            self._check(package, self._name, version, digest, True)
            package.rename(place)
        self._cache.trust(digest)

    def _unfetched(
        self, announced: Announcement, version: str, error: Exception, damage: str = ""
    ) -> Announcement:
        trouble = f"Version {version} can't be fetched ({_what(error)}). {damage}".strip()
        self._log_once(trouble, error)
        return replace(announced, trouble=trouble)

    def _log_once(self, trouble: str, error: Exception) -> None:
        """The whole message goes to the log, once for as long as the trouble is the same."""
        if not self._announced.trouble.startswith(trouble):
            logger.warning("%s: %s", type(error).__name__, error)

    def _announce(self, announcement: Announcement) -> Announcement:
        old, self._announced = self._announced, announcement
        self._cache.announce(announcement)
        if announcement.champion and announcement.champion != old.champion:
            logger.warning("%s version %s answers", self._name, announcement.champion.version)
        if announcement.trouble and announcement.trouble != old.trouble:
            logger.warning("%s", announcement.trouble)
        self._cache.prune(announcement)
        return announcement


def _same(held: FetchedVersion | RefusedVersion, version: str, digest: str) -> bool:
    return (held.version, held.digest) == (version, digest)


def _on(old: FetchedVersion | None) -> str:
    return f"version {old.version} serves on." if old else "nothing is served yet."


def _what(error: Exception) -> str:
    """What everybody may read; the message of a library may hold addresses."""
    return str(error) if isinstance(error, FourcycleError) else type(error).__name__


def pointer_reader(name: str, settings: Settings) -> PointerReader:
    """What the service follows, by its settings; BadInput where its key is none."""
    unsigned(settings.verify_key, "")
    if settings.serve_follow == "alias":
        return by_alias
    return LedgerReader(Tables(settings.table_root, name), name, settings.verify_key)
