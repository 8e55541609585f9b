"""Strict JSON: no NaN, no Infinity, no name twice, no lone surrogates, bounded depth."""

import json
from typing import Any, NoReturn

from serving.requests.errors import Problem


def parse_json(body: bytes) -> Any:
    """The value in `body`; a Problem unless it is strict JSON in UTF-8."""
    try:
        value = json.loads(
            body.decode("utf-8"),
            parse_constant=_no_constant,
            parse_float=_finite,
            object_pairs_hook=_once,
        )
        if b"\\u" in body:  # the only way to write a lone surrogate
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise Problem(
            "bad_body",
            "The body is not valid JSON in UTF-8 with finite numbers and no name twice.",
        ) from None
    return value


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object names a member twice")
    return members


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError("number out of range")
    return value
