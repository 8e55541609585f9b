"""The source has brought nothing for longer than `source.expect_every` allows."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from contract.names import DELIVERY
from contract.store.ledger import ShownRegistry
from contract.store.tables import BROUGHT, COLLECTED, Tables
from contract.use_case.model import UseCase
from monitoring.alerts.notice import Notice, NoticeKind


def collected_at(tables: Tables) -> datetime | None:
    """When rows of the source were last taken in that stand in `raw`, UTC; None: never.

    Deliveries that were refused were taken out again, and labelled answers are not the source's.
    """
    if not tables.exists("raw"):
        return None
    rows = tables.query(f"SELECT DISTINCT {DELIVERY} FROM t", t=tables.open("raw"))  # noqa: S608
    standing = {str(number) for number in rows.column(0).to_pylist()}
    for commit in tables.history("raw"):  # the newest first: a number that was free is used again
        if (number := commit.get(BROUGHT)) in standing:
            if commit.get(COLLECTED) == "yes":
                return datetime.fromtimestamp(int(str(commit["timestamp"])) / 1000, UTC)
            standing.discard(str(number))
    return None


def look(
    use_case: UseCase, tables: Tables, now: datetime, _: ShownRegistry | None = None
) -> Notice | None:
    """Whether the newest delivery is older than expected; None where none is expected or known."""
    every = use_case.source.expected_every
    last = collected_at(tables) if every else None
    if every is None or last is None:
        return None
    if now - last <= every:
        return Notice(LATE_DELIVERY)
    local = last.astimezone(ZoneInfo(use_case.time_zone))
    reason = (
        f"The source has brought nothing new since {local:%Y-%m-%d %H:%M %Z} "
        f"({_age(now - last)} ago); source.expect_every is {use_case.source.expect_every}."
    )
    return Notice(LATE_DELIVERY, last.isoformat(), (reason,))


def _age(age: timedelta) -> str:
    hours, minutes = divmod(int(age.total_seconds()) // 60, 60)
    return f"{hours // 24} days {hours % 24} h" if hours >= 48 else f"{hours} h {minutes} min"


LATE_DELIVERY = NoticeKind(
    name="late_delivery",
    wrong="DELIVERY_LATE",
    well="DELIVERY_CAME",
    recovered="The source has brought new rows again.",
    next_steps=(
        "Look whether the source is there and whether the job that collects runs: "
        "fourcycle ingest --use-case {name}.",
    ),
    look=look,
)
