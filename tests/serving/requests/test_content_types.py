"""Which bodies a Content-Type lets in."""

import pytest

from serving.requests.request import media_type


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (b"application/json", "application/json"),
        (b"Application/JSON ; charset=UTF-8", "application/json"),
        (b"application/json; charset=utf-8; v=1", "application/json"),
        (b'application/json;v="a;charset=latin1";charset="utf-8"', "application/json"),
        (b"application/json; charset=us-ascii", "application/json"),
        (b"application/json;", "application/json"),
        (b"text/csv; header=present", "text/csv"),
        (b"", ""),
        (b"application/json; charset=latin1", None),
        (b"application/json; v=1; charset=latin1", None),
        (b'application/json; charset="latin1"', None),
        (b"application/json; charset", None),
        (b"application/json; charset = utf-8", None),
    ],
)
def test_a_content_type(header: bytes, found: str | None) -> None:
    assert media_type(header) == found
