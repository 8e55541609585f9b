"""The gateway of a service that traces: imported only where FOURCYCLE_TRACE_URL is set."""

import time
from collections.abc import Sequence

from serving.endpoints.context import WorkerContext
from serving.http.gateway import BodyRoute, Gateway
from serving.requests.request import App, Request
from serving.telemetry.spans import Spans


class TracedGateway(Gateway):
    """Hands each answered request on to its span, too."""

    def __init__(
        self, app: App, routes: Sequence[BodyRoute], context: WorkerContext, spans: Spans
    ) -> None:
        super().__init__(app, routes, context)
        self._spans = spans

    def _note(self, call: Request, route: str, status: int) -> None:
        super()._note(call, route, status)
        self._spans.note(call, route, status, time.perf_counter() - call.started)
