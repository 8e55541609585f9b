"""What frames of a spool hold, as values: written and read again, or refused with the reason."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from contract.use_case.sections.column import Column
from serving.log.feedback_record import FeedbackRecord
from serving.log.prediction_record import PredictionRecord, schema_hash
from serving.log.record import (
    Record,
    RecordSchema,
    UnreadableRecord,
    decode,
    encode,
    kind_of,
)
from serving.log.segment_frames import VERSION, Frame, FrameKind
from tests.conftest import made_use_case

NOW = datetime(2024, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
ANSWERED = PredictionRecord(
    request_id="r1",
    model="made",
    version="3",
    schema_hash="0123456789abcdef",
    features={"size": [1.5, None], "colour": ["red", "green"]},
    keys={"id": [1, None]},
    event_time=[NOW, None],
    prediction=[True, False],
    probability=[[0.25, 0.75], [1.0, 0.0]],
    flags=[[], ["unseen:colour"]],
    latency_ms=0.5,
    logged_time=NOW,
    key_id=None,
)
TOLD = FeedbackRecord(
    request_id="r2",
    schema_hash="0123456789abcdef",
    prediction_id=["r1-0", None, None],
    keys={"id": [None, 2, 3]},
    event_time=[None, NOW, NOW],
    label=[True, False, True],
    label_time=[None, None, NOW],
    received_time=NOW,
    key_id="team",
)


def frame(kind: int, payload: bytes, version: int = VERSION) -> Frame:
    return Frame(0, kind, version, 2, payload)


@pytest.mark.parametrize(
    ("record", "kind"), [(ANSWERED, FrameKind.PREDICTIONS), (TOLD, FrameKind.FEEDBACK)]
)
def test_a_record_comes_back_as_it_went(record: Record, kind: FrameKind) -> None:
    assert kind_of(record) is kind
    assert decode(frame(kind, encode(record))) == record


def test_rows_are_counted_and_have_ids() -> None:
    assert (ANSWERED.n_rows, TOLD.n_rows) == (2, 3)
    assert ANSWERED.prediction_ids == ["r1-0", "r1-1"]
    assert ANSWERED.source == "http"


def test_a_record_from_before_a_field_has_its_default() -> None:
    values = msgspec.to_builtins(ANSWERED, builtin_types=(datetime,))[:-1]
    assert decode(frame(FrameKind.PREDICTIONS, msgspec.msgpack.encode(values))) == ANSWERED


def test_a_schema_names_the_columns_that_are_logged(home: Path) -> None:
    use_case = made_use_case(home)
    schema = RecordSchema.of(use_case)
    assert schema.features == {"colour": "string", "size": "number", "group": "string"}
    assert schema.keys == {"id": "integer"}
    assert schema.prediction == "boolean"
    assert schema.schema_hash == schema_hash(use_case)
    assert decode(frame(FrameKind.SCHEMA, encode(schema))) == schema


def test_a_schema_s_hash_is_that_of_names_and_types(home: Path) -> None:
    use_case = made_use_case(home)
    found = schema_hash(use_case)
    assert len(found) == 16
    assert int(found, 16) >= 0
    assert schema_hash(made_use_case(home, {"title": "Another"})) == found
    columns = dict(use_case.columns) | {"size": Column(type="integer")}
    assert schema_hash(made_use_case(home, {"columns": columns})) != found
    columns = dict(use_case.columns) | {"late": Column(type="string")}
    assert schema_hash(made_use_case(home, {"columns": columns})) != found
    assert schema_hash(made_use_case(home, {"name": "other"})) != found


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            frame(FrameKind.PREDICTIONS, encode(ANSWERED), VERSION + 1),
            f"record version {VERSION + 1}, this shipper reads {VERSION}",
        ),
        (
            frame(FrameKind.PREDICTIONS, encode(ANSWERED), VERSION - 1),
            f"record version {VERSION - 1}, this shipper reads {VERSION}",
        ),
        (frame(99, encode(ANSWERED)), "kind 99 is unknown"),
        (frame(FrameKind.PREDICTIONS, b""), "the payload is no predictions: "),
        (frame(FrameKind.FEEDBACK, encode(ANSWERED)), "the payload is no feedback: "),
    ],
)
def test_what_another_version_wrote_is_said(given: Frame, said: str) -> None:
    with pytest.raises(UnreadableRecord, match=said):
        decode(given)


def test_records_are_lists_in_the_order_of_their_fields(home: Path) -> None:
    """Names would cost half the log."""
    schema = RecordSchema.of(made_use_case(home))
    for record, first in ((ANSWERED, "r1"), (TOLD, "r2"), (schema, schema.schema_hash)):
        written = msgspec.msgpack.decode(encode(record))
        assert isinstance(written, list)
        assert written[0] == first
