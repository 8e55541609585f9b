"""What stands in the log of where a row was asked, and of times that can't be judged."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import httpx

from serving.log.prediction_record import PredictionRecord
from serving.log.record import decode
from serving.log.spool import closed_segments
from serving.shipping.record_kinds import PREDICTIONS
from serving.shipping.segment_rows import Placed, read_segment
from tests.support.running import app_of, current_of, running, spool_in
from tests.support.small import SMALL, pack, save_model

TIMED = SMALL.replace("keys: [id]", "keys: [id]\nevent_time: at").replace(
    "  kind:", "  at: {type: timestamp}\n  kind:"
)


def record_of(placed: Placed) -> PredictionRecord:
    return cast(PredictionRecord, decode(placed.frame))


def test_tries_of_the_form_are_marked_and_impossible_times_flagged(home: Path) -> None:
    package = pack(save_model(home / "model"), home / "package", TIMED)
    now = datetime.now(UTC)
    moments = {
        "9999-12-31T23:59:59Z": ["out_of_range:at"],
        "0001-01-01T00:00:00Z": ["out_of_range:at"],
        (now + timedelta(days=2)).isoformat(): ["out_of_range:at"],
        (now + timedelta(hours=23)).isoformat(): [],
        "2013-07-01T00:00:00Z": [],
    }
    rows = [{"size": 1.0, "at": moment} for moment in moments]
    tried = {"size": 1.0, "id": 7}
    with running(app_of(current_of(package, home), home)) as address:
        asked = [
            httpx.post(f"{address}/predict", json={"rows": rows}),
            httpx.post(f"{address}/invocations", json={"dataframe_records": rows}),
            httpx.post(f"{address}/predict", json={"rows": [tried]}, headers={"X-Source": "form"}),
            httpx.post(f"{address}/predict", json={"rows": [tried]}, headers={"X-Source": "else"}),
        ]
    assert [answer.status_code for answer in asked] == [200] * 4
    logged = [
        row
        for segment in closed_segments(spool_in(home))
        for schema, group in read_segment(segment, PREDICTIONS).groups
        for row in PREDICTIONS.rows(
            schema, [cast(PredictionRecord, decode(placed.frame)) for placed in group]
        ).to_pylist()
    ]
    assert [row["flags"] for row in logged] == [*moments.values(), *moments.values(), [], []]
    assert [row["source"] for row in logged] == ["http"] * 10 + ["form", "http"]
