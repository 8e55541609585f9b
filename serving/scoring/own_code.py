"""A class of the user's own: one Python file, known by its SHA-256 and never taken from a package.

The file lies where this installation keeps such code. Its bytes are compared before they run, and
its module is named after them, so that versions with different code live side by side.
"""

import hashlib
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from sklearn.base import BaseEstimator

from contract.errors import BadInput, Refused


@dataclass(frozen=True)
class OwnClass:
    """A class as a use case names it, `file:Class`, and the SHA-256 of the file."""

    path: str
    sha256: str

    @property
    def file(self) -> str:
        """Name of the file beside the use case."""
        return f"{self.path.partition(':')[0]}.py"

    @property
    def module(self) -> str:
        """Name under which its code runs; no other code has it."""
        return f"own_{self.path.partition(':')[0]}_{self.sha256}"

    @property
    def type_name(self) -> str:
        """How a skops file names the class."""
        return f"{self.module}.{self.path.partition(':')[2]}"

    def record(self) -> dict[str, Any]:
        """What a package says of it."""
        return asdict(self)


def find_own(path: str, folder: Path) -> OwnClass:
    """The class `file:Class` by the file in a folder as it is now; BadInput where there is none."""
    own = OwnClass(path, "")
    try:
        return OwnClass(path, _sha256((folder / own.file).read_bytes()))
    except OSError as error:
        raise BadInput(f"estimator.path: {path} needs the file {folder / own.file}.") from error


def load_own(own: OwnClass, folder: Path) -> Any:
    """The class, from the file in `folder` with that SHA-256, whatever the file is called.

    Refused where no such file is there; BadInput where its code fails or holds no such estimator.
    """
    file, source = _held(own, folder)
    module = sys.modules.get(own.module) or _run(own, file, source)
    found = getattr(module, own.path.partition(":")[2], None)
    if not (isinstance(found, type) and issubclass(found, BaseEstimator)):
        raise BadInput(f"estimator.path: {own.path} is no scikit-learn estimator.")
    return found


def trusted(own: OwnClass | None, folder: Path | None) -> tuple[str, ...]:
    """Types that a skops file may hold for it, once its code has been loaded from `folder`."""
    if own is None:
        return ()
    if folder is None:
        raise Refused(f"It needs {own.file}, and no folder of code is named.")
    load_own(own, folder)
    return (own.type_name,)


def _run(own: OwnClass, file: Path, source: bytes) -> ModuleType:
    module = ModuleType(own.module)
    module.__file__ = str(file)
    sys.modules[own.module] = module
    try:
        exec(compile(source, file, "exec"), module.__dict__)  # noqa: S102, our own installation's
    except Exception as error:
        del sys.modules[own.module]
        raise BadInput(f"{file} can't be run: {type(error).__name__}: {error}") from error
    return module


def _held(own: OwnClass, folder: Path) -> tuple[Path, bytes]:
    """The file with that SHA-256 and the very bytes that were compared."""
    other = "no such file"
    for file in sorted(folder.glob("*.py"), key=lambda file: file.name != own.file):
        source = file.read_bytes()
        if _sha256(source) == own.sha256:
            return file, source
        if file.name == own.file:
            other = f"{own.file} with {_sha256(source)[:12]}"
    raise Refused(
        f"It needs {own.file} with the SHA-256 {own.sha256[:12]}, and the folder {folder} of this "
        f"installation holds {other}; FOURCYCLE_SERVE_CODE names another folder."
    )


def _sha256(source: bytes) -> str:
    return hashlib.sha256(source).hexdigest()
