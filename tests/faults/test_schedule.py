"""A scheduler that is killed at any moment: what it had to do is done by the next one, once."""

import random
import shutil
import time
from pathlib import Path

from contract.store.tables import Tables
from pipelines.replaying.service_process import free_port
from tests.support.rounds import rounds
from tests.support.scheduled import (
    WATCHED,
    answered,
    declare,
    known,
    label,
    marks,
    monitored,
    reports,
    running,
    schedule,
    until,
)

LASTS_S = 15  # about, until all is done


def in_the_second_window(folder: Path) -> bool:
    return len(marks(folder, "monitor")) == 1 and bool(known(folder, "monitor")["child"])


def test_missed_windows_are_caught_up_once_whenever_the_scheduler_is_killed(
    home: Path, champion: Path
) -> None:
    chance = random.Random(0)
    for number in range(rounds(few=1, full=20)):
        folder = home / str(number)
        folder.mkdir()
        shutil.copy(champion / "mlflow.db", folder)
        use_case = declare(folder, **WATCHED)
        for day in (1, 2):
            answered(folder, use_case, day)
        label(folder, 1)
        with running(folder, free_port()) as scheduler:
            if number:
                time.sleep(chance.uniform(0, LASTS_S))
            else:
                until(in_the_second_window, folder)
            scheduler.kill()
        done = schedule(folder, "--once", "yes")
        assert done.returncode == 0, done.stderr
        titles = ["2024-02-01 to 2024-02-02", "2024-02-02 to 2024-02-03"]
        assert reports(folder) == [(title, "1") for title in titles]
        assert monitored(folder) == ([(1, 20.0), (2, 20.0)], titles[1])
        assert Tables(str(folder / "data"), "made").read("feedback").num_rows == 20
