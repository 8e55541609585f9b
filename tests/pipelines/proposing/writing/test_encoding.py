"""Encodings: by a mark, by UTF-8 of every byte, else asked with words as candidates read them."""

import pytest

from pipelines.proposing.writing.encoding import encoding_of

TEXT = "naïve façade Zürich Straße"


@pytest.mark.parametrize(
    ("content", "encoding", "asked"),
    [
        (b"plain", "utf-8", False),
        (TEXT.encode(), "utf-8", False),
        (TEXT.encode("utf-8-sig"), "utf-8", False),
        (TEXT.encode("utf-16"), "utf-16", False),
        (TEXT.encode("utf-16-le"), "utf-16-le", False),
        (TEXT.encode("utf-32"), "utf-32", False),
        (TEXT.encode("cp1252"), "cp1252", True),
    ],
)
def test_an_encoding(content: bytes, encoding: str, asked: bool) -> None:
    found, question = encoding_of([content])
    assert (found.value, question is not None) == (encoding, asked)


def test_a_sign_may_stand_in_two_blocks_and_a_foreign_one_in_the_last() -> None:
    content = TEXT.encode()
    assert encoding_of([content[:3], content[3:]])[0].value == "utf-8"
    _, question = encoding_of([b"x " * 1000, TEXT.encode("latin-1")])
    assert question
    assert "cp1252 reads 'naïve', 'façade', 'Zürich'" in question.text
    assert question.wrong("klingon")
    assert not question.wrong("latin-1")
