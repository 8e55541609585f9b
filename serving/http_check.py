"""Ask a package its golden rows as callers would: over HTTP, by every protocol, of a worker.

The worker is the service's own, in this process, on a port of 127.0.0.1 and without a log. What
only a request can break (a name of a column that no decoder takes, say) is found here.
"""

import asyncio
import hashlib
import json
import secrets
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import uvloop
from pydantic import SecretStr

from contract.errors import Refused
from contract.settings import Settings
from contract.store.package import MANIFEST_FILE
from serving.endpoints.predictions import JSON_ROWS, class_name
from serving.requests import oip
from serving.scoring.cache import Announcement, Cache, FetchedVersion
from serving.scoring.scorer import Predictions
from serving.scoring.version import Golden, ServedVersion, check_answers, check_golden
from serving.worker import open_server

LONGEST_S = 30  # without a word of the worker
SHOWN = 300  # characters of an answer that is none


@dataclass(frozen=True)
class Way:
    """One way to ask for all golden rows, and to read the answer."""

    path: str
    body: dict[str, Any]
    read: Callable[[Any], Predictions]


def ask(folder: Path, name: str, version: str, registered: str) -> ServedVersion:
    """The version in a folder, once it has answered; Refused with the reason unless it can.

    `registered` is the digest that it must have; "" where nobody knows one.
    """
    digest = registered or hashlib.sha256((folder / MANIFEST_FILE).read_bytes()).hexdigest()
    with tempfile.TemporaryDirectory() as place:
        settings = _settings(place)
        cache, now = Cache(settings.cache_root / name), datetime.now(UTC)
        there = cache.version_folder(digest)
        there.parent.mkdir(parents=True)
        there.symlink_to(folder.resolve(), target_is_directory=True)
        champion = FetchedVersion(version, digest, now)
        cache.announce(Announcement(name, champion, reachable=True, polled=now))
        return uvloop.run(_serve_and_ask(name, settings))


def _settings(place: str) -> Settings:
    """The defaults, whatever the environment says; nothing is logged, so any secret will do."""
    return Settings.model_construct(
        serve_cache=place,
        serve_access_log=False,
        log_spool=place,
        log_sync="off",
        log_secret=SecretStr(secrets.token_hex()),
    )


async def _serve_and_ask(name: str, settings: Settings) -> ServedVersion:
    server = await open_server(name, settings)
    served = server.current.served()
    if served is None:
        raise Refused(" ".join(server.current.status().trouble))
    check_golden(served)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        working = asyncio.create_task(server.serve([listener]))
        asking = asyncio.create_task(asyncio.to_thread(_ask, port, served))
        await asyncio.wait((working, asking), return_when=asyncio.FIRST_COMPLETED)
        server.stop()
        await working
    await asking  # after the listener's end, or it might wait for a worker that did not start
    return served


def _ask(port: int, served: ServedVersion) -> None:
    assert served.golden is not None  # check_golden has seen it
    connection = HTTPConnection("127.0.0.1", port, timeout=LONGEST_S)
    for way in ways(served, served.golden):
        try:
            found = way.read(_post(connection, way))
        except (Refused, HTTPException, OSError, ValueError, LookupError, TypeError) as error:
            raise Refused(
                f"Version {served.version} of {served.name} can't be served: its golden rows by "
                f"POST {way.path}: {error}"
            ) from error
        check_answers(served, found, served.golden.expected, f" by POST {way.path}")
    connection.close()


def _post(connection: HTTPConnection, way: Way) -> Any:
    connection.request("POST", way.path, json.dumps(way.body), {"Content-Type": JSON_ROWS})
    answer = connection.getresponse()
    text = answer.read().decode()
    if answer.status != HTTPStatus.OK:
        raise Refused(f"{answer.status} {text[:SHOWN]}")
    return json.loads(text)


def ways(served: ServedVersion, golden: Golden) -> list[Way]:
    """All three protocols."""
    columns, use_case = golden.columns, served.use_case
    n_rows, classes = len(golden.expected.prediction), served.scorer.classes
    data = [[values[row] for values in columns.values()] for row in range(n_rows)]
    tensors = [
        {
            "name": name,
            "shape": [n_rows],
            "datatype": oip.datatype(use_case.columns[name]),
            "data": values,
        }
        for name, values in columns.items()
    ]
    names = [class_name(value) for value in classes]

    def predicted(found: Any) -> Predictions:
        rows = found["predictions"]
        shares = [[row["probability"][name] for name in names] for row in rows] if names else None
        return Predictions([row["prediction"] for row in rows], shares)

    def invoked(found: Any) -> Predictions:  # MLflow's protocol tells no probabilities
        return Predictions(found["predictions"], golden.expected.probability)

    def inferred(found: Any) -> Predictions:
        outputs = {output["name"]: output["data"] for output in found["outputs"]}
        flat, width = outputs.get("probability", []), len(classes)
        shares = [flat[at : at + width] for at in range(0, len(flat), width or 1)]
        return Predictions(outputs["prediction"], shares if classes else None)

    split = {"columns": list(columns), "data": data}
    rows = [dict(zip(columns, row, strict=True)) for row in data]
    return [
        Way("/predict", {"rows": rows}, predicted),
        Way("/invocations", {"dataframe_split": split}, invoked),
        Way(f"/v2/models/{served.name}/infer", {"inputs": tensors}, inferred),
    ]
