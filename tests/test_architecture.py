"""The house as docs/architecture.md draws it: rooms, layers and modules are those of the code."""

import ast
import re
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.project import PROJECT

PAGE = (PROJECT / "docs/architecture.md").read_text(encoding="utf-8")
PACKAGES = ("contract", "tracking", "monitoring", "serving", "pipelines", "use_cases", "benchmarks")
ROOT_FILES = 40  # of pipelines: one for each command
ROOM_FILES = 14  # a room that holds kinds, one file each, may hold more
KINDS = {"encoders", "estimators", "sources", "protocols", "distances", "channels", "notices"}
KINDS |= {"engines", "benchmarks"}  # one measurement, one file
# Folders in a room that hold a part of its subject.
SUBJECTS = {
    "catalogue",
    "checking",
    "columns",
    "keeping",
    "overview",
    "problem",
    "profiling",
    "pull_request",
    "rows",
    "search",
    "sections",
    "writing",
}


def layers() -> list[list[str]]:
    """The drawing: a line for each layer, from the top down, its rooms between commas."""
    (block,) = re.findall(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return [[room.strip() for room in line.split(",")] for line in block.splitlines()]


LEVEL = {room: at for at, rooms in enumerate(layers()) for room in rooms}
MODULES = {
    ".".join(path.relative_to(PROJECT).with_suffix("").parts): path
    for package in PACKAGES
    for path in sorted((PROJECT / package).rglob("*.py"))
    if path.name != "__init__.py"
}


def imported(path: Path) -> set[str]:
    """Our modules that a file imports, at its top or inside a function."""
    found = set[str]()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found & MODULES.keys()


IMPORTS = {module: imported(path) for module, path in MODULES.items()}


def room_of(module: str) -> str:
    """The drawn room in which a module lies; a folder inside a room belongs to it."""
    parts = module.split(".")[:-1]
    while len(parts) > 1 and "/".join(parts) not in LEVEL:
        parts.pop()
    return "/".join(parts)


def test_every_folder_lies_in_a_drawn_room_and_every_drawn_room_is_there() -> None:
    assert {room_of(module) for module in MODULES} == LEVEL.keys()
    folders = {str(path.parent.relative_to(PROJECT)) for path in MODULES.values()}
    inside = {folder for folder in folders if folder not in LEVEL}
    assert {Path(folder).name for folder in inside} <= KINDS | SUBJECTS


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_from_its_room_or_from_layers_below(module: str) -> None:
    room = room_of(module)
    others = {other: room_of(other) for other in IMPORTS[module]}
    wrong = {
        o: there for o, there in others.items() if there != room and LEVEL[there] <= LEVEL[room]
    }
    assert wrong == {}


def test_no_circle_at_any_depth() -> None:
    try:
        TopologicalSorter(IMPORTS).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other in a circle: {error.args[1]}")


def test_rooms_are_small() -> None:
    sizes = Counter(str(path.parent.relative_to(PROJECT)) for path in MODULES.values())
    limits = {folder: ROOT_FILES if folder == "pipelines" else ROOM_FILES for folder in sizes}
    full = {f: n for f, n in sizes.items() if n > limits[f] and Path(f).name not in KINDS}
    assert full == {}


def test_the_page_lists_the_modules_of_every_room_with_what_its_docstring_says() -> None:
    row = r"^\| \[`([\w/]+)`\]\([^)]*\) \| ([^|]*) \| ([^|]*) \|$"
    drawn = {
        room: (purpose, set(re.findall(r"`(\w+)`", names)))
        for room, purpose, names in re.findall(row, PAGE, re.MULTILINE)
    }
    there: dict[str, set[str]] = {}
    for path in MODULES.values():
        there.setdefault(str(path.parent.relative_to(PROJECT)), set()).add(path.stem)
    assert drawn == {
        room: (purpose_of(room), names) for room, names in there.items() if room != "benchmarks"
    }


def purpose_of(room: str) -> str:
    """The first paragraph of a room's docstring, on one line."""
    text = (PROJECT / room / "__init__.py").read_text(encoding="utf-8")
    return " ".join((ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0].split())


def test_a_class_name_means_one_thing() -> None:
    names = Counter(
        node.name
        for module, path in MODULES.items()
        if not module.startswith("benchmarks.")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, n in names.items() if n > 1] == []
