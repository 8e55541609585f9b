"""What the frames of a spool hold: an answered request, and the columns that its records have.

Every segment describes itself: the first record of a schema follows a frame with its columns and
their types, so that the shipper asks neither the registry nor today's use case. A field added at
the end of `Answered` keeps the version; any other change needs the next one.
"""

from enum import IntEnum

import msgspec

from contract.use_case import UseCase
from serving.answered import Answered, schema_hash
from serving.frames import Frame

VERSION = 1


class Kind(IntEnum):
    """What a frame's payload is."""

    SCHEMA = 1
    PREDICTIONS = 2


class Schema(msgspec.Struct, frozen=True, array_like=True):
    """Columns of records and their declared types."""

    schema_hash: str
    features: dict[str, str]
    keys: dict[str, str]
    prediction: str

    @classmethod
    def of(cls, use_case: UseCase) -> "Schema":
        """The records of a use case."""
        types = {name: str(column.type) for name, column in use_case.columns.items()}
        return cls(
            schema_hash(use_case),
            {name: types[name] for name in use_case.features},
            {name: types[name] for name in use_case.keys},
            use_case.answer_type,
        )


class Unreadable(Exception):
    """A whole frame that this version of the code can't read; the message is the reason."""


# They keep a buffer each and are shared by all calls; msgspec guards them.
encode = msgspec.msgpack.Encoder().encode
_DECODERS: dict[int, msgspec.msgpack.Decoder[Schema] | msgspec.msgpack.Decoder[Answered]] = {
    Kind.SCHEMA: msgspec.msgpack.Decoder(Schema),
    Kind.PREDICTIONS: msgspec.msgpack.Decoder(Answered),
}


def decode(frame: Frame) -> Schema | Answered:
    """What a frame holds; Unreadable where the frame is of another time."""
    if frame.version != VERSION:
        raise Unreadable(f"record version {frame.version}, this shipper reads {VERSION}")
    if frame.kind not in _DECODERS:
        raise Unreadable(f"kind {frame.kind} is unknown")
    try:
        return _DECODERS[frame.kind].decode(frame.payload)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Unreadable(f"the payload is no {Kind(frame.kind).name.lower()}: {error}") from error
