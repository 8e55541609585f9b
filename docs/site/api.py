"""The reference of public functions and classes, read from the source by griffe.

It runs in the generator's environment and imports nothing of ours: `python docs/site/api.py FOLDER`
writes one page for each room.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import griffe

PROJECT = Path(__file__).resolve().parents[2]
LAST_IN_SEARCH = "---\nsearch:\n  boost: 0.1\n---\n\n"
PACKAGES = ("contract", "tracking", "pipelines", "serving", "monitoring", "use_cases")


def rooms() -> Iterator[griffe.Module]:
    """Every package and room, those above first."""
    loader = griffe.GriffeLoader(search_paths=[PROJECT])
    for name in PACKAGES:
        package = loader.load(name)
        assert isinstance(package, griffe.Module)
        yield from _with_rooms(package)


def _with_rooms(room: griffe.Module) -> Iterator[griffe.Module]:
    yield room
    for inner in sorted(room.modules.values(), key=lambda module: module.name):
        if inner.is_package or inner.is_subpackage:
            yield from _with_rooms(inner)


def page(room: griffe.Module) -> str:
    """The page of a room: its modules, and what is public in each."""
    parts = [f"{LAST_IN_SEARCH}# `{room.path}`\n\n{_said(room)}"]
    for module in sorted(room.modules.values(), key=lambda found: found.name):
        if module.is_package or module.is_subpackage:
            continue
        members = list(_public(module))
        parts.append(f"## `{module.path}`\n\n{_said(module)}")
        parts += [_member(member) for member in members]
    return "".join(parts)


def _public(owner: griffe.Module | griffe.Class) -> Iterator[griffe.Function | griffe.Class]:
    for member in owner.members.values():
        if isinstance(member, griffe.Function | griffe.Class) and not member.name.startswith("_"):
            yield member


def _member(member: griffe.Function | griffe.Class) -> str:
    kind = "def" if isinstance(member, griffe.Function) else "class"
    shown = f"### `{member.name}`\n\n```python\n{kind} {_signature(member)}\n```\n\n{_said(member)}"
    if isinstance(member, griffe.Class):
        for method in _public(member):
            if isinstance(method, griffe.Function) and method.docstring:
                shown += f"- `{_signature(method)}`: {' '.join(method.docstring.value.split())}\n"
        shown += "\n"
    return shown


def _signature(member: griffe.Function | griffe.Class) -> str:
    if isinstance(member, griffe.Class):
        bases = ", ".join(map(str, member.bases))
        return f"{member.name}({bases})" if bases else member.name
    said: str | None = member.signature(name=member.name)
    assert said is not None, f"{member.path} is no overloaded function"
    return said


def _said(found: griffe.Object) -> str:
    """A docstring in which nothing is markup but what it means to be: code in backticks."""
    if not found.docstring:
        return ""
    text: str = found.docstring.value
    return (text if "`" in text else text.replace("<", "&lt;")).strip() + "\n\n"


def main(folder: Path) -> None:
    """Write all pages, and one that lists them."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["# Public functions\n\nEvery room of the code with what it offers to others.\n"]
    for room in rooms():
        (folder / f"{room.path}.md").write_text(page(room), encoding="utf-8")
        said = (room.docstring.value if room.docstring else "").split("\n\n")[0]
        lines.append(f"- [`{room.path}`]({room.path}.md): {' '.join(said.split())}")
    (folder / "index.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
