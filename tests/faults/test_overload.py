"""Three times more clients than the service has places for, who ask again at once.

How fast they are refused, and what is left of the throughput, is measured by benchmarks.overload.
"""

import json
from pathlib import Path

import httpx

from benchmarks.overload import answered, crowd
from pipelines.main import Outcome
from tests.support.service import until
from tests.support.traffic import ROW, service

PLACES = 4
BODY = json.dumps({"rows": [ROW] * 400})
SCRIPT = f"""
wrk.method, wrk.headers["Content-Type"], wrk.body = "POST", "application/json", [==[{BODY}]==]
"""


def test_who_is_too_many_is_told_to_come_again_and_the_rest_is_answered(
    trained: tuple[Path, Outcome], home: Path
) -> None:
    script = home / "wrk.lua"
    script.write_text(SCRIPT, encoding="utf-8")
    limits = {"serve_concurrency": str(PLACES), "log_sync": "os"}
    with service(trained[0], home, **limits) as serving:
        address = f"{serving.address}/predict"
        with httpx.Client(headers={"Content-Type": "application/json"}, timeout=30) as client:
            many = crowd(address, script, 3 * PLACES, seconds=3)
            told = [client.post(address, content=BODY) for _ in range(60)]
            good, refused = answered(many)
            until(lambda: client.post(address, content=BODY).status_code == httpx.codes.OK)
        assert good > refused / 100 > 0
        assert {t.status_code for t in told} <= {200, 503}
        assert {t.headers["Retry-After"] for t in told if t.status_code == 503} == {"1"}
        assert serving.ready()
