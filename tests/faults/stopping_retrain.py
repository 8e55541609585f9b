"""A retraining that stops when a step is done, and waits to be killed:
`python stopping_retrain.py <step> <use case>`.
"""

import os
import signal
import sys
from io import StringIO

from pipelines.retrain import retrain


class Stopping(StringIO):
    """Where the steps say that they are done."""

    def write(self, text: str) -> int:
        if f"✓ {sys.argv[1]} " in text:
            os.kill(os.getpid(), signal.SIGSTOP)
        return len(text)


if __name__ == "__main__":
    sys.stderr = Stopping()
    retrain(sys.argv[2])
