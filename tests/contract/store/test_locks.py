from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from contract.errors import Busy
from contract.settings import read_settings
from contract.store.locks import FOREVER, alone, locked


def test_who_waits_too_long_for_another_process_is_told_and_free_again_after() -> None:
    settings = read_settings()
    with (
        alone(settings, "made.monitor", 0),
        pytest.raises(Busy, match=r"has held 'made\.monitor' for 0\.1 s; nothing was done here"),
        alone(settings, "made.monitor", 0.1),
    ):
        pytest.fail("two at once")
    with alone(settings, "made.monitor", 0):
        pass


def test_who_would_wait_forever_ends_when_told_to(tmp_path: Path) -> None:
    file, answers = tmp_path / "one.lock", iter([False, False, True])

    def wait() -> None:
        with locked(file, lambda: Busy("told to stop"), FOREVER, lambda: next(answers), 0.01):
            pytest.fail("two at once")

    with (
        locked(file, lambda: Busy("never")),
        ThreadPoolExecutor() as threads,
        pytest.raises(Busy, match="told to stop"),
    ):
        threads.submit(wait).result()
    assert not list(answers)
    with locked(file, lambda: Busy("still held")):
        pass
