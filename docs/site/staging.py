"""Make our pages ready for the generator: one folder, in which every link leads to a page.

Links to code lead to a page that shows it, so that the site needs no server of a repository.
"""

import ast
import posixpath
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from docs.site.markdown import fenced, table
from docs.site.places import DOCS, PROJECT

# Documents at the root of the repository, and where they stand in the site.
ROOT_PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
}
LINK = re.compile(r"(\]\()([^)\s#:]+)(#[^)]*)?(\))")
FENCE = re.compile(r"^(```+)[^\n]*\n.*?^\1 *$", re.MULTILINE | re.DOTALL)
LANGUAGES = {".py": "python", ".yaml": "yaml", ".toml": "toml", ".md": "markdown", ".json": "json"}
UNSEARCHED = "---\nsearch:\n  exclude: true\n---\n\n"  # a search finds what people wrote for people
NOT_SHOWN = (".svg", ".png")  # files that are pictures, which pages show themselves


def stage(folder: Path) -> None:
    """Fill a folder with the pages of the site and the pictures that they show."""
    shutil.rmtree(folder, ignore_errors=True)
    sources = {name: PROJECT / name for name in ROOT_PAGES}
    sources |= {str(path.relative_to(PROJECT)): path for path in sorted(DOCS.rglob("*.md"))}
    linked: set[str] = set()
    for name, path in sources.items():
        text, found = with_links(path.read_text(encoding="utf-8"), name)
        linked |= found
        _write(folder / staged(name), text)
    for path in (p for kind in NOT_SHOWN for p in DOCS.rglob(f"*{kind}")):
        target = folder / path.relative_to(DOCS)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    for name in sorted(linked):
        _write(folder / code_page(name), shown(name, linked))


def staged(name: str) -> str:
    """Where a document of the repository stands in the site."""
    return ROOT_PAGES.get(name) or name.removeprefix("docs/")


def is_page(name: str) -> bool:
    """Whether a file of the repository is a page of the site."""
    return name in ROOT_PAGES or (name.startswith("docs/") and name.endswith(".md"))


def code_page(name: str) -> str:
    """Where a file or folder of the repository that is no document is shown."""
    parts = [part.lstrip(".") for part in name.split("/")]  # the generator leaves hidden files out
    return f"code/{'/'.join(parts)}.md"


def with_links(text: str, name: str) -> tuple[str, set[str]]:
    """A document whose links hold in the site, and the files of the repository that it names."""
    linked: set[str] = set()
    here = posixpath.dirname(name)

    def led(match: re.Match[str]) -> str:
        opening, link, anchor, closing = match.groups()
        target = posixpath.normpath(posixpath.join(here, link))
        if not (PROJECT / target).exists():
            return match[0]  # the check of the built site names it
        if is_page(target) or (target.startswith("docs/") and target.endswith(NOT_SHOWN)):
            there = staged(target)
        else:
            there = code_page(target)
            linked.add(target)
        back = posixpath.dirname(staged(name))
        return f"{opening}{posixpath.relpath(there, back or '.')}{anchor or ''}{closing}"

    parts, at = [], 0
    for block in FENCE.finditer(text):
        parts += [LINK.sub(led, text[at : block.start()]), block[0]]
        at = block.end()
    return "".join((*parts, LINK.sub(led, text[at:]))), linked


def shown(name: str, linked: Iterable[str]) -> str:
    """A page that shows a file, or lists what lies in a folder."""
    path = PROJECT / name
    title = f"{UNSEARCHED}# `{name}`\n\n"
    if path.is_dir():
        return title + _listed(path, linked)
    return title + fenced(path.read_text(encoding="utf-8"), LANGUAGES.get(path.suffix, "text"))


def _listed(folder: Path, linked: Iterable[str]) -> str:
    pages = set(linked)
    rows = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(("__", ".")):
            continue
        name = named(path)
        page = staged(name) if is_page(name) else code_page(name)
        at = posixpath.relpath(page, posixpath.dirname(code_page(named(folder))))
        linked_there = is_page(name) or name in pages
        said = f"[`{path.name}`]({at})" if linked_there else f"`{path.name}`"
        rows.append((said, _purpose(path)))
    return table(("file", "what it is"), rows)


def named(path: Path) -> str:
    """A file or folder as the repository names it."""
    return path.relative_to(PROJECT).as_posix()


def _purpose(path: Path) -> str:
    """The first sentence of a module or of a room, or the title of a page."""
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
    source = path / "__init__.py" if path.is_dir() else path
    if source.suffix != ".py" or not source.exists():
        return ""
    said = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return " ".join(said.split("\n\n")[0].split())


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
