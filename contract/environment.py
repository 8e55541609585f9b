"""The environment before settings come of it: secrets taken from files, and whether all fits.

But for files of secrets nothing that a setting names is opened here; whoever uses it says what is
wrong with that.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from pathlib import Path
from urllib.parse import urlsplit

from contract.addresses import SERVERS, check_tables, check_tracking, scheme_of
from contract.errors import BadInput

S3 = re.compile(r"s3a?://[^/\s]+(/.*)?")
REMOTE = re.compile(r"[a-z0-9+]+:/", re.I)  # what begins like an address is no folder
USER, PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
KEY_ID, KEY = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
SPANS = "FOURCYCLE_TRACE_URL"
ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "MLFLOW_S3_ENDPOINT_URL")
SECRETS = "FOURCYCLE_SECRETS"  # a folder: each file is named like the variable that it stands for
SUFFIX = "_FILE"
# What MLflow and S3 read from the environment by themselves.
OTHERS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
)


def troubles(
    tracking_uri: str,
    root: str,
    table_root: str,
    folders: Mapping[str, str],
    environment: Mapping[str, str],
) -> list[str]:
    """A sentence for each thing that is wrong; none shows a password or a key.

    `root` is what was asked for, `table_root` what it means; `folders` are by their settings.
    """
    found = [*_refusal(check_tracking, tracking_uri), *_root(root)]
    found = found or [*_refusal(check_tables, table_root)]
    found += _local(folders)
    if scheme_of(tracking_uri) in SERVERS:
        found += _pair(environment, USER, PASSWORD, "of a user of MLflow's server")
    if S3.fullmatch(root):
        found += _pair(environment, KEY_ID, KEY, "of S3")
        found += _endpoints(environment, ENDPOINTS)
    return [*found, *_endpoints(environment, (SPANS,))]


def _refusal(check: Callable[[str], None], value: str) -> Iterator[str]:
    try:
        check(value)
    except BadInput as error:
        yield str(error)


def _root(root: str) -> Iterator[str]:
    if REMOTE.match(root) and not S3.fullmatch(root):
        yield (
            f"FOURCYCLE_ROOT: {root!r} is neither a folder nor a bucket of S3; "
            "s3://bucket/folder is needed."
        )


def _local(folders: Mapping[str, str]) -> Iterator[str]:
    for name, path in folders.items():
        if REMOTE.match(path):
            yield f"{name}: {path!r} is no folder; a folder on a disk of this host is needed."


def _pair(environment: Mapping[str, str], first: str, second: str, what: str) -> Iterator[str]:
    """Who somebody is and what proves it come together, or from elsewhere both."""
    for there, absent in ((first, second), (second, first)):
        if environment.get(there) and not environment.get(absent):
            yield f"{absent}: it is not set and {there} is; both {what} are needed, or neither."


def _endpoints(environment: Mapping[str, str], names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if (address := environment.get(name, "")) and not _names_a_server(address):
            yield f"{name}: {address!r} is no address of a server; http(s)://host:port is needed."


def _names_a_server(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in SERVERS and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        return False


def take_secrets(names: Iterable[str], environment: MutableMapping[str, str]) -> list[str]:
    """Set each variable whose file is named or lies in the folder; a sentence for each trouble.

    `NAME_FILE` names the file of NAME and is taken out, so that processes started from here find
    one of the two. A file of the folder counts where its variable has no value yet. An empty file
    is no secret; a line's end at the end of a file is none of it.
    """
    folder, troubles = environment.get(SECRETS, ""), []
    if folder and not Path(folder).is_dir():
        troubles.append(f"{SECRETS}: {folder!r} is no folder; one with a file each is needed.")
    for name in (*names, *OTHERS):
        try:
            for text in _texts(name, environment):
                environment[name] = text
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            troubles.append(f"{name}: its file can't be read ({why}); a readable text is needed.")
        except ValueError as error:
            troubles.append(str(error))
    return troubles


def _texts(name: str, environment: MutableMapping[str, str]) -> Iterator[str]:
    value, file = environment.get(name), environment.pop(f"{name}{SUFFIX}", "")
    if file:
        if value:
            raise ValueError(f"{name}: it is set and so is {name}{SUFFIX}; one of them is needed.")
        yield Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    elif not value and (folder := environment.get(SECRETS)):
        place = Path(folder) / name
        if place.is_file():
            yield place.read_text(encoding="utf-8").rstrip("\r\n")
