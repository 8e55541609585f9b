import pytest

from contract.errors import Busy
from contract.settings import read_settings
from contract.store.locks import alone


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
