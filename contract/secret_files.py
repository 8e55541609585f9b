"""Secrets that lie in files, as container engines hand them out, put where they are read from."""

from collections.abc import Iterable, Iterator, MutableMapping
from pathlib import Path

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
