"""Why a pass failed: what everybody may read, and nothing of addresses and values."""

import pytest

from contract.errors import Refused
from serving.shipping.failure import reason_of


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Refused("A sentence of ours."), "A sentence of ours"),
        (PermissionError(13, "Permission denied", "/srv/spool"), "Permission denied"),
        (OSError("LocalFileSystem error: /srv: File too large (os error 27)"), "File too large"),
        (
            OSError("Kernel error -> Generic S3 error: error sending request http://10.0.0.7"),
            "the store of the tables does not answer (OSError)",
        ),
        (OSError("at 10.0.0.7"), "OSError, the log of the service has more"),
        (KeyError("Ada Lovelace"), "KeyError, the log of the service has more"),
    ],
)
def test_a_reason_is_for_everybody(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason
