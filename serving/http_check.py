"""Ask a package its golden rows as callers would: over HTTP, by every protocol, of a worker.

The worker is the service's own, in this process, on a port of 127.0.0.1 and without a log. What
only a request can break (a name of a column that no decoder takes, say) is found here.
"""

import asyncio
import hashlib
import json
import os
import secrets
import socket
import tempfile
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import uvloop
from pydantic import SecretStr

from contract.errors import Refused
from contract.package import MANIFEST_FILE
from contract.settings import CODE_FOLDER, Settings
from serving.protocols.protocol import GoldenRequest
from serving.protocols.registry import PROTOCOLS
from serving.requests.request import JSON_ROWS
from serving.scoring.cache import Announcement, Cache, FetchedVersion
from serving.scoring.version import ServedVersion, check_answers, check_golden
from serving.worker import open_server

LONGEST_S = 30  # without a word of the worker
SHOWN = 300  # characters of an answer that is none


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
    """The defaults, whatever the environment says but of code; no log, so any secret will do."""
    return Settings.model_construct(
        serve_cache=place,
        serve_code=os.environ.get(CODE_FOLDER, ""),
        serve_access_log=False,
        log_spool=place,
        log_sync="off",
        log_secret=SecretStr(secrets.token_hex()),
    )


async def _serve_and_ask(name: str, settings: Settings) -> ServedVersion:
    server = await open_server(name, settings)
    server.last_word_s = 0  # nobody else asks
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
    for protocol in PROTOCOLS:
        request = protocol.golden_request(served, served.golden)
        try:
            predictions = request.read(_post(connection, request))
        except (Refused, HTTPException, OSError, ValueError, LookupError, TypeError) as error:
            raise Refused(
                f"Version {served.version} of {served.name} can't be served: its golden rows by "
                f"POST {request.path}: {error}"
            ) from error
        check_answers(served, predictions, served.golden.expected, f" by POST {request.path}")
    connection.close()


def _post(connection: HTTPConnection, request: GoldenRequest) -> Any:
    body, headers = (
        json.dumps(request.body, default=datetime.isoformat),
        {"Content-Type": JSON_ROWS},
    )
    connection.request("POST", request.path, body, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    if answer.status != HTTPStatus.OK:
        raise Refused(f"{answer.status} {text[:SHOWN]}")
    return json.loads(text)
