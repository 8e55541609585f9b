"""One rule for every address that is asked by GET: HEAD, OPTIONS, and a slash at the end."""

from typing import Any

from fastapi import FastAPI
from starlette.routing import Match

from serving.requests.errors import Headers
from serving.requests.request import Receive, Scope, Send

READS = "GET, HEAD, OPTIONS"
WHOLE_SERVICE = "/*"  # of OPTIONS *, which asks for no address


class GetRoutes:
    """FastAPI's routes, all of which are asked by GET, by HTTP's rules for that (RFC 9110, 9.3)."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer HEAD as GET (uvicorn leaves the body out) and OPTIONS by the methods."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method, asked = scope["method"], dict(scope)
        if method in ("HEAD", "OPTIONS"):
            asked["method"] = "GET"
        if method == "OPTIONS" and self._is_ours(asked):
            await send(methods_answer(READS.encode()))
            await send({"type": "http.response.body", "body": b""})
        elif method == "OPTIONS" and asked["path"] == WHOLE_SERVICE:
            await send(methods_answer(b"GET, HEAD, POST, OPTIONS"))
            await send({"type": "http.response.body", "body": b""})
        else:
            await self._app(asked, receive, send)
            scope["route"] = asked.get("route")

    def _is_ours(self, scope: dict[str, Any]) -> bool:
        return any(route.matches(scope)[0] is Match.FULL for route in self._app.routes)


def methods_answer(allow: bytes, headers: Headers | None = None) -> dict[str, Any]:
    """The head of an answer to OPTIONS."""
    told = [(b"allow", allow), *(headers or [])]
    return {"type": "http.response.start", "status": 204, "headers": told}
