"""What one worker is put together from."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from contract.settings import Settings
from serving.log.log import Log
from serving.requests.api_keys import Keys
from serving.requests.loop_share import LoopShare
from serving.scoring.champion import CurrentVersion
from serving.telemetry.access_log import AccessLog
from serving.telemetry.board import Board
from serving.telemetry.metrics import Metrics


def now_utc() -> datetime:
    """The time of arrival."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class WorkerContext:
    """The parts of one worker, which endpoints, gateway and pages share."""

    current: CurrentVersion  # holds the version that answers now
    log: Log
    feedback_log: Log
    settings: Settings
    mlflow_version: str
    metrics: Metrics
    keys: Keys
    access_log: AccessLog
    board: Board
    loop_share: LoopShare = field(default_factory=LoopShare)
    clock: Callable[[], datetime] = now_utc
    began: float = field(default_factory=time.time)  # seconds since 1970
