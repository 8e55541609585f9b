"""The locations of artifacts in MLflow's database: which there are, and their beginnings replaced.

A location is a path or an address: `/srv/fourcycle/mlruns/1`, `file:///srv/fourcycle/mlruns/1`,
`s3://bucket/1`. Where a data set was read from is history, and stays as it was logged.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from sqlalchemy import Connection, Engine, String, column, func, literal, or_, select, table, update

from contract.settings import Settings
from tracking.locations import foreign_home

# Tables of MLflow's database and their columns that hold a location.
COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def locations(connection: Connection) -> set[str]:
    """Every location that the database holds."""
    found = set[str]()
    for name, of in COLUMNS:
        values = select(column(of, String)).select_from(table(name)).distinct()
        found |= {value for (value,) in connection.execute(values) if value}
    return found


def packages(connection: Connection) -> list[str]:
    """Where the packages of the registered versions lie."""
    values = select(column("source", String)).select_from(table("model_versions"))
    return [value for (value,) in connection.execute(values) if value]


def foreign_homes(engine: Engine, settings: Settings) -> list[Path]:
    """Folders of other stores that the database of this one says its artifacts lie in."""
    with engine.connect() as connection:
        homes = {foreign_home(location, settings) for location in locations(connection)}
    return sorted(filter(None, homes))


def spellings(place: str) -> tuple[str, ...]:
    """How locations of a folder begin: as an address and as a path; an address stands for itself.

    A path has no slash at its end.
    """
    if "://" in place:
        return (place.rstrip("/"),)
    folder = Path(place).expanduser().absolute()
    return folder.as_uri(), str(folder)


def replace_in(connection: Connection, old: str, new: str) -> Mapping[str, int]:
    """Let `old` and locations in it begin with `new`; how many there were, by table and column."""
    pairs = list(_pairs(old, new))
    counts: dict[str, int] = {}
    for name, of in COLUMNS:
        rows, value = table(name, column(of, String)), column(of, String)
        for before, after in pairs:
            # Compared as text: in LIKE a _ stands for any character.
            inside = or_(func.substr(value, 1, len(before) + 1) == f"{before}/", value == before)
            rest = func.substr(value, len(before) + 1, type_=String)
            moved = {of: literal(after, String).concat(rest)}
            n = connection.execute(update(rows).where(inside).values(moved)).rowcount
            counts[f"{name}.{of}"] = counts.get(f"{name}.{of}", 0) + n
    return counts


def _pairs(old: str, new: str) -> Iterator[tuple[str, str]]:
    """The spellings of the old place, each with the same spelling of the new one."""
    after = spellings(new)
    for at, before in enumerate(spellings(old)):
        yield before, after[min(at, len(after) - 1)]
