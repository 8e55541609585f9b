"""The one function that moves versions.

Under a lock: finish what a crash left, notice what was changed by hand, compare the champion with
the expected one, append to the ledger, tell the registry, verify. The ledger decides and the
registry follows: an entry that stands there and that the registry does not show yet is finished by
the next call, so no crash leaves half a move (docs/decisions).
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

import mlflow
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from contract.errors import Refused, Unavailable
from contract.store.locks import lock_folder, locked
from pipelines.registry.ledger import (
    LedgerEntry,
    RegistryState,
    append_entry,
    ever_champion,
    read_entries,
)
from pipelines.registry.manual_changes import damage, found_by_hand, mark_in, mark_of
from pipelines.registry.sync import ROUNDS, show, write_texts
from pipelines.registry.transitions import (
    UNSTAGED,
    MoveRequest,
    ObservedRegistry,
    decide,
    effects,
    plan,
)
from pipelines.registry.versions import RegistrySnapshot, read_shown
from pipelines.runtime.retry import retry_while_away
from pipelines.runtime.workspace import Workspace

LOCK_WAIT_S = 120
# Another host that is in the middle of a move gets this long before its move is finished here.
LEASE_S = 30
LOOK_S = 0.5  # between two looks at what it shows


def move(workspace: Workspace, ask: MoveRequest) -> LedgerEntry | None:
    """Move a version; its entry, or None where it is there already. Refused with the reason."""
    with _alone(workspace):
        for _ in range(ROUNDS):
            entries, shown = _settled(workspace)
            now = entries[-1].standing if entries else RegistryState()
            after = decide(ask, now, ever_champion(entries))
            if after is None:
                return None
            seen = shown.observed if shown else ObservedRegistry()
            entry = _entry(ask, after, seen).after(entries[-1] if entries else None, _now())
            if append_entry(workspace.tables, entry):
                own = mlflow.active_run()
                run_id = own.info.run_id if own else ""
                retry_while_away(
                    partial(show, workspace, [*entries, entry], run_id),
                    workspace.settings.store_wait_s,
                )
                return entry
    raise Unavailable("Other hosts keep moving versions at the same time; try again.")


def settle(workspace: Workspace) -> list[LedgerEntry]:
    """Finish an interrupted move, record and repair changes made by hand; all entries."""
    with _alone(workspace):
        return _settled(workspace)[0]


def refresh(workspace: Workspace) -> None:
    """Bring the texts of the registry page up to date, e.g. after the gate has spoken."""
    with _alone(workspace):
        entries, shown = _settled(workspace)
        if shown and entries:
            write_texts(workspace, entries, shown)


def _settled(workspace: Workspace) -> tuple[list[LedgerEntry], RegistrySnapshot | None]:
    return retry_while_away(lambda: _settle(workspace), workspace.settings.store_wait_s)


def _settle(workspace: Workspace) -> tuple[list[LedgerEntry], RegistrySnapshot | None]:
    for _ in range(ROUNDS):
        entries, shown = read_entries(workspace.tables), read_shown(workspace)
        if broken := damage(entries, shown):
            raise Refused(
                f"The ledger of {workspace.model_name!r} is damaged: {broken}. No version moves "
                "until the table is restored; docs/releases.md says how."
            )
        head = entries[-1] if entries else None
        entry = found_by_hand(head, shown)
        if entry is None and head and shown and mark_in(shown) != mark_of(head):
            _give_other_host_time(workspace, head)
            show(workspace, entries)
        elif entry is None:
            return entries, shown
        elif append_entry(workspace.tables, entry := entry.after(head, _now())):
            show(workspace, [*entries, entry])
    raise Unavailable("The registry keeps changing while it is looked at; try again.")


def _entry(ask: MoveRequest, after: RegistryState, seen: ObservedRegistry) -> LedgerEntry:
    planned = plan(after, seen)
    before = seen.stages.get(ask.version, UNSTAGED)
    return LedgerEntry(
        ask.move,
        ask.version,
        ask.who,
        ask.why,
        after,
        from_stage=before,
        to_stage=planned.stages.get(ask.version, before),
        expected=ask.expected,
        gate_run=ask.gate_run,
        data_version=ask.data_version,
        release_check=ask.release_check,
        effects=effects(planned, seen),
        host=socket.gethostname(),
    )


def _give_other_host_time(workspace: Workspace, head: LedgerEntry) -> None:
    """Wait for the host that wrote the head to show it; on this host the lock says it has ended."""

    def is_shown() -> bool:
        shown = read_shown(workspace)
        return shown is None or mark_in(shown) == mark_of(head)

    if head.host != socket.gethostname():
        Retrying(
            retry=retry_if_result(lambda done: not done),
            stop=stop_after_delay(LEASE_S),
            wait=wait_fixed(LOOK_S),
            retry_error_callback=lambda _: False,  # the move is finished here
        )(is_shown)


@contextmanager
def _alone(workspace: Workspace) -> Iterator[None]:
    """One move at a time on this host; the system frees the lock of a process that ends."""
    file = lock_folder(workspace.settings) / f"{workspace.model_name}.moves.lock"
    busy = Unavailable(
        f"Another process has been moving versions of {workspace.model_name!r} for "
        f"{LOCK_WAIT_S} s; try again later."
    )
    with locked(file, lambda: busy, LOCK_WAIT_S):
        yield


def _now() -> datetime:
    return datetime.now(UTC)
