"""A Python function that answers a pandas frame or an arrow table.

A loader beside its use case is imported by its file, under a name of its own: two use cases may
each have a `load.py`, also in one process, and what they import from their folders is theirs too.
"""

import hashlib
import importlib
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pyarrow as pa

from contract.errors import BadInput, FourcycleError
from contract.use_case.model import UseCase
from pipelines.sources.frames import from_pandas
from pipelines.sources.newer import Newer
from pipelines.sources.parts import wanted


def read(use_case: UseCase, _: Newer | None = None) -> pa.Table:
    """The wanted columns of what the function `module:name` answers.

    BadInput where it is not there, fails, or answers something else.
    """
    return rows_of(load(use_case), use_case)


def load(use_case: UseCase) -> pa.Table | pd.DataFrame:
    """What the function answers, with every column that it has."""
    reference, folder = str(use_case.source.python), Path(use_case.source.folder).absolute()
    module_name, _colon, function = reference.partition(":")
    # What it prints is no part of what the command answers to a program (--json yes).
    with _beside(folder), redirect_stdout(sys.stderr):
        loader = _loader(reference, module_name, function, folder)
        frame = _attempt(reference, folder, loader)
    if not isinstance(frame, pa.Table | pd.DataFrame):
        kind = type(frame).__name__
        raise BadInput(f"source.python: a data frame was expected, the loader gave {kind}.")
    return frame


def names_of(frame: pa.Table | pd.DataFrame) -> list[str]:
    """The names of all columns."""
    return [str(n) for n in (frame.column_names if isinstance(frame, pa.Table) else frame.columns)]


def rows_of(frame: pa.Table | pd.DataFrame, use_case: UseCase) -> pa.Table:
    """The wanted columns."""
    places = list(wanted(names_of(frame), use_case, "source.python").values())
    if isinstance(frame, pa.Table):
        return frame.select(places)
    return from_pandas(frame.iloc[:, places])


def _loader(reference: str, module_name: str, function: str, folder: Path) -> Callable[[], Any]:
    module = _attempt(reference, folder, lambda: _module(module_name, folder))
    try:
        loader: Callable[[], Any] = getattr(module, function)
    except AttributeError:
        raise BadInput(
            f"source.python: {reference} can't be loaded: {module_name} has no {function!r}."
        ) from None
    return loader


def _module(name: str, folder: Path) -> ModuleType:
    """The module beside the use case, else the installed one of that name."""
    file = folder.joinpath(*name.split("."))
    if not (file.with_suffix(".py").is_file() or (file / "__init__.py").is_file()):
        return importlib.import_module(name)
    private = "_source_" + hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    package = ModuleType(private)
    package.__path__ = [str(folder)]
    sys.modules[private] = package
    importlib.invalidate_caches()
    return importlib.import_module(f"{private}.{name}")


@contextmanager
def _beside(folder: Path) -> Iterator[None]:
    """Modules of the folder can be imported, and are nobody else's afterwards."""
    before = set(sys.modules)
    sys.path.append(str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if name.startswith("_source_") or (file and Path(file).is_relative_to(folder)):
                del sys.modules[name]


def _attempt(reference: str, folder: Path, work: Callable[[], Any]) -> Any:
    """What somebody else's code answers; where it fails, its traceback goes into a file.

    Its message stays there, for it may hold what stood in a row.
    """
    try:
        return work()
    except FourcycleError:
        raise
    except ModuleNotFoundError as error:
        raise BadInput(
            f"source.python: {reference} can't be loaded: no module {error.name!r}."
        ) from None
    except (Exception, SystemExit) as error:
        raise BadInput(
            f"source.python: {reference} failed with {type(error).__name__} in "
            f"{_place(error, folder)}; its traceback is in {_kept(error)}."
        ) from None


def _place(error: BaseException, folder: Path) -> str:
    """File and line of the loader's code that failed, or of the code that it called."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if Path(frame.filename).is_relative_to(folder)]
    last = (theirs or frames)[-1]
    return f"{last.filename}, line {last.lineno}"


def _kept(error: BaseException) -> str:
    text = "".join(traceback.format_exception(error)).encode(errors="backslashreplace")
    with tempfile.NamedTemporaryFile(
        prefix="fourcycle-loader-", suffix=".txt", delete=False
    ) as file:
        file.write(text)
    return file.name
