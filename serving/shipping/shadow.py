"""Shadow: the challenger scores the rows that the champion answered, on their way to the table.

That happens in the shipper's process, so no answer waits for it and no worker works for it. The
spool is the queue; the time that the challenger may take in each pass is bounded, and rows that
are left over then stay without a shadow.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from contract.store.frames import plain_values
from contract.use_case.pseudonymisation import altered
from serving.scoring.cache import Cache, FetchedVersion
from serving.scoring.version import ServedVersion, load_fetched
from serving.shipping.shipper_status import ShadowStatus

PASS_S = 2.0  # of each pass: the table must not fall behind because of a slow challenger
CHUNK_ROWS = 1000

logger = logging.getLogger(__name__)


class Shadow:
    """The challenger of one host, loaded again when the follower announces another."""

    def __init__(
        self,
        cache: Cache,
        name: str,
        clock: Callable[[], float] = time.perf_counter,
        code: Path | None = None,
    ) -> None:
        self.status = ShadowStatus()
        self._cache, self._name, self._clock = cache, name, clock
        self._code = code
        self._loaded: tuple[FetchedVersion, ServedVersion] | None = None

    def fill(self, rows: pa.Table) -> pa.Table:
        """The rows of `predictions` with its answers, as far as it came; if it fails, without."""
        began = self._clock()
        n_scored, version, problem = 0, None, ""
        filled = rows
        try:
            challenger = self._challenger()
            if challenger is None:
                self.status = msgspec.structs.replace(self.status, version=None)
                return rows
            version = challenger.version
            predictions = self._predictions(challenger, rows, began + PASS_S)
            filled, n_scored = _filled(rows, predictions, version), len(predictions)
        except Exception as error:  # whatever a challenger does, the rows go their way
            problem = f"The challenger has no answer ({type(error).__name__}: {error})."
        self._count(version, filled, n_scored, self._clock() - began, problem)
        return filled

    def _predictions(self, challenger: ServedVersion, rows: pa.Table, until: float) -> list[Any]:
        """Its predictions of the first rows, as many as it answers until then."""
        predictions: list[Any] = []
        while len(predictions) < rows.num_rows and self._clock() < until:
            part = rows.slice(len(predictions), CHUNK_ROWS)
            predictions += challenger.scorer.score(_columns(part, challenger)).prediction
        return predictions

    def _challenger(self) -> ServedVersion | None:
        announced = self._cache.read()
        wanted = announced.challenger if announced else None
        if wanted is None:
            self._loaded = None
        elif self._loaded is None or self._loaded[0] != wanted:
            self._loaded = wanted, load_fetched(self._cache, self._name, wanted, self._code)
        return self._loaded[1] if self._loaded else None

    def _count(
        self,
        version: str | None,
        filled: pa.Table,
        n_scored: int,
        seconds: float,
        problem: str,
    ) -> None:
        before = self.status
        if problem and problem != before.problem:
            logger.warning("%s", problem)
        scored = filled.slice(0, n_scored)
        both = (scored.column(name).to_pylist() for name in ("prediction", "shadow"))
        differ = sum(a != b for a, b in zip(*both, strict=True))
        self.status = ShadowStatus(
            version,
            before.scored + n_scored,
            before.differ + differ,
            before.skipped + filled.num_rows - n_scored,
            before.seconds + seconds,
            problem,
        )


def _columns(rows: pa.Table, challenger: ServedVersion) -> dict[str, list[Any]]:
    """What the challenger reads; an error where the rows do not hold one as it was sent."""
    if hidden := altered(challenger.use_case):
        raise ValueError(f"the log does not hold {', '.join(hidden)} as sent")
    inputs = rows.column("inputs")
    return {
        name: plain_values(pc.struct_field(inputs, [name])) for name in challenger.scorer.features
    }


def _filled(rows: pa.Table, predictions: list[Any], version: str | None) -> pa.Table:
    missing = rows.num_rows - len(predictions)
    columns = {
        "shadow": [*predictions, *[None] * missing],
        "shadow_version": [*[version] * len(predictions), *[None] * missing],
    }
    for name, values in columns.items():
        at, field = rows.schema.get_field_index(name), rows.schema.field(name)
        rows = rows.set_column(at, field, pa.array(values, field.type))
    return rows
