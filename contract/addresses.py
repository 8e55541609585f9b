"""Addresses of stores: which file a sqlite address names, and where Delta tables can lie."""

import re
from pathlib import Path
from urllib.parse import unquote

from contract.errors import BadInput

SQLITE = "sqlite:///"
# Tried with deltalake 1.6: it refuses these in a path, or looks for a file in another folder than
# the one it wrote to.
MISREAD = re.compile(r"%[0-9A-Fa-f]{2}|[\[\]\\^|\x00-\x1f\x7f\ud800-\udfff]")


def sqlite_file(address: str) -> Path:
    """The file of a sqlite address: as in any address %20 is a space, and ? begins options.

    `mlflow run` hands on the address of its store so written.
    """
    return _absolute(unquote(address.removeprefix(SQLITE).partition("?")[0]))


def sqlite_address(address: str) -> str:
    """The address that names the same file from every folder.

    Plain: where a path is encoded, MLflow makes a second folder of the encoded name.
    """
    _, mark, options = address.partition("?")
    return f"{SQLITE}{sqlite_file(address)}{mark}{options}"


def check_sqlite(address: str) -> None:
    """BadInput where a sqlite address names another folder than was meant, or none that MLflow can
    use.
    """
    file, plain = sqlite_file(address), _absolute(address.removeprefix(SQLITE))
    unusable = re.search(r"%[0-9A-Fa-f]{2}|\?", str(file)) is not None
    if "/" in address.partition("?")[2] or (plain.parent.is_dir() and not file.parent.is_dir()):
        file, unusable = plain, True
    if unusable:
        raise BadInput(
            f"MLFLOW_TRACKING_URI: a database can't lie in {str(file.parent)!r}, for MLflow reads "
            "a ? and a % before two digits as something else; name a folder without them, or a "
            "tracking server."
        )


def check_tables(root: str) -> None:
    """BadInput where tables under a root could not be read back."""
    if found := misread(root):
        raise BadInput(
            f"Tables can't lie in {root!r}, for Delta reads {found!r} in a path as something "
            "else; FOURCYCLE_ROOT names a folder without % before two digits, [ ] \\ ^ | and "
            "control characters in its path."
        )


def misread(path: str) -> str:
    """What Delta reads as something else in a local path; "" where it is read as it stands."""
    found = None if "://" in path else MISREAD.search(path)
    return found[0] if found else ""


def _absolute(path: str) -> Path:
    return Path(path).expanduser().resolve()
