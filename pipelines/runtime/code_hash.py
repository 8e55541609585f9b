"""The code that a step depends on: its module and every module of ours that it imports."""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
ROOMS = ("contract", "monitoring", "pipelines", "serving", "tracking", "use_cases")


def code_hash(module: str) -> str:
    """SHA-256 over the sources of the module's import closure, independent of their order."""
    digest = hashlib.sha256()
    for name in sorted(import_closure(module)):
        digest.update(name.encode() + b"\0" + _path(name).read_bytes() + b"\0")
    return digest.hexdigest()


def import_closure(module: str) -> set[str]:
    """Names of our modules that `module` reaches by imports, itself included."""
    reached, waiting = set[str](), [module]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += own_imports(_path(name))
    return reached


@cache
def own_imports(path: Path) -> tuple[str, ...]:
    """Modules of ours that one file imports, at its top or inside a function."""
    names = set[str]()
    for node in _statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            # `from contract import names` imports a module, `from contract.names import X` a name.
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return tuple(sorted(name for name in names if _is_module(name)))


def _statements(of: ast.AST) -> Iterator[ast.AST]:
    """Every statement below a node. Expressions, most of a tree, hold no import."""
    for node in ast.iter_child_nodes(of):
        if isinstance(node, ast.stmt | ast.excepthandler | ast.match_case):
            yield node
            yield from _statements(node)


def _is_module(name: str) -> bool:
    return name.split(".", maxsplit=1)[0] in ROOMS and _path(name).is_file()


def _path(module: str) -> Path:
    stem = PROJECT.joinpath(*module.split("."))
    return stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py")
