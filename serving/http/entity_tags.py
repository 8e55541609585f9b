"""Documents with an ETag: whoever has one already is told so (RFC 9110, 8.8.3 and 13.1.2)."""

import hashlib

from fastapi import Request, Response

KEPT = "no-cache"  # a copy may be kept, and is asked about before each use


def tagged(request: Request, response: Response) -> Response:
    """The answer with the tag of its content; 304 without that where the caller has it."""
    tag = f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = KEPT
    if not _has(request.headers.get("if-none-match"), tag):
        return response
    kept = {"ETag": tag, "Cache-Control": KEPT}
    kept |= {n: v for n, v in response.headers.items() if n in ("vary", "x-model-version")}
    return Response(status_code=304, headers=kept)


def _has(sent: str | None, tag: str) -> bool:
    tags = [part.strip().removeprefix("W/") for part in (sent or "").split(",")]
    return "*" in tags or tag in tags
