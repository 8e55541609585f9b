"""Addresses of stores: which file a sqlite address names, and where Delta tables can lie."""

import os
import re
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import unquote, urlsplit

from contract.errors import BadInput

SQLITE = "sqlite:///"
SERVERS = ("http", "https")
DATABASES = ("postgresql", "mysql", "mssql")  # each may name its driver: postgresql+psycopg2
SCHEMES = ("sqlite", *DATABASES, *SERVERS)
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


def scheme_of(address: str) -> str:
    """What an address begins with, without the driver: postgresql+psycopg2://host is postgresql."""
    return address.partition(":")[0].partition("+")[0] if ":" in address else ""


def without_password(address: str) -> str:
    """An address as it may be shown."""
    return re.sub(r"(://[^/@:]*):[^/]*@", r"\1:***@", address)


def without_credentials(address: str) -> str:
    """An address that may be followed by anybody, without user and password."""
    return re.sub(r"(://)[^/@]*@", r"\1", address)


def check_tracking(address: str) -> None:
    """BadInput where an address names no store that MLflow can keep runs and models in."""
    scheme, shown = scheme_of(address), without_password(address)
    if address.startswith(SQLITE) and address != SQLITE:
        check_sqlite(address)
    elif scheme == "sqlite":
        raise BadInput(
            f"MLFLOW_TRACKING_URI: {shown!r} names no file; three slashes and a file are needed, "
            "four where its path begins at the root: sqlite:///mlflow.db, sqlite:////srv/mlflow.db."
        )
    elif scheme not in SCHEMES:
        close = get_close_matches(scheme, SCHEMES, n=1)
        meant = f"did you mean {close[0]!r}?" if close else f"one of {', '.join(SCHEMES)} is needed"
        raise BadInput(
            f"MLFLOW_TRACKING_URI: {shown!r} begins with {scheme!r}; {meant} Examples: "
            "sqlite:///mlflow.db, http://127.0.0.1:5000."
            if scheme
            else f"MLFLOW_TRACKING_URI: {shown!r} is no address; runs are kept in a database or by "
            "a server: sqlite:///mlflow.db, http://127.0.0.1:5000."
        )
    elif not _names_a_host(address, scheme):
        raise BadInput(
            f"MLFLOW_TRACKING_URI: {shown!r} names no host, or a port that is no number; "
            f"{scheme}://host:port is needed."
        )


def _names_a_host(address: str, scheme: str) -> bool:
    """Whether a host stands in the address; a database may be reached without one."""
    try:
        parts = urlsplit(address)
        return parts.port != 0 and (bool(parts.hostname) or scheme in DATABASES)
    except ValueError:
        return False


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


def storage_options(root: str) -> dict[str, str] | None:
    """Options of an object store for deltalake, None for a folder: whole puts, and an end to
    waiting after 20 s of retries. The usual AWS_* variables hold besides."""
    if not root.startswith("s3://"):
        return None
    plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
    return {
        "aws_conditional_put": "etag",
        "connect_timeout": "5s",
        "timeout": "30s",
        "max_retries": "3",
        "retry_timeout": "20s",
        **({"aws_allow_http": "true"} if plain else {}),
    }
