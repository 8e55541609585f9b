"""Who may ask: API keys, of which only hashes are stored.

A key is 256 random bits, so nobody can guess it and a plain SHA-256 protects it: slow hashes are
for passwords that people choose. Where no file of keys is configured, everybody may ask.
"""

import hashlib
import hmac
import json
import logging
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from contract.errors import BadInput
from contract.settings import Settings
from serving.requests.errors import Problem

SCOPES = ("predict", "feedback", "admin")
SCOPE = re.compile(rf"({'|'.join(SCOPES)})(:[a-z][a-z0-9_-]*)?")
SHA256 = re.compile(r"[0-9a-f]{64}")
LOOK_S = 1.0  # between two looks whether the file has changed

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Key:
    """What is stored of a key."""

    name: str
    sha256: str
    scopes: tuple[str, ...]  # such as predict, or predict:flights for one use case alone

    def at(self, use_case: str) -> "Key":
        """The key with the scopes that it has at the service of one use case."""
        parts = [scope.partition(":") for scope in self.scopes]
        here = tuple(scope for scope, _, only in parts if only in ("", use_case))
        return replace(self, scopes=here)


class Keys:
    """The keys of a file, read again when it changes; a broken change leaves the old ones.

    What they may do is asked at the service of one use case.
    """

    def __init__(self, path: Path | None, use_case: str = "") -> None:
        self._path, self._use_case = path, use_case
        self._stamp: tuple[int, int] | None = None
        self._looked = 0.0
        self._keys: tuple[Key, ...] = ()
        if path:
            self._keys = self._read(path)
            self._stamp = _stamp(path)

    @property
    def asked(self) -> bool:
        """Whether a key is needed at all."""
        return self._path is not None

    def admit(self, authorization: bytes | None, scope: str) -> str | None:
        """Name of the key that asks, None where none is needed; a Problem when it may not."""
        if self._path is None:
            return None
        self._look(self._path)
        kind, _, token = (authorization or b"").partition(b" ")
        sent = hashlib.sha256(token.strip()).hexdigest()
        sender = None
        for key in self._keys:  # all of them, so that the time tells nothing
            if hmac.compare_digest(key.sha256, sent):
                sender = key
        if sender is None or kind.lower() != b"bearer":
            challenge = [(b"www-authenticate", b'Bearer realm="fourcycle"')]
            sentence = "A valid key is needed: Authorization: Bearer <key>."
            raise Problem("unauthorized", sentence, headers=challenge)
        if scope not in sender.scopes:
            raise Problem("forbidden", f"This key has no scope {scope!r} here.")
        return sender.name

    def _read(self, path: Path) -> tuple[Key, ...]:
        return tuple(key.at(self._use_case) for key in read_keys(path))

    def _look(self, path: Path) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        try:
            stamp = _stamp(path)
            if stamp != self._stamp:
                self._stamp, self._keys = stamp, self._read(path)
        except (OSError, BadInput) as error:
            logger.warning("The keys stay as they were: %s", type(error).__name__)


def open_keys(settings: Settings, use_case: str) -> Keys:
    """The keys that the settings name, at a use case's service; BadInput where the file is none."""
    return Keys(Path(settings.serve_keys).expanduser() if settings.serve_keys else None, use_case)


def read_keys(path: Path) -> tuple[Key, ...]:
    """The keys of a file; BadInput unless it is one."""
    try:
        raw: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["keys"]
        keys = tuple(Key(str(k["name"]), str(k["sha256"]), tuple(k["scopes"])) for k in raw)
    except FileNotFoundError:
        raise BadInput(f"No file of keys at {path}; python -m serving.keys makes one.") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} is no file of keys ({type(error).__name__}).") from error
    for key in keys:
        if not all(map(SCOPE.fullmatch, key.scopes)):
            raise BadInput(
                f"{path}: key {key.name!r} has a scope that is none of {', '.join(SCOPES)}, nor "
                "one of them for a use case, such as predict:flights."
            )
        if not SHA256.fullmatch(key.sha256):
            raise BadInput(f"{path}: the sha256 of key {key.name!r} is not 64 of 0-9 and a-f.")
    return keys


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_ino
