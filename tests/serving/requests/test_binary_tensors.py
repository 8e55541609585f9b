"""Values behind the JSON, as they were written by Triton's client."""

import struct
from typing import Any

import numpy as np
import pytest
from tritonclient.utils import serialize_byte_tensor

from serving.requests.binary_tensors import LETTERS, filled, split
from serving.requests.errors import Problem


def request(kind: Any, size: int, **more: Any) -> dict[str, Any]:
    part = {"name": "x", "datatype": kind, "parameters": {"binary_data_size": size}}
    return {"inputs": [part | more]}


@pytest.mark.parametrize("kind", LETTERS)
def test_numbers_come_as_they_were_written(kind: str) -> None:
    values = [True, False] if kind == "BOOL" else [0, 1, 100]
    part = struct.pack(f"<{len(values)}{LETTERS[kind]}", *values)
    assert filled(request(kind, len(part)), part)["inputs"][0]["data"] == values


def test_texts_come_as_tritons_client_writes_them() -> None:
    texts = ["", "Biscoe", "\u00e9\u00df"]
    part = serialize_byte_tensor(np.array(texts, dtype=object)).item()
    assert filled(request("BYTES", len(part)), part)["inputs"][0]["data"] == texts


@pytest.mark.parametrize(
    ("asked", "part", "said"),
    [
        (request("FP32", 5), b"12345", "no whole number of FP32"),
        (request("FP32", 8), b"1234", "must follow the JSON"),
        (request("FP32", 4, data=[1]), b"1234", "in the place of data"),
        (request("FP32", -4), b"", "must be a number of bytes"),
        (request("BF16", 2), b"12", "datatype must be one of"),
        (request([], 2), b"12", "datatype must be one of"),
        (request("BYTES", 3), b"\0\0\0", "shorter than its length"),
        (request("BYTES", 5), b"\2\0\0\0a", "shorter than its length"),
        (request("BYTES", 5), b"\1\0\0\0\xff", "not in UTF-8"),
        ({"inputs": []}, b"1", "say 0 bytes, 1 follow"),
    ],
)
def test_what_does_not_add_up_is_said(asked: Any, part: bytes, said: str) -> None:
    with pytest.raises(Problem, match=said):
        filled(asked, part)


@pytest.mark.parametrize("length", [b"", b"-1", b"11", b"1e1", b"9" * 400, "\u00b2".encode()])
def test_a_length_that_is_none_is_refused(length: bytes) -> None:
    with pytest.raises(Problem, match="how many bytes"):
        split(b"0123456789", length)
    assert split(b"0123", None) == (b"0123", b"")
    assert split(b"0123", b"3") == (b"012", b"3")
