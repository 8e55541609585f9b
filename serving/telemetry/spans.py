"""OpenTelemetry: one span for each request, sent as OTLP over HTTP by a thread beside the loop.

Imported only where FOURCYCLE_TRACE_URL is set. An answered request costs one look at its
`traceparent` and one append; its span is put together later. No value of a row is in it.
"""

import http.client
import logging
import random
import re
import socket
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass
from urllib.parse import urlsplit

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from contract.settings import Settings
from serving.requests.request import Request

EVERY_S = 1.0
TIMEOUT_S = 5
LONGEST_PAUSE_S = 30.0
MOST_WAITING = 20_000  # spans; a receiver that is away must not eat the memory
BATCH = 1_000
LISTED = 100  # prediction ids of one span; those of the other rows follow from them
TRY_AGAIN = {429, 502, 503, 504}  # what OTLP says is worth another try
SAMPLED = 1
# https://www.w3.org/TR/trace-context/#traceparent-header; later versions may append more.
PARENT = re.compile(rb"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
Attribute = str | int | list[str]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parent:
    """What the caller says of the trace that a request belongs to."""

    trace_id: bytes  # 16 bytes
    span_id: bytes  # 8 bytes
    sampled: bool
    state: str = ""


def parent_of(headers: dict[bytes, bytes]) -> Parent | None:
    """The caller's trace; None where none is named as W3C's Trace Context asks."""
    found = PARENT.fullmatch(headers.get(b"traceparent", b""))
    if found is None or (found[1] == b"00" and found[5]):
        return None
    trace_id, span_id = bytes.fromhex(found[2].decode()), bytes.fromhex(found[3].decode())
    if not any(trace_id) or not any(span_id):
        return None
    state = headers.get(b"tracestate", b"").decode("latin-1")
    return Parent(trace_id, span_id, bool(int(found[4], 16) & SAMPLED), state)


@dataclass(frozen=True, slots=True)
class Answered:
    """One request as it was answered."""

    ended: float  # seconds since 1970
    call: Request
    parent: Parent | None
    route: str
    status: int
    seconds: float


class Spans:
    """Takes answered requests at once and sends their spans a little later."""

    def __init__(self, url: str, share: float = 1.0, use_case: str = "") -> None:
        self._url, self._share, self._use_case = urlsplit(url), share, use_case
        self._waiting: deque[Answered] = deque(maxlen=MOST_WAITING)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spans", daemon=True)
        self._away = False

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send what waits, once, and end."""
        self._ending.set()
        self._thread.join(timeout=2 * TIMEOUT_S)

    def note(self, call: Request, route: str, status: int, seconds: float) -> None:
        """Take an answered request, unless its caller or the dice say that nobody wants it."""
        parent = parent_of(call.headers)
        if parent.sampled if parent else random.random() < self._share:  # noqa: S311  # no secret
            self._waiting.append(Answered(time.time(), call, parent, route, status, seconds))

    def _run(self) -> None:
        pause_s = EVERY_S
        while not self._ending.wait(pause_s):
            pause_s = EVERY_S if self._send_all() else min(2 * pause_s, LONGEST_PAUSE_S)
        self._send_all()

    def _send_all(self) -> bool:
        """Whether the receiver took, or refused for good, everything that waited."""
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            if not self._send(batch):
                room = MOST_WAITING - len(self._waiting)
                self._waiting.extendleft(reversed(batch[-room:] if room else []))
                return False
        return True

    def _send(self, batch: list[Answered]) -> bool:
        body = exported(batch, self._use_case).SerializeToString()
        try:
            status = self._post(body)
        except (OSError, http.client.HTTPException) as error:
            self._say(f"the receiver of spans does not answer: {type(error).__name__}")
            return False
        if status in TRY_AGAIN:
            self._say(f"the receiver of spans answers {status}")
            return False
        if status >= 300:
            logger.warning("%s spans were refused by their receiver: %s", len(batch), status)
        self._away = False
        return True

    def _post(self, body: bytes) -> int:
        https = self._url.scheme == "https"
        kind = http.client.HTTPSConnection if https else http.client.HTTPConnection
        connection = kind(str(self._url.hostname), self._url.port, timeout=TIMEOUT_S)
        try:
            headers = {"Content-Type": "application/x-protobuf"}
            connection.request("POST", self._url.path or "/v1/traces", body, headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def _say(self, trouble: str) -> None:
        """Once, until it is over."""
        if not self._away:
            logger.warning("%s; up to %s spans wait", trouble, MOST_WAITING)
        self._away = True


def exported(batch: list[Answered], use_case: str) -> ExportTraceServiceRequest:
    """Spans as OTLP's message."""
    about: dict[str, Attribute] = {
        "service.name": "fourcycle-serving",
        "service.instance.id": socket.gethostname(),
        "fourcycle.use_case": use_case,
    }
    of_scope = ScopeSpans(spans=[span(answered) for answered in batch])
    of_scope.scope.name = "fourcycle.serving"
    of_resource = ResourceSpans(scope_spans=[of_scope])
    of_resource.resource.attributes.extend(attributes(about))
    return ExportTraceServiceRequest(resource_spans=[of_resource])


def span(answered: Answered) -> Span:
    """The span of one request, named and described by OpenTelemetry's conventions for HTTP."""
    call, parent = answered.call, answered.parent
    own = uuid.UUID(call.own_id).bytes  # a span that is sent again keeps its name
    ended_ns = round(answered.ended * 1e9)
    made = Span(
        trace_id=parent.trace_id if parent else own,
        span_id=own[8:],
        parent_span_id=parent.span_id if parent else b"",
        trace_state=parent.state if parent else "",
        name=f"{call.method} {answered.route}",
        kind=Span.SPAN_KIND_SERVER,
        start_time_unix_nano=ended_ns - round(answered.seconds * 1e9),
        end_time_unix_nano=ended_ns,
        attributes=attributes(described(answered)),
    )
    if answered.status >= 500:
        made.status.code = Status.STATUS_CODE_ERROR
    return made


def described(answered: Answered) -> dict[str, Attribute]:
    """What a span says of its request."""
    call = answered.call
    found: dict[str, Attribute] = {
        "http.request.method": call.method,
        "http.route": answered.route,
        "http.response.status_code": answered.status,
        "http.request.body.size": call.bytes_in,
        "fourcycle.request_id": call.request_id,
        "fourcycle.rows": call.rows,
    }
    if call.version:
        found["fourcycle.model.version"] = call.version
        ids = [f"{call.own_id}-{row}" for row in range(min(call.rows, LISTED))]
        found["fourcycle.prediction_ids"] = ids
    if call.reason:
        found["error.type"] = call.reason
    return found


def attributes(of: dict[str, Attribute]) -> list[KeyValue]:
    """Attributes as OTLP writes them."""
    return [KeyValue(key=name, value=_value(value)) for name, value in of.items()]


def _value(value: Attribute) -> AnyValue:
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=value)
    return AnyValue(array_value=ArrayValue(values=[AnyValue(string_value=v) for v in value]))


def open_spans(settings: Settings, use_case: str) -> Spans:
    """Spans of a worker."""
    return Spans(settings.trace_url, settings.trace_share, use_case)
