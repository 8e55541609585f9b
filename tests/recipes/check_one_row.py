from pathlib import Path

import httpx

from tests.support.running import app_of, current_of, running


def test_one_row_is_answered_as_by_predict(package: Path, home: Path) -> None:
    with running(app_of(current_of(package, home), home)) as address:
        document = httpx.get(f"{address}/openapi.json").json()
        content = document["paths"]["/one"]["post"]["requestBody"]["content"]["application/json"]
        row = content["example"]
        one = httpx.post(f"{address}/one", json=row)
        known = httpx.post(f"{address}/predict", json={"rows": [row]})
        wrong = httpx.post(f"{address}/one", json=[row])
    assert one.json() == {"answer": known.json()["predictions"][0]["prediction"]}
    assert (wrong.status_code, wrong.json()["reason"]) == (400, "bad_body")
