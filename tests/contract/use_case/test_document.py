import re
import time
from pathlib import Path

import pytest

from contract.errors import BadInput
from contract.use_case.document import read_document, read_file
from contract.use_case.loader import load_use_case
from tests.conftest import MADE

TEXT = MADE.replace("late: {type: boolean", "late: {type: string")

ODD: dict[str, tuple[bytes, str]] = {
    "latin-1": ("title: größe".encode("latin-1"), r"line 1: the byte 0xf6 is no UTF-8; save"),
    "utf-16": ("title: a".encode("utf-16"), r"line 1: the byte 0xff is no UTF-8"),
    "a zero byte": (b"title: a\nname: \0", r"line 2: a character stands there"),
    "a list as key": (b"? [a, b]\n: c\n", r"line 1: a list or a mapping can't be a key; quote it"),
    "a template": (b"name: x\ntitle: {{ name }}", r"line 2: .* can't be a key; quote it"),
    "a tab": (b"task: binary\n\tname: made\n", r"line 2 .*tab.*spaces"),
    "a tab in a block": (b"columns:\n\tid: {}\n", r"line 2 .*tab.*spaces"),
    "a key twice": (b"a: 1\nb: 2\na: 3\n", r"line 3: the key 'a' stands twice, in line 1 too"),
    "a colon": (b"title: one: two\n", r"line 1 .*a colon in a text needs quotes"),
    "an open bracket": (b"keys: [id\ntask: x\n", r"line 2 .*close what is open there, or quote it"),
    "an @": (b"owner: @ann\n", r"line 1 .*quote it"),
    "an alias": (b"title: *star\n", r"line 1 .*undefined alias.*quote it"),
    "a tag": (b"title: !important x\n", r"line 1 .*quote it"),
    "two documents": (b"a: 1\n---\nb: 2\n", r"line 2 .*a second one"),
    "half a sign": (b'a: 1\ntitle: "\\ud83d\\udc27"\n', r"line 2: half a sign .* the sign itself"),
    "half a sign in a name": (b'"\\ud83d": 1\n', r"line 1: half a sign"),
    "no such day": (b"a: 1\nday: 2013-02-30\n", r"line 2: 2013-02-30 is neither a day nor"),
    "nested brackets": (b"a: " + b"[" * 5000, r"too deep in each other"),
    "closed nested brackets": (b"a: " + b"[" * 5000 + b"]" * 5000, r"too deep in each other"),
    "a list": (b"- a\n", r"must hold a mapping"),
    "nothing": (b"", r"must hold a mapping"),
    "itself": (b"a: &a [*a]\n", r"anchors written out"),
}

WRONG: list[tuple[str, str, str]] = [
    ("positive: true", "positive: yes", r"positive: .*YAML reads yes as true; quote it: 'yes'"),
    ("positive: true", "positive: 1", r"positive: .*YAML reads 1 as a number; quote it: '1'"),
    ("[red, green, blue]", "[yes, no]", r"columns.colour.categories.0: .*reads yes as true; quote"),
    ("[red, green, blue]", "[red, no]", r"categories.1: .*YAML reads no as false; quote it: 'no'"),
    ("[red, green, blue]", "[1, 2]", r"categories.0: .*YAML reads 1 as a number; quote it: '1'"),
    ("  group:", "  no:", r"columns.*YAML reads no as false; quote it: 'no'"),
    ("  group:", "  7:", r"columns.*YAML reads 7 as a number; quote it: '7'"),
    (
        "title: Made rows",
        "title: 12:30",
        r"title: .*YAML reads 12:30 as a number; quote it: '12:30'",
    ),
    ("title: Made rows", "title: ~", r"title: .*YAML reads ~ as nothing; quote it: '~'"),
    ("keys: [id]", "keys: [id, id]", r"keys: 'id' stands twice"),
    ("{csv: rows.csv}", "{csv: ~nobody-at-all/rows.csv}", r"source: no home .* ~nobody-at-all"),
    ("event_time: moment", "event_time: id", r"event_time: a timestamp .*id is declared integer"),
    *(
        ("task: binary", f"task: binary\ntime_zone: {zone}", f"time_zone: no zone.*; {hint}")
        for zone, hint in {
            "America/NewYork": "did you mean 'America/New_York'",
            "'+02:00'": "one like Europe/Berlin",
            "''": "one like Europe/Berlin",
            "../../etc/passwd": "",
        }.items()
    ),
]


