"""What of a personal column enters the log: its value, a keyed hash of it, or nothing.

The hash is HMAC-SHA256 (RFC 2104) over column and value, 128 bits of it: equal values stay equal,
so labels still find their row, and nobody without the secret can try values until one fits.
"""

import hmac
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from contract.errors import BadInput
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column

HASH_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Pseudonymiser:
    """Hides what a use case declares."""

    hashed: frozenset[str]
    dropped: frozenset[str]
    secret: bytes

    @classmethod
    def of(cls, use_case: UseCase, secret: str) -> "Pseudonymiser":
        """What a use case declares; BadInput where it needs a secret and there is none."""
        columns = {name: use_case.columns[name].logged for name in _loggable(use_case)}
        hashed = frozenset(name for name, how in columns.items() if how == "hash")
        if hashed and not secret:
            raise BadInput(
                f"{use_case.name} hashes {', '.join(sorted(hashed))} in the log, which needs a "
                "secret: set FOURCYCLE_LOG_SECRET to a long random text, or declare log: drop."
            )
        dropped = frozenset(name for name, how in columns.items() if how == "drop")
        return cls(hashed, dropped, secret.encode())

    def apply(self, columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """Columns as they may stand in the log."""
        if not self.hashed and not self.dropped:
            return columns
        return {
            name: [self.value(name, value) for value in values] if name in self.hashed else values
            for name, values in columns.items()
            if name not in self.dropped
        }

    def value(self, name: str, value: Any) -> Any:
        """One value of a column that is not dropped."""
        if value is None or name not in self.hashed:
            return value
        content = f"{name}\0{_text(value)}".encode()
        return hmac.digest(self.secret, content, "sha256").hex()[:HASH_DIGITS]


def altered(use_case: UseCase) -> Sequence[str]:
    """Inputs that the log does not hold as they were sent, and features that need one of them."""
    columns = use_case.feature_columns | {n: use_case.columns[n] for n in use_case.inputs}
    return [name for name, column in columns.items() if column.logged != "keep"]


def of_persons(use_case: UseCase) -> frozenset[str]:
    """Inputs and features whose values are some person's, those that are computed from a personal
    column among them: no package that travels holds rows of them."""
    columns = use_case.feature_columns | {n: use_case.columns[n] for n in use_case.inputs}
    hidden = {name for name, column in columns.items() if column.personal}
    return frozenset(hidden.union(altered(use_case)))


def stand_in(column: Column) -> Any:
    """A value that the declared column accepts and that is nobody's."""
    if column.nullable:
        return None
    if column.type == "string":
        return column.categories[0] if column.categories else ""
    if column.type in ("integer", "number"):
        low = -math.inf if column.min is None else column.min
        nearest = min(max(0.0, low), math.inf if column.max is None else column.max)
        return math.ceil(nearest) if column.type == "integer" else nearest
    return False if column.type == "boolean" else datetime(2000, 1, 1, tzinfo=UTC)


def _loggable(use_case: UseCase) -> tuple[str, ...]:
    return (*use_case.inputs, *use_case.keys)


def _text(value: Any) -> str:
    """One spelling for each value of a declared type."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value if isinstance(value, str) else repr(value)
