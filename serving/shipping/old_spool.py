"""Spools that nobody ships: of an older release, for which roots shared one, and of other roots."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from contract.errors import Busy
from contract.names import TableName
from contract.store.locks import locked
from contract.store.tables import Tables
from serving.log.record import FEEDBACK_FOLDER
from serving.log.spool import Segment, close_leftovers, closed_segments

LOCK_FILE = "shipper.lock"


@dataclass(frozen=True)
class OldSpool:
    """Where an older release left records of one kind, those of all roots together."""

    folder: Path
    lock: Path  # held by a shipper of that release

    def take_over(self, to: Path, tables: Tables, name: TableName) -> str:
        """Move what is this root's into its spool; a sentence on the rest, "" for none.

        A spool is this root's when its table holds earlier segments of it. Whose the others are
        nobody can tell, so they stay.
        """
        if not self.folder.is_dir():
            return ""
        try:
            with locked(self.lock, lambda: Busy(f"A shipper of that release holds {self.lock}.")):
                stuck = close_leftovers(self.folder)
                left = self._moved(to, tables, name)
        except Busy:
            return ""
        except OSError as error:
            return f"{self.folder}, a spool of an older release, can't be taken over: {error}"
        if left:
            return "; ".join([*stuck.values(), f"{self._waits(left)}: {_whose(to)}"])
        return "; ".join(stuck.values())

    def _moved(self, to: Path, tables: Tables, name: TableName) -> list[Segment]:
        """Move the segments of this root's spools; the others."""
        segments = closed_segments(self.folder)
        if not segments or not tables.exists(name):
            return segments
        intake = tables.intake(name)
        ours = {one for one in {s.spool_id for s in segments} if intake.last(one)}
        for segment in segments:
            if segment.spool_id in ours:
                segment.path.rename(to / segment.path.name)
        return [segment for segment in segments if segment.spool_id not in ours]

    def _waits(self, segments: list[Segment]) -> str:
        n_rows = sum(segment.rows for segment in segments)
        return (
            f"{n_rows} rows wait in {self.folder}, where an older release left those of all roots"
        )


def _whose(to: Path) -> str:
    return f"whose they are is not known; move the files to {to}, or to the spool of their root"


def left_alone(spools: Path, folder: Path) -> Iterator[str]:
    """Spools of other roots, beside this one, whose rows no shipper works on."""
    for other in sorted(spools.glob(f"*/{folder.name}")):
        places = (other, other / FEEDBACK_FOLDER)
        n_rows = sum(one.rows for place in places for one in closed_segments(place))
        if other != folder and n_rows and _free(other / LOCK_FILE):
            yield f"{n_rows} rows wait in {other} for a shipper with the --root of that spool"


def _free(lock: Path) -> bool:
    try:
        with locked(lock, lambda: Busy(f"A shipper holds {lock}.")):
            return True
    except Busy:
        return False
