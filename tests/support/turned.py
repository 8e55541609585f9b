"""The made use case with a champion whose performance has fallen: its labels turned round."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from contract.settings import read_settings
from contract.store.tables import Tables
from contract.use_case.loader import frozen
from contract.use_case.model import UseCase
from contract.use_case.sections.monitoring import Monitoring
from contract.use_case.sections.retraining import Retraining
from monitoring.monitor import Monitored, monitor
from monitoring.windows.window import WindowRequest, read_day
from pipelines.data.rehearsal import Rehearsal
from pipelines.main import pipeline
from pipelines.runtime.workspace import Workspace, connected, open_workspace
from tests.conftest import deliver, made_rows, made_use_case
from tests.support import monitored as made
from tests.support.stores import copy_store

DAYS = ("2024-02-01", "2024-02-02", "2024-02-03")
N_ROWS = 400  # answered each day
FILE = "made.yaml"


@dataclass(frozen=True)
class Turned:
    """Where it was made, and what the reports on its first two days said."""

    folder: Path
    use_case: UseCase
    reports: tuple[Monitored, Monitored]


def turn(folder: Path) -> Turned:
    """Train, answer two days, label them the other way round, and watch; in the folder."""
    use_case = declared(folder)
    (folder / FILE).write_text(frozen(use_case), encoding="utf-8")
    deliver(folder, made_rows())
    with open_workspace(use_case) as opened:
        pipeline(opened, Rehearsal(), tune=0)
        for day in (1, 2):
            answered(opened.tables, use_case, day)
    return Turned(folder, use_case, (watch(use_case, 1), watch(use_case, 2)))


def declared(folder: Path) -> UseCase:
    """The made use case, judged day by day."""
    monitoring = Monitoring(every="day", min_rows=30, reference_rows=100, min_labels=50)
    retraining = Retraining(min_labels=300, max_key_share=1)
    return made_use_case(folder, {"monitoring": monitoring, "retraining": retraining})


def answered(tables: Tables, use_case: UseCase, day: int) -> None:
    """Answers of a day and their labels, turned round, all said by one API key."""
    rows = made.rows(N_ROWS, day, DAYS[day - 1])
    made.answer(tables, use_case, rows)
    made.label(tables, rows.assign(late=~rows["late"]), key_id="clerk")


def watch(use_case: UseCase, day: int) -> Monitored:
    """The report on a day."""
    asked = WindowRequest(read_day("from", DAYS[day - 1]), read_day("until", DAYS[day]))
    return monitor(use_case, read_settings(), asked)[0]


def copied(turned: Turned, home: Path) -> Workspace:
    """A copy of store and tables in the working folder, to write to."""
    copy_store(turned.folder, home)
    shutil.copytree(turned.folder / "data", home / "data")
    return connected(turned.use_case, read_settings(), "training")
