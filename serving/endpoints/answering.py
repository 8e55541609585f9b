"""A version with what derives from it, and what it makes of a body: record and answer."""

import gc
import logging
import time
from collections import Counter
from datetime import datetime
from itertools import chain

import msgspec

from contract.use_case.pseudonymisation import Pseudonymiser
from serving.log.prediction_record import PredictionRecord
from serving.protocols.protocol import BodyLimits
from serving.protocols.registry import PROTOCOLS
from serving.requests.columns import bounded, flag_times
from serving.requests.errors import Problem, place_of
from serving.requests.request import Request
from serving.scoring.version import ServedVersion

# A body of 10,000 rows makes as many tuples and lists, which are gone with its answer: looking for
# cycles among them at Python's own pace takes a fifth of the time of its answer.
YOUNG_OBJECTS = 50_000

logger = logging.getLogger(__name__)


class AnsweringVersion:
    """A served version with what derives from it, built once when it is first asked."""

    def __init__(
        self,
        served: ServedVersion,
        schema_hash: str,
        pseudonymiser: Pseudonymiser,
        limits: BodyLimits,
    ) -> None:
        self.served, self.use_case = served, served.use_case
        self.schema_hash, self.pseudonymiser = schema_hash, pseudonymiser
        self._max_rows = limits.max_rows
        self._codecs = {protocol.name: protocol.codec(served, limits) for protocol in PROTOCOLS}

    def answer(
        self, call: Request, protocol: str, body: bytes, now: datetime
    ) -> tuple[PredictionRecord, bytes]:
        """Decode, check, score and encode the rows of a body that came now; a Problem says why
        not."""
        codec, served = self._codecs[protocol], self.served
        checked, options = codec.decode(call, body)
        bounded(checked.n_rows, self._max_rows)
        flag_times(checked, self.use_case, now)
        try:
            predictions = served.scorer.score(checked.features)
        except Exception as error:  # whatever a model does, it is the model's fault
            logger.error("request %s: the model failed: %s", call.own_id, place_of(error))
            raise Problem("model_error", "The model could not answer these rows.") from None
        record = PredictionRecord(
            request_id=call.own_id,
            model=served.name,
            version=served.version,
            schema_hash=self.schema_hash,
            features=self.pseudonymiser.apply(checked.features),
            keys=self.pseudonymiser.apply(checked.keys),
            event_time=checked.event_time,
            prediction=predictions.prediction,
            probability=predictions.probability,
            flags=checked.flags,
            latency_ms=(time.perf_counter() - call.started) * 1000,
            logged_time=now,
            key_id=call.key,
            source=call.source,
        )
        return record, msgspec.json.encode(codec.encode(record, options))


def tally(flags: list[list[str]]) -> dict[str, int]:
    """How often each flag is there, from those of each row."""
    return dict(Counter(chain.from_iterable(flags))) if any(flags) else {}


def collect_rarely() -> None:
    """Look for cycles at a pace that suits large bodies, and not at all in what is there now."""
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
    gc.enable()  # a worker starts without
