"""Follow the registry: one process per host fetches the champion, checks it and announces it.

It runs beside the workers (`python -m serving.follow`), so that nothing of theirs imports MLflow,
and a version that is slow to fetch or to check costs no request anything.
"""

import gc

if __name__ == "__main__":
    gc.disable()  # till it follows: nothing that is imported is garbage

import logging
import os
import random
import time
from typing import Annotated

import typer

from contract.command import run
from contract.errors import Busy
from contract.processes import GIVE_WAY
from contract.settings import Settings, read_settings
from contract.store.locks import FOREVER, locked
from serving.check import CheckAhead, check_apart
from serving.scoring.cache import Cache

# A service must notice soon that the registry is away; MLflow's defaults take minutes.
CLIENT_LIMITS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
}
LOCK_POLL_S = 0.5
JITTER = 0.1  # share of the interval, so that many hosts do not ask at once

logger = logging.getLogger(__name__)


def follow(name: str, settings: Settings, parent: int) -> None:
    """Poll until the parent process is gone; wait while another follower of this host does."""
    cache = Cache(settings.cache_root / name)
    cache.folder.mkdir(parents=True, exist_ok=True)

    def gone() -> bool:
        return os.getppid() != parent

    busy = Busy("Another follower of this host was at work until the end.")
    with locked(cache.folder / "follow.lock", lambda: busy, FOREVER, gone, LOCK_POLL_S):
        ahead = None if cache.knows_a_champion() else CheckAhead()
        from serving.follower import Follower, pointer_reader
        from tracking.store import client_of

        gc.enable()
        follower = Follower(
            lambda: client_of(settings),
            cache,
            name,
            pointer_reader(name, settings),
            settings.serve_shadow,
            ahead or check_apart,
            verify_key=settings.verify_key,
        )
        while not gone():
            try:
                follower.look()
            except OSError as error:  # a full disk: what was announced before stays true
                logger.warning("nothing can be announced: %s", error)
            if ahead:  # what everybody waited for is there
                ahead.close()
                ahead = None
                os.setpriority(os.PRIO_PROCESS, 0, GIVE_WAY)
            time.sleep(settings.serve_poll_s * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311


def main(
    name: Annotated[str, typer.Option(help="Registered model.")],
    root: Annotated[str, typer.Option(help="Where tables live; empty: FOURCYCLE_ROOT.")] = "",
    parent: Annotated[int, typer.Option(help="End when it ends; 0: who started this.")] = 0,
) -> None:
    """Keep the cache of this host in step with the registry."""
    follow(name, read_settings(root), parent or os.getppid())


if __name__ == "__main__":
    run(main, CLIENT_LIMITS)
