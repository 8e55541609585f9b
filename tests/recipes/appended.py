"""A file on this machine that each alert is appended to, a line of JSON each."""

import json
from pathlib import Path

from contract.settings import Settings
from monitoring.alerts.channels.delivery import Attempt, Channel, TemporaryFailure
from monitoring.alerts.message import Message
from monitoring.alerts.wording import headline

VARIABLE = "FOURCYCLE_ALERT_FILE"


def attempt(settings: Settings) -> Attempt | None:
    """Append to the file that is configured."""
    named = str(getattr(settings, "alert_file", ""))
    return (lambda message, timeout_s: _append(Path(named), message)) if named else None


def _append(path: Path, message: Message) -> None:
    line = json.dumps({"id": message.id, "headline": headline(message)}, ensure_ascii=False)
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
    except OSError as error:  # a full disk may have room again
        raise TemporaryFailure(f"{path} can't be written ({type(error).__name__})") from error


APPENDED = Channel(VARIABLE, attempt)
