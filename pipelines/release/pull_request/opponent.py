"""The version that a change is held against, looked at and never touched.

It is the champion where the settings lead to a registry with one. A fork has no such settings:
there the base branch trains its own model beside the change, in a store that is thrown away.
"""

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from contract.addresses import SQLITE, sqlite_file
from contract.errors import BadInput, Refused
from contract.names import USE_CASE_FILE
from contract.processes import run_to_end
from contract.settings import Settings
from contract.store.tables import Tables
from contract.use_case.loader import parse_frozen
from contract.use_case.model import UseCase
from pipelines.registry.fetch import fetch
from pipelines.registry.versions import Version, champion_of, read_snapshot
from pipelines.runtime.git_commit import checkout, in_checkout
from pipelines.runtime.workspace import Workspace
from tracking.packages import PackageGone
from tracking.store import client_of, connect
from tracking.who import Actor


@dataclass(frozen=True)
class Opponent:
    """A version of some store, its package on this disk and what is known of it.

    `tables` hold what it was trained on. `card` is its model card; `use_case` is None where the
    package can't be read, which the gate then refuses.
    """

    version: Version
    origin: str
    tables: Tables
    card: str
    use_case: UseCase | None


def registered(use_case: UseCase, settings: Settings, into: Path) -> Opponent | None:
    """The champion of the registry that the settings lead to; None where there is none.

    Unavailable where a server does not answer. Nothing is made, moved or tagged there.
    """
    uri = settings.store_uri
    if uri.startswith(SQLITE) and not sqlite_file(uri).is_file():
        return None
    connect(settings)
    looked_at = _looked_at(use_case, settings)
    champion = champion_of(looked_at)
    if champion is None:
        return None
    origin = f"champion version {champion.version}, as it is registered"
    return _opponent(looked_at, champion, origin, into)


def of_base(
    use_case: UseCase,
    reference: str,
    base: str,
    settings: Settings,
    into: Path,
    words: tuple[str, ...],
) -> Opponent:
    """What the base branch makes of the same source now; Refused where it makes nothing.

    `reference` names the use case's file, `words` are further options of its pipeline.
    """
    store = into / "store"
    store.mkdir(parents=True)
    address = f"{SQLITE}{store / 'mlflow.db'}"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FOURCYCLE_")}
    environment |= {"MLFLOW_TRACKING_URI": address, "FOURCYCLE_ROOT": str(store / "data")}
    with checkout(base) as folder:
        named = ("--use-case", in_checkout(reference, folder))
        command = [sys.executable, "-m", "pipelines.main", *named, *words]
        done = run_to_end(command, cwd=folder, environment=environment)
        if done.code:
            raise Refused(
                f"{base} makes no model of {use_case.name} to compare with: {done.reason}"
            )
    settings = settings.model_copy(update={"tracking_uri": address, "root": str(store / "data")})
    looked_at = _looked_at(use_case, settings)
    snapshot = read_snapshot(looked_at)
    if snapshot is None:
        raise Refused(f"{base} registered no version of {use_case.name} to compare with.")
    newest = replace(snapshot.versions[max(snapshot.versions, key=int)], version=f"of {base}")
    return _opponent(looked_at, newest, f"the model of {base}, trained beside this one", into)


def _looked_at(use_case: UseCase, settings: Settings) -> Workspace:
    """A store to read in: no experiment is made, nobody acts."""
    tables = Tables(settings.table_root, use_case.name)
    return Workspace(use_case, settings, tables, client_of(settings), "", Actor("", ""))


def _opponent(looked_at: Workspace, version: Version, origin: str, into: Path) -> Opponent:
    known = Opponent(version, origin, looked_at.tables, version.card, None)
    try:
        folder = fetch(version, into / "package")
        text = (folder / USE_CASE_FILE).read_text(encoding="utf-8")
        use_case = parse_frozen(text, folder)
    except (Refused, BadInput, PackageGone):
        return known  # the gate reads it again and says why it can't
    return replace(known, version=replace(version, source=folder.as_uri()), use_case=use_case)
