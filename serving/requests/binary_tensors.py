"""Tensors whose values follow the JSON as bytes, as Triton's binary extension has them.

The head `Inference-Header-Content-Length` says where the JSON ends; from there on lie the values of
each input that has `binary_data_size` among its parameters, in the order of the inputs.
"""

import struct
from collections.abc import Iterator, Mapping
from typing import Any

from serving.requests.errors import Problem

JSON_LENGTH = b"inference-header-content-length"
SIZE = "binary_data_size"
# Letters of `struct`, for values one after the other, the lowest byte first.
LETTERS = {
    "BOOL": "?",
    **{f"INT{bits}": letter for bits, letter in ((8, "b"), (16, "h"), (32, "i"), (64, "q"))},
    **{f"UINT{bits}": letter for bits, letter in ((8, "B"), (16, "H"), (32, "I"), (64, "Q"))},
    **{f"FP{bits}": letter for bits, letter in ((16, "e"), (32, "f"), (64, "d"))},
}
LONGEST_LENGTH = 12  # digits


def split(body: bytes, length: bytes | None) -> tuple[bytes, bytes]:
    """The JSON of a body and the values behind it; a Problem where the head's length is none."""
    if length is None:
        return body, b""
    if not length.isdigit() or len(length) > LONGEST_LENGTH or int(length) > len(body):
        raise _bad("Inference-Header-Content-Length must say how many bytes of the body are JSON.")
    return body[: int(length)], body[int(length) :]


def filled(request: Any, values: bytes) -> Any:
    """The request with `data` in each input whose values lie behind the JSON.

    A Problem unless the sizes of the inputs add up to what is there.
    """
    inputs = request.get("inputs") if isinstance(request, dict) else None
    if not isinstance(inputs, list):
        return request
    found, start = [], 0
    for at, tensor in enumerate(inputs):
        size = _size(tensor, at)
        if size is None:
            found.append(tensor)
            continue
        part = values[start : start + size]
        start += size
        if len(part) < size or "data" in tensor:
            raise _bad(f"Input {at}: {SIZE} bytes must follow the JSON in the place of data.")
        found.append(tensor | {"data": _read(part, tensor.get("datatype"), at)})
    if start != len(values):
        raise _bad(f"The sizes of the inputs say {start} bytes, {len(values)} follow the JSON.")
    return request | {"inputs": found}


def _size(tensor: Any, at: int) -> int | None:
    parameters = tensor.get("parameters") if isinstance(tensor, dict) else None
    if not isinstance(parameters, Mapping) or SIZE not in parameters:
        return None
    size = parameters[SIZE]
    if type(size) is not int or size < 0:
        raise _bad(f"Input {at}: {SIZE} must be a number of bytes.")
    return size


def _read(part: bytes, kind: Any, at: int) -> list[Any]:
    """The values of one input."""
    if kind == "BYTES":
        return list(_texts(part, at))
    letter = LETTERS.get(kind) if isinstance(kind, str) else None
    if letter is None:
        raise _bad(f"Input {at}: datatype must be one of BYTES, {', '.join(sorted(LETTERS))}.")
    count, rest = divmod(len(part), struct.calcsize(letter))
    if rest:
        raise _bad(f"Input {at}: {len(part)} bytes are no whole number of {kind} values.")
    return list(struct.unpack(f"<{count}{letter}", part))


def _texts(part: bytes, at: int) -> Iterator[str]:
    """Texts in UTF-8, each behind its length in four bytes."""
    start = 0
    while start < len(part):
        end = start + 4 + int.from_bytes(part[start : start + 4], "little")
        if start + 4 > len(part) or end > len(part):
            raise _bad(f"Input {at}: a text is shorter than its length says.")
        try:
            yield part[start + 4 : end].decode("utf-8")
        except UnicodeDecodeError:
            raise _bad(f"Input {at}: a text is not in UTF-8.") from None
        start = end


def _bad(message: str) -> Problem:
    return Problem("bad_body", message)
