"""Shadow: the challenger scores the rows that the champion answered, on their way to the table.

That happens in the shipper's process, so no answer waits for it and no worker works for it. The
spool is the queue; the time that the challenger may take in each pass is bounded, and rows that
are left over then stay without a shadow.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from contract.use_case.pseudonymisation import altered
from serving.scoring.cache import Cache, FetchedVersion
from serving.scoring.score_batch import score_batch
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
            parts = self._predictions(challenger, rows, began + PASS_S)
            filled, n_scored = _filled(rows, parts, version), sum(map(len, parts))
        except Exception as error:  # whatever a challenger does, the rows go their way
            problem = f"The challenger has no answer ({type(error).__name__}: {error})."
        self._count(version, filled, n_scored, self._clock() - began, problem)
        return filled

    def _predictions(
        self, challenger: ServedVersion, rows: pa.Table, until: float
    ) -> list[pa.Array]:
        """Its predictions of the first rows, as many as it answers until then."""
        sent, case = _sent(rows, challenger), challenger.use_case
        found: list[pa.Array] = []
        for at in range(0, rows.num_rows, CHUNK_ROWS):
            if self._clock() >= until:
                break
            answers = score_batch(challenger.scorer, sent.slice(at, CHUNK_ROWS), case)
            found.append(answers.column("prediction"))
        return found

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
        differ = 0
        if n_scored:
            scored = filled.slice(0, n_scored)
            same = pc.equal(scored.column("prediction"), scored.column("shadow"))
            differ = n_scored - (pc.sum(same).as_py() or 0)
        self.status = ShadowStatus(
            version,
            before.scored + n_scored,
            before.differ + differ,
            before.skipped + filled.num_rows - n_scored,
            before.seconds + seconds,
            problem,
        )


def _sent(rows: pa.Table, challenger: ServedVersion) -> pa.Table:
    """What the challenger reads; an error where the rows do not hold one as it was sent."""
    if hidden := altered(challenger.use_case):
        raise ValueError(f"the log does not hold {', '.join(hidden)} as sent")
    inputs = rows.column("inputs")
    return pa.table({name: pc.struct_field(inputs, [name]) for name in challenger.scorer.features})


def _filled(rows: pa.Table, parts: list[pa.Array], version: str | None) -> pa.Table:
    n_scored = sum(map(len, parts))
    found = {"shadow": parts, "shadow_version": [pa.repeat(version, n_scored)]}
    for name, known in found.items():
        at, field = rows.schema.get_field_index(name), rows.schema.field(name)
        missing = pa.nulls(rows.num_rows - n_scored, field.type)
        rows = rows.set_column(at, field, pa.concat_arrays([*known, missing]))
    return rows
