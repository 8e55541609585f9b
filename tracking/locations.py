"""Where a sqlite store says its artifacts lie, and whether that is still its own folder.

MLflow keeps absolute locations. After a move of the folder nothing is found by them; after a copy
what is found, and written to, is another store's.
"""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from contract.addresses import SQLITE, sqlite_file
from contract.errors import BadInput
from contract.settings import Settings

ARTIFACTS = "mlruns"  # the folder beside a sqlite database
MEND = "fourcycle relocate"


def local_folder(location: str) -> Path | None:
    """The folder that a location names; None where it is no folder of this host."""
    parts = urlsplit(location)
    if parts.scheme not in ("", "file") or parts.netloc not in ("", "localhost"):
        return None
    return Path(unquote(parts.path) if parts.scheme else location)


def foreign_home(location: str, settings: Settings) -> Path | None:
    """The folder of the other store that a location belongs to; None where it is this one's.

    A location elsewhere is somebody's choice where artifacts stand there without a database; it is
    a store's that was moved or copied where there is nothing any more, or a database beside them.
    """
    if not settings.store_uri.startswith(SQLITE):
        return None
    folder = local_folder(location)
    if folder is None or ARTIFACTS not in folder.parts:
        return None
    at = len(folder.parts) - 1 - folder.parts[::-1].index(ARTIFACTS)
    home = Path(*folder.parts[:at])
    if home.resolve().is_relative_to(settings.home):
        return None
    chosen = (home / ARTIFACTS).is_dir() and not _database(home, settings).exists()
    return None if chosen else home


def check_location(location: str, settings: Settings) -> None:
    """BadInput where artifacts would be written into another store's folder."""
    if home := foreign_home(location, settings):
        raise BadInput(
            f"The store in {settings.home} was moved or copied: it says that its artifacts lie in "
            f"{home}. Nothing was done. {MEND} makes it say {settings.home}."
        )


def _database(home: Path, settings: Settings) -> Path:
    return home / sqlite_file(settings.store_uri).name