@pytest.mark.parametrize(("content", "said"), ODD.values(), ids=ODD)
def test_a_file_that_is_no_use_case_is_told_by_its_place(
    home: Path, content: bytes, said: str
) -> None:
    (home / "odd.yaml").write_bytes(content)
    with pytest.raises(BadInput, match=f"(?s)odd.yaml.*{said}") as found:
        load_use_case(str(home / "odd.yaml"))
    assert found.value.__cause__ is None


def test_what_is_alike_may_be_said_once() -> None:
    said = "  size: &like {type: number, nullable: true}\n  other: {<<: *like, min: 0}\n"
    said += "  more:\n    <<: *like\n    nullable: false\n"
    columns = read_document("columns:\n" + said, "made.yaml").values["columns"]
    assert columns["other"] == {"type": "number", "nullable": True, "min": 0}
    assert columns["more"] == {"type": "number", "nullable": False}


@pytest.mark.parametrize(("right", "wrong", "said"), WRONG)
def test_what_yaml_made_something_else_of_is_to_be_quoted(
    home: Path, right: str, wrong: str, said: str
) -> None:
    (home / "made.yaml").write_text(TEXT.replace(right, wrong, 1).replace("true", "'true'"))
    with pytest.raises(BadInput) as found:
        load_use_case(str(home / "made.yaml"))
    assert re.search(said, str(found.value)), found.value


def test_a_byte_order_mark_is_none_of_the_text(home: Path) -> None:
    (home / "made.yaml").write_bytes(MADE.encode("utf-8-sig"))
    assert load_use_case(str(home / "made.yaml")).name == "made"


def test_a_folder_is_no_use_case(home: Path) -> None:
    with pytest.raises(BadInput, match="is a folder; the YAML file"):
        load_use_case(f"{home}/")


def test_a_file_that_can_t_be_read_is_told_with_the_reason(home: Path) -> None:
    with pytest.raises(BadInput, match=f"^{home} can't be read: Is a directory.$"):
        read_file(home)


def bomb(levels: int) -> str:
    """A text of a few lines in which each list holds the one before nine times."""
    lists = [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(["x0: &x0 [1, 1, 1]", *lists])


BOMBS = {
    "anchors": bomb(12),
    "merged anchors": "x0: &x0 {a: 1}\n"
    + "\n".join(f"x{n}: &x{n} {{<<: [{', '.join([f'*x{n - 1}'] * 9)}]}}" for n in range(1, 12)),
    "itself": "name: &a [*a]",
    "brackets": "a: " + "[" * 5000 + "]" * 5000,
    "a million brackets": "a: " + "[" * 1_000_000,
    "a million braces": "a: " + "{" * 1_000_000,
    "lists in lists": "a:\n" + "- " * 100_000,
    "keys of keys": "? " * 100_000,
    "lines ever deeper": "".join(f"{' ' * n}k{n}:\n" for n in range(900)),
    "a long list": f"a: [{', '.join('1' * 2_000_000)}]",
    "a long word": "a: " + "x" * 10_000_000,
    "base 60": "a: " + ":".join("1" * 1_000_000),
    "digits": "a: " + "1" * 1_000_000,
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS.keys())
def test_a_text_that_would_fill_the_memory_is_refused_at_once(text: str) -> None:
    """A service that meets one in a package tries it again at each poll."""
    started = time.process_time()
    with pytest.raises(BadInput, match=r"far too large|too deep|is no number") as refused:
        read_document(text, "bomb.yaml")
    assert time.process_time() - started < 5  # the slowest takes 1.7 s
    assert len(str(refused.value)) < 200


def test_anchors_in_reason_are_taken() -> None:
    assert read_document(bomb(3), "plain.yaml").values["x0"] == [1, 1, 1]
