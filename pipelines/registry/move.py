"""The one function that moves versions.

Under a lock: finish what a crash left, notice what was changed by hand, compare the champion with
the expected one, append to the ledger, tell the registry, verify. The ledger decides and the
registry follows: an entry that stands there and that the registry does not show yet is finished by
the next call, so no crash leaves half a move (docs/decisions).
"""

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import mlflow
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from contract.errors import Refused, Unavailable
from contract.signing import sign
from contract.store.ledger import (
    NONE,
    Asked,
    LedgerEntry,
    RegistryState,
    append_entry,
    entry_said,
    ever_champion,
    read_entries_after,
    state_after,
)
from contract.store.locks import lock_folder, locked
from pipelines.registry.manual_changes import damage, manual_changes, mark_in
from pipelines.registry.sync import ROUNDS, reconcile, write_texts
from pipelines.registry.transitions import (
    UNSTAGED,
    MoveRequest,
    ObservedRegistry,
    decide,
    effects,
    plan,
)
from pipelines.registry.versions import RegistrySnapshot, Version, read_snapshot
from pipelines.runtime.retry import retry_while_away
from pipelines.runtime.workspace import Workspace
from tracking.tags import GATE_RUN_TAG, PACKAGE_TAG, table_version_tag

LOCK_WAIT_S = 120
# Another host that is in the middle of a move gets this long before its move is finished here.
LEASE_S = 30
LOOK_S = 0.5  # between two looks at what it shows


def request_of(
    workspace: Workspace,
    move: Asked,
    version: Version,
    why: str,
    expected: str = NONE,
    release_check: str = "",
) -> MoveRequest:
    """A move of a version by who acts here, with what its tags say it rests on."""
    actor, tags = workspace.actor, version.tags
    return MoveRequest(
        move,
        version.version,
        actor.name,
        why,
        expected=expected,
        gate_run=tags.get(GATE_RUN_TAG, ""),
        data_version=f"training@{tags.get(table_version_tag('training'), '?')}",
        release_check=release_check,
        proven=actor.proven,
        note=actor.note,
        package=tags.get(PACKAGE_TAG, ""),
    )


def move(
    workspace: Workspace, request: MoveRequest, held: Sequence[LedgerEntry] = ()
) -> LedgerEntry | None:
    """Move a version; its entry, or None where it is there already. Refused with the reason.

    `held` are entries that `settle` has answered before: they are not read again.
    """
    with _alone(workspace):
        for _ in range(ROUNDS):
            entries, snapshot = _settled(workspace, held)
            now = state_after(entries)
            after = decide(request, now, ever_champion(entries))
            if after is None:
                return None
            observed = snapshot.observed if snapshot else ObservedRegistry()
            entry = _sealed(workspace, _entry(request, after, observed), entries)
            if append_entry(workspace.tables, entry):
                own = mlflow.active_run()
                run_id = own.info.run_id if own else ""
                retry_while_away(
                    partial(reconcile, workspace, [*entries, entry], snapshot, run_id),
                    workspace.settings.store_wait_s,
                )
                return entry
    raise Unavailable("Other hosts keep moving versions at the same time; try again.")


def settle(workspace: Workspace, held: Sequence[LedgerEntry] = ()) -> list[LedgerEntry]:
    """Finish an interrupted move, record and repair changes made by hand; all entries, of which
    those that are `held` were read and found whole before."""
    with _alone(workspace):
        return _settled(workspace, held)[0]


def refresh(workspace: Workspace) -> None:
    """Bring the texts of the registry page up to date, e.g. after the gate has spoken."""
    with _alone(workspace):
        entries, snapshot = _settled(workspace)
        if snapshot and entries:
            write_texts(workspace, entries, snapshot)


def _settled(
    workspace: Workspace, held: Sequence[LedgerEntry] = ()
) -> tuple[list[LedgerEntry], RegistrySnapshot | None]:
    return retry_while_away(lambda: _settle(workspace, held), workspace.settings.store_wait_s)


def _settle(
    workspace: Workspace, held: Sequence[LedgerEntry]
) -> tuple[list[LedgerEntry], RegistrySnapshot | None]:
    for _ in range(ROUNDS):
        entries, snapshot = read_entries_after(workspace.tables, held), read_snapshot(workspace)
        if broken := damage(entries, snapshot, held):
            raise Refused(
                f"The ledger of {workspace.model_name!r} is damaged: {broken}. No version moves "
                "until the table is restored; docs/releases.md says how."
            )
        held, head = entries, entries[-1] if entries else None
        entry = manual_changes(head, snapshot)
        if entry is None and head and snapshot and mark_in(snapshot) != head.mark:
            _wait_for_other_host(workspace, head)
            reconcile(workspace, entries, read_snapshot(workspace))
        elif entry is None:
            return entries, snapshot
        elif append_entry(workspace.tables, entry := _sealed(workspace, entry, entries)):
            reconcile(workspace, [*entries, entry], snapshot)
    raise Unavailable("The registry keeps changing while it is looked at; try again.")


def _sealed(workspace: Workspace, entry: LedgerEntry, before: list[LedgerEntry]) -> LedgerEntry:
    """The entry after those before, signed where this job holds a key."""
    sealed = entry.after(before[-1] if before else None, datetime.now(UTC))
    key = workspace.settings.sign_key.get_secret_value()
    return replace(sealed, signature=sign(key, *entry_said(workspace.model_name, sealed)))


def _entry(request: MoveRequest, after: RegistryState, observed: ObservedRegistry) -> LedgerEntry:
    planned = plan(after, observed)
    before = observed.stages.get(request.version, UNSTAGED)
    return LedgerEntry(
        request.move,
        request.version,
        request.who,
        request.why,
        after,
        from_stage=before,
        to_stage=planned.stages.get(request.version, before),
        expected=request.expected,
        gate_run=request.gate_run,
        data_version=request.data_version,
        release_check=request.release_check,
        effects=effects(planned, observed),
        proven=request.proven,
        note=request.note,
        package=request.package,
        host=socket.gethostname(),
    )


def _wait_for_other_host(workspace: Workspace, head: LedgerEntry) -> None:
    """Wait for the host that wrote the head to show it; on this host the lock says it has ended."""

    def is_shown() -> bool:
        snapshot = read_snapshot(workspace)
        return snapshot is None or mark_in(snapshot) == head.mark

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
