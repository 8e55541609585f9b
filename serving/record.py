"""What the frames of a spool hold: answered requests or feedback, and the columns they have.

Every segment describes itself: the first record of a schema follows a frame with its columns and
their types, so that the shipper asks neither the registry nor today's use case.
"""

from typing import Any

import msgspec

from contract.use_case import UseCase
from serving.answered import Answered, schema_hash
from serving.feedback_record import Feedback
from serving.frames import VERSION, Frame, Kind

FEEDBACK_FOLDER = "feedback"  # in the folder of a use case's spools: feedback has spools of its own

Record = Answered | Feedback


class Schema(msgspec.Struct, frozen=True, array_like=True):
    """Columns of records and their types in the log."""

    schema_hash: str
    features: dict[str, str]
    keys: dict[str, str]
    prediction: str  # and label

    @classmethod
    def of(cls, use_case: UseCase) -> "Schema":
        """The records of a use case."""
        types = use_case.log_types
        return cls(
            schema_hash(use_case),
            {name: types[name] for name in use_case.features if name in types},
            {name: types[name] for name in use_case.keys if name in types},
            use_case.answer_type,
        )


class Unreadable(Exception):
    """A whole frame that this version of the code can't read; the message is the reason."""


# They keep a buffer each and are shared by all calls; msgspec guards them.
encode = msgspec.msgpack.Encoder().encode
_DECODERS: dict[int, msgspec.msgpack.Decoder[Any]] = {
    Kind.SCHEMA: msgspec.msgpack.Decoder(Schema),
    Kind.PREDICTIONS: msgspec.msgpack.Decoder(Answered),
    Kind.FEEDBACK: msgspec.msgpack.Decoder(Feedback),
}


def kind_of(record: Record) -> Kind:
    """The kind of a record's frame."""
    return Kind.FEEDBACK if isinstance(record, Feedback) else Kind.PREDICTIONS


def decode(frame: Frame) -> Schema | Record:
    """What a frame holds; Unreadable where the frame is of another time."""
    if frame.version != VERSION:
        raise Unreadable(f"record version {frame.version}, this shipper reads {VERSION}")
    if frame.kind not in _DECODERS:
        raise Unreadable(f"kind {frame.kind} is unknown")
    try:
        found: Schema | Record = _DECODERS[frame.kind].decode(frame.payload)
        return found
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Unreadable(f"the payload is no {Kind(frame.kind).name.lower()}: {error}") from error
