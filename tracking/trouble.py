"""What the tracking store's own words mean for a person: no room, damage, something deleted."""

import re
from collections.abc import Iterator

from contract.addresses import without_password
from contract.errors import Unavailable

SHOWN = 200  # characters of what the store said
FINISHED = "nothing is half done that the next command does not finish"
# In the words of SQLite, PostgreSQL and MySQL; in the order in which they are tried.
STORE = {
    r"disk is full|no space left|disk full|could not extend file|table is full": (
        "has no room left", "make room, then try again"
    ),
    r"malformed|not a database|disk I/O error|invalid page|could not read block": (
        "is damaged or lies on a disk that fails",
        "restore a backup (fourcycle restore), then try again",
    ),
    r"read-?only (transaction|database)|attempt to write a readonly": (
        "takes no writes", "name the one that does (a standby does not), then try again"
    ),
    r"too many (clients|connections)|remaining connection slots": (
        "takes no more connections", "try again later"
    ),
    r"unable to open database file": (
        "can't be opened", "see that it is a file which this user may write, then try again"
    ),
}  # fmt: skip
# In MLflow's words.
DELETED = re.compile(
    r"(Model Version|Registered Model|Run|Experiment)\b[^.\n]*(not found|does not exist)"
    r"|No Experiment with id=\S+ exists"
    r"|(run|experiment) \S+ must be in the 'active' state",
    re.I,
)


def store_trouble(error: BaseException) -> Unavailable | None:
    """What an error of the tracking store asks of a person; None where it is something else.

    A server hands on the words of its database, so they are looked for in every cause.
    """
    words = [str(each) for each in causes(error) if _is_the_stores(each)]
    for said in words:
        for pattern, (what, mend) in STORE.items():
            if found := re.search(pattern, said, re.I):
                return Unavailable(
                    f"MLflow's store {what} ({_line_with(said, found)}); {mend}: {FINISHED}."
                )
    for said in words:
        if found := DELETED.search(said):
            return Unavailable(
                f"MLflow does not have what the command works with ({_line_with(said, found)}); "
                f"where it was deleted meanwhile, run the command again: {FINISHED}."
            )
    return None


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what led to it, the nearest first."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _is_the_stores(error: BaseException) -> bool:
    """Whether MLflow or the database says it; a sentence about a person's table is not meant."""
    return type(error).__module__.partition(".")[0] in (
        "mlflow",
        "sqlalchemy",
        "sqlite3",
        "psycopg",
    )


def _line_with(said: str, found: "re.Match[str]") -> str:
    """The line in which it stands, without an address's password and the name of the error."""
    start = said.rfind("\n", 0, found.start()) + 1
    line = re.sub(r"^.*?\([\w.]+\) ", "", said[start:].partition("\n")[0])
    return without_password(line.strip().rstrip("."))[:SHOWN]
