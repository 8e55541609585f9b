"""The reference of the service over HTTP: routes, headers, and why a request is not answered."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from contract.use_case.loader import load_use_case
from docs.site.markdown import code, fenced, table
from serving.http.openapi import paths
from serving.requests.errors import KINDS
from serving.scoring.scorer import Scorer
from serving.scoring.version import ServedVersion

HEAD = """# HTTP

`make serve` answers at <http://127.0.0.1:8080>. `/docs` of the running service has the same with a
form to try it, for the very version that answers; `/openapi.json` is for programs. The examples are
those of the use case `penguins`. More of the service stands in [serving](../serving.md).

"""
HEADERS = (
    ("`X-Request-Id`", "both", "id of the request; the caller's own is said back"),
    (
        "`X-Prediction-Request-Id`",
        "answer",
        "id in the log, where the caller gave one",
    ),
    ("`X-Model-Version`", "answer", "the version that answered"),
    ("`X-Logged`", "answer", "`false` where the answer could not be written down"),
    ("`Authorization`", "request", "`Bearer <key>`, where the service asks for keys"),
    ("`Retry-After`", "answer", "seconds until it is worth asking again, beside 503"),
    ("`ETag`", "answer", "of pages and documents; who sends it as `If-None-Match` gets 304"),
    (
        "`Inference-Header-Content-Length`",
        "request",
        "bytes of the JSON, where the values of tensors follow it",
    ),
)
PAGES = (
    ("`GET /`", "The page for people: which version answers, its card, a form to try."),
    ("`GET /ping`", "Whether a version answers, as MLflow's own server says it."),
    ("`GET /version`", "MLflow's version."),
    (
        "`GET /ready`",
        "Whether all workers that run can answer, with every reason why not; 503 if not.",
    ),
    (
        "`GET /metrics`",
        "Counters for Prometheus, or as OpenMetrics by `Accept`: [metrics](metrics.md).",
    ),
    ("`GET /docs`, `GET /redoc`, `GET /openapi.json`", "The API, for people and for programs."),
)
REASONS = {
    "bad_http": "this is no HTTP request, or it names no host or two",
    "http_version": "HTTP/1.1 or 1.0 is needed",
    "not_implemented": "a method, or a `Transfer-Encoding`, that the service does not know",
    "bad_body": "the body is no rows of this protocol",
    "bad_cell": "a value does not fit its column; 422 on `/predict` and `/feedback`",
    "unauthorized": "no key, or one that is not known",
    "forbidden": "the key may not do this",
    "not_found": "no such address, model or version",
    "method": "the address knows another method",
    "timeout": "the body took longer than `FOURCYCLE_SERVE_BODY_S`",
    "too_much": "more than `FOURCYCLE_SERVE_MAX_BYTES`, or `FOURCYCLE_SERVE_MAX_ROWS`",
    "media_type": "another `Content-Type` is needed",
    "model_error": "the model failed on these rows",
    "internal": "a fault of the service",
    "not_ready": "no version answers yet, or the service is stopping",
    "interrupted": "the process that worked on a large body has ended",
    "overloaded": "more than `FOURCYCLE_SERVE_CONCURRENCY` requests at once",
    "log_full": "the answer can't be written down, and `FOURCYCLE_LOG_FULL` is `reject`",
}


def page() -> str:
    """The whole page."""
    kinds = [(str(kind.status.value), code(name), REASONS[name]) for name, kind in KINDS.items()]
    return (
        HEAD
        + "".join(_operations())
        + "## Pages\n\n"
        + table(("route", "answers"), PAGES)
        + "## Headers\n\n"
        + table(("header", "in", "meaning"), HEADERS)
        + "## Why a request is not answered\n\n"
        + "The member `reason` of the problem (RFC 9457) holds the word. MLflow's protocol and\n"
        + "the Open Inference Protocol say the same sentence in their own form.\n\n"
        + table(("status", "reason", "when"), kinds)
    )


def _operations() -> Iterator[str]:
    for path, methods in paths(_served()).items():
        operation = methods["post"]
        yield f"## `POST {path}`\n\n{operation['summary']}.\n\n"
        if said := operation.get("description"):
            yield f"{said}\n\n"
        for media, content in operation["requestBody"]["content"].items():
            if shown := example(content):
                yield f"As `{media}`:\n\n" + fenced(shown, "json" if "json" in media else "text")


def example(content: dict[str, Any]) -> str:
    """A body as the OpenAPI document shows it, "" where it shows none."""
    found = content.get("example")
    if found is None:
        return ""
    return found if isinstance(found, str) else json.dumps(found, indent=1, ensure_ascii=False)


def _served() -> ServedVersion:
    """A version of penguins as the documents need it: its use case, and a scorer never asked."""
    use_case = load_use_case("penguins")
    classes = use_case.columns[use_case.target].categories or ()
    return ServedVersion("penguins", "1", "", use_case, Scorer((), classes, _unasked))


def _unasked(_: Any) -> npt.NDArray[np.float64]:
    raise NotImplementedError("documents ask no model")
