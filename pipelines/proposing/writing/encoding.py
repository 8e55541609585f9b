"""The encoding of a text file: its byte order mark, UTF-8 of every byte, else a question."""

import codecs
import re
from collections.abc import Iterable

from pipelines.proposing.inferred import Inferred
from pipelines.proposing.question import Question

MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: "utf-8",
}
# What most files that are no UTF-8 were written in, west to east; more may be answered.
CANDIDATES = ("cp1252", "cp1250", "cp1251", "mac-roman", "shift-jis")
SHOWN = 3
LONGEST = 30
WORD = re.compile(rb"[\w'\-\x80-\xff]*[\x80-\xff][\w'\-\x80-\xff]*")


def encoding_of(blocks: Iterable[bytes]) -> tuple[Inferred[str], Question | None]:
    """How the bytes of a file, (n_blocks,), are written; a question where only people know."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    before, first, foreign = b"", True, list[bytes]()
    for block in blocks:
        if first:
            for mark, name in MARKS.items():
                if block.startswith(mark):
                    return Inferred(name, "the file begins with its byte order mark"), None
            if half := _half_zero(block):
                return Inferred(half, "every second byte is zero", "likely"), None
        first = False
        if not foreign:
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                foreign = [b""]
        if foreign:
            foreign += WORD.findall(before[-LONGEST:] + block)
            words = list(dict.fromkeys(filter(None, foreign)))
            if len(words) >= SHOWN:
                break
        before = block
    if not foreign:
        return Inferred("utf-8", "every byte of the file is UTF-8"), None
    return _asked(list(dict.fromkeys(filter(None, foreign)))[:SHOWN])


def _half_zero(block: bytes) -> str:
    """UTF-16 without a mark: Latin letters have a zero beside each."""
    head = block[:1000]
    for name, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if len(head) > 3 and zeros.count(0) > len(zeros) * 0.7:
            return name
    return ""


def _asked(words: list[bytes]) -> tuple[Inferred[str], Question]:
    shown = {name: _read(words, name) for name in CANDIDATES}
    fitting = {name: read for name, read in shown.items() if read} or {"latin-1": []}
    assumed = next(iter(fitting))
    said = "; ".join(f"{name} reads {', '.join(map(repr, r))}" for name, r in fitting.items())
    question = Question(
        "encoding",
        f"the file is not UTF-8. {said}: which one is right? Any encoding of Python's may be named",
        assumed,
        wrong=_unknown,
    )
    return Inferred(assumed, "the file is not UTF-8", "a guess"), question


def _read(words: list[bytes], name: str) -> list[str]:
    try:
        return [word.decode(name)[:LONGEST] for word in words]
    except UnicodeDecodeError:
        return []


def _unknown(name: str) -> str:
    try:
        "".encode(name)
    except LookupError:
        return f"no encoding that Python knows, found {name!r}; e.g. cp1252 or latin-1"
    return ""
