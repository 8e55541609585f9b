"""What the frames of a spool hold: answered requests or feedback, and the columns they have.

Every segment describes itself: the first record of a schema follows a frame with its columns and
their types, so that the shipper asks neither the registry nor today's use case.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from contract.use_case.model import UseCase
from serving.log.feedback_record import FeedbackHead, FeedbackRecord
from serving.log.prediction_record import PredictionHead, PredictionRecord, schema_hash
from serving.log.segment_frames import VERSION, Frame, FrameKind

FEEDBACK_FOLDER = "feedback"  # in the folder of a use case's spools: feedback has spools of its own

Record = PredictionRecord | FeedbackRecord


class RecordSchema(msgspec.Struct, frozen=True, array_like=True):
    """Columns of records and their types in the log."""

    schema_hash: str
    features: dict[str, str]
    keys: dict[str, str]
    prediction: str  # and label

    @classmethod
    def of(cls, use_case: UseCase) -> "RecordSchema":
        """The records of a use case."""
        types = use_case.log_types
        return cls(
            schema_hash(use_case),
            {name: types[name] for name in use_case.inputs if name in types},
            {name: types[name] for name in use_case.keys if name in types},
            use_case.answer_type,
        )


class UnreadableRecord(Exception):
    """A whole frame that this version of the code can't read; the message is the reason."""


# They keep a buffer each and are shared by all calls; msgspec guards them.
encode = msgspec.msgpack.Encoder().encode
_DECODERS: dict[int, msgspec.msgpack.Decoder[Any]] = {
    FrameKind.SCHEMA: msgspec.msgpack.Decoder(RecordSchema),
    FrameKind.PREDICTIONS: msgspec.msgpack.Decoder(PredictionRecord),
    FrameKind.FEEDBACK: msgspec.msgpack.Decoder(FeedbackRecord),
}


def kind_of(record: Record) -> FrameKind:
    """The kind of a record's frame."""
    return FrameKind.FEEDBACK if isinstance(record, FeedbackRecord) else FrameKind.PREDICTIONS


_HEADS: dict[int, msgspec.msgpack.Decoder[Any]] = {
    FrameKind.PREDICTIONS: msgspec.msgpack.Decoder(PredictionHead),
    FrameKind.FEEDBACK: msgspec.msgpack.Decoder(FeedbackHead),
}


def decode(frame: Frame) -> RecordSchema | Record:
    """What a frame holds; UnreadableRecord where another version of the code wrote it."""
    value: RecordSchema | Record = _decoded(frame, _DECODERS)
    return value


def schema_named(frame: Frame) -> str:
    """The hash of a record's schema: `decode` without what follows it, which takes no time then."""
    return str(_decoded(frame, _HEADS).schema_hash)


def _decoded(frame: Frame, decoders: Mapping[int, msgspec.msgpack.Decoder[Any]]) -> Any:
    if frame.version != VERSION:
        raise UnreadableRecord(f"record version {frame.version}, this shipper reads {VERSION}")
    if frame.kind not in decoders:
        raise UnreadableRecord(f"kind {frame.kind} is unknown")
    try:
        return decoders[frame.kind].decode(frame.payload)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UnreadableRecord(
            f"the payload is no {FrameKind(frame.kind).name.lower()}: {error}"
        ) from error
