"""The table of moves, conflicts, changes by hand, and the ledger, on a real registry."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from contract.errors import Refused
from contract.names import ARCHIVED, CHALLENGER, CHAMPION, PREVIOUS, PRODUCTION, STAGING
from contract.store.ledger import (
    SCHEMA,
    SINCE_FORMAT_2,
    Asked,
    broken_link,
    champion_at,
    entry_hash,
    read_entries,
)
from pipelines.registry.move import settle
from pipelines.registry.stages import set_stage
from pipelines.registry.versions import (
    Version,
    champion_of,
    create_version,
    read_snapshot,
    tag,
)
from pipelines.runtime.workspace import Workspace
from tests.conftest import settle as settle_in
from tests.support.stores import relocated
from tests.support.versions import check, make, now, register, releases
from tracking.tags import LEDGER_HASH_TAG, LEDGER_TAG


@pytest.fixture
def workspace(home: Path, empty_store: Path) -> Workspace:
    return releases(home, empty_store)


@pytest.fixture(scope="module")
def template(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 1 is previous, 2 champion, 3 challenger."""
    folder = tmp_path_factory.mktemp("three")
    with pytest.MonkeyPatch.context() as patch:
        settle_in(folder, patch)
        workspace = releases(folder, empty_store)
        promoted(workspace, 2)
        register(workspace)
    return folder


@pytest.fixture
def three(home: Path, template: Path) -> Workspace:
    shutil.copytree(template, home, dirs_exist_ok=True)
    relocated(home)
    return releases(home)


def stages(workspace: Workspace) -> dict[str, str]:
    snapshot = read_snapshot(workspace)
    assert snapshot is not None
    return dict(snapshot.observed.stages)


def promoted(workspace: Workspace, count: int) -> None:
    """Versions 1 to `count`, each promoted after the other."""
    for _ in range(count):
        make(workspace, "promote", register(workspace))


def test_each_move_of_the_table(workspace: Workspace) -> None:
    assert register(workspace) == "1"
    assert stages(workspace) == {"1": STAGING}
    register(workspace)
    assert stages(workspace) == {"1": ARCHIVED, "2": STAGING}
    make(workspace, "promote", "2")
    assert stages(workspace) == {"1": ARCHIVED, "2": PRODUCTION}
    make(workspace, "promote", register(workspace))
    assert stages(workspace) == {"1": ARCHIVED, "2": ARCHIVED, "3": PRODUCTION}
    make(workspace, "reject", register(workspace))
    assert stages(workspace)["4"] == ARCHIVED
    make(workspace, "rollback", "2")
    assert stages(workspace) == {"1": ARCHIVED, "2": PRODUCTION, "3": ARCHIVED, "4": ARCHIVED}
    assert now(workspace).barred == ("4", "3")
    check(workspace)
    moves = [(e.move, e.version, e.to_stage) for e in read_entries(workspace.tables)]
    assert moves[-3:] == [
        ("register", "4", STAGING),
        ("reject", "4", ARCHIVED),
        ("rollback", "2", PRODUCTION),
    ]


def test_a_move_that_was_made_is_not_made_again(three: Workspace) -> None:
    before = len(settle(three))
    assert make(three, "register", "3") is None
    assert make(three, "promote", "2") is None
    assert make(three, "rollback", "2") is None
    assert len(settle(three)) == before


@pytest.mark.parametrize(
    ("move", "version", "expected", "said"),
    [
        ("promote", "3", "1", "the champion is now version 2"),
        ("rollback", "1", "1", "the champion is now version 2"),
        ("register", "1", "2", "it is no challenger"),
        ("rollback", "3", "2", "Version 3 was never in Production"),
        ("reject", "2", "2", "Version 2 is in Production"),
    ],
)
def test_a_move_that_may_not_be_made_is_refused_and_changes_nothing(
    three: Workspace, move: Asked, version: str, expected: str, said: str
) -> None:
    before = settle(three), stages(three)
    with pytest.raises(Refused, match=said):
        make(three, move, version, expected)
    assert (settle(three), stages(three)) == before


def test_a_rejected_version_stays_out(three: Workspace) -> None:
    make(three, "reject", "3")
    assert make(three, "reject", "3") is None
    with pytest.raises(Refused, match="Version 3 was rejected or rolled back"):
        make(three, "promote", "3")
    with pytest.raises(Refused, match="it is no challenger"):
        make(three, "register", "3")


def test_rollbacks_go_back_one_by_one_and_never_to_what_was_taken_out(
    workspace: Workspace,
) -> None:
    promoted(workspace, 3)
    assert now(workspace).previous == "2"
    make(workspace, "rollback", "2")
    assert now(workspace).previous == "1"
    make(workspace, "rollback", "1")
    assert now(workspace).previous == ""
    make(workspace, "rollback", "3")  # a person may, by its number
    assert (now(workspace).champion, now(workspace).barred) == ("3", ("2", "1"))
    check(workspace)


# Made by hand in MLflow's user interface, as its calls


def alias(name: str, version: str) -> Callable[[Workspace], object]:
    if not version:
        return lambda w: w.client.delete_registered_model_alias(w.model_name, name)
    return lambda w: w.client.set_registered_model_alias(w.model_name, name, version)


def stage(version: str, to: str) -> Callable[[Workspace], object]:
    return lambda w: set_stage(w.client, w.settings, w.model_name, version, to)


def delete(version: str) -> Callable[[Workspace], object]:
    return lambda w: w.client.delete_model_version(w.model_name, version)


@pytest.mark.parametrize(
    ("change", "champion", "challenger", "previous", "said"),
    [
        (alias(CHAMPION, "1"), "2", "3", "1", "to version 1, which is recorded and serves nobody"),
        (alias(CHAMPION, "3"), "2", "3", "1", "champion went by hand from version 2 to version 3"),
        (alias(CHAMPION, ""), "2", "3", "1", "from version 2 to none.*put right: champion: vers"),
        (delete("2"), "", "3", "1", "version 2 was deleted by hand; .*rollback brings back vers"),
        (delete("1"), "2", "3", "", "version 1 was deleted by hand"),
        (delete("3"), "2", "", "1", "version 3 was deleted by hand"),
        (stage("3", PRODUCTION), "2", "3", "1", "put right: version 3: Production → Staging"),
        (stage("2", ARCHIVED), "2", "3", "1", "put right: version 2: Archived → Production"),
        (alias(CHALLENGER, "1"), "2", "3", "1", "put right: challenger: version 3"),
        (alias(CHALLENGER, ""), "2", "", "1", "challenger went by hand from version 3 to none"),
        (alias(PREVIOUS, "3"), "2", "3", "1", "put right: previous: version 1"),
    ],
)
def test_changes_by_hand_are_recorded_and_what_is_impossible_is_put_right(
    three: Workspace,
    change: Callable[[Workspace], object],
    champion: str,
    challenger: str,
    previous: str,
    said: str,
) -> None:
    change(three)
    entry = settle(three)[-1]
    assert entry.move == "external"
    assert re.search(said, entry.why), entry.why
    state = entry.state
    assert (state.champion, state.challenger, state.previous) == (
        champion,
        challenger,
        previous,
    )
    check(three)


def test_a_registry_from_before_the_ledger_has_no_champion_until_one_is_promoted(
    workspace: Workspace,
) -> None:
    client, name = workspace.client, workspace.model_name
    client.create_registered_model(name)
    for version in ("1", "2"):
        client.create_model_version(name, "somewhere", None)
        set_stage(client, workspace.settings, name, version, PRODUCTION)
    client.set_registered_model_alias(name, CHAMPION, "1")
    (entry,) = settle(workspace)
    assert (entry.move, entry.state.champion) == ("external", "")
    assert stages(workspace) == {"1": ARCHIVED, "2": ARCHIVED}
    check(workspace)


def test_a_deleted_model_begins_anew(workspace: Workspace) -> None:
    promoted(workspace, 1)
    workspace.client.delete_registered_model(workspace.model_name)
    assert settle(workspace)[-1].move == "reset"
    promoted(workspace, 1)
    workspace.client.delete_registered_model(workspace.model_name)
    assert register(workspace) == "1"  # unnoticed until the next version came
    assert [e.move for e in settle(workspace)][-2:] == ["reset", "register"]
    check(workspace)


# The ledger


def test_the_ledger_tells_who_was_champion_when(three: Workspace) -> None:
    entries = settle(three)
    times = [e.time for e in entries if e.move == "promote"]
    assert [champion_at(entries, time) for time in times] == ["1", "2"]
    assert champion_at(entries, entries[0].time) == ""


def test_a_changed_entry_breaks_the_chain(three: Workspace) -> None:
    entries = settle(three)
    assert broken_link(entries) == ""
    forged = [*entries[:1], replace(entries[1], who="nobody"), *entries[2:]]
    assert broken_link(forged) == "entry 2 was changed after it was written"
    assert "missing" in broken_link([entries[0], *entries[2:]])
    resealed = [replace(entries[0], why="x").after(None, entries[0].time), *entries[1:]]
    assert broken_link(resealed) == "entry 2 does not follow the entry before it"


def test_a_ledger_of_the_format_before_is_whole_and_goes_on(workspace: Workspace) -> None:
    """Version 1 was promoted by release 0.2.0; its entries had fewer columns."""
    register(workspace)
    uri = Path(workspace.tables.uri("ledger"))
    (now_entry,) = read_entries(workspace.tables)
    old = replace(now_entry, format=1, proven=False, note="", package="", signature="")
    old = replace(old, hash=entry_hash(old))
    schema = pa.schema([field for field in SCHEMA if field.name not in SINCE_FORMAT_2])
    shutil.rmtree(uri)
    workspace.tables.append_next(
        "ledger", pa.Table.from_pylist([old.row()], schema=schema), old.number
    )
    client, mark = workspace.client, f"1 {old.hash}"
    client.set_registered_model_tag(workspace.model_name, "ledger", mark)
    make(workspace, "promote", "1")
    first, second = read_entries(workspace.tables)
    assert (first, first.by) == (old, "anna")
    assert (second.format, second.by) == (2, "anna (unproven)")
    check(workspace)


def test_a_ledger_whose_end_was_cut_off_moves_nothing(three: Workspace) -> None:
    entries = settle(three)
    uri = Path(three.tables.uri("ledger"))
    uri.rename(uri.with_name("away"))
    rows = pa.Table.from_pylist([entry.row() for entry in entries[:-1]], schema=SCHEMA)
    write_deltalake(uri, rows)
    with pytest.raises(Refused, match="the registry shows entry 5, the table ends with 4"):
        make(three, "rollback", "1")


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("1 " + "0" * 64, "entry 1 is another one than the registry shows"),
        ("none", "the registry shows entry none, the table ends with 5"),
    ],
)
def test_a_mark_that_was_changed_by_hand_moves_nothing(
    three: Workspace, mark: str, said: str
) -> None:
    three.client.set_registered_model_tag(three.model_name, LEDGER_TAG, mark)
    with pytest.raises(Refused, match=said):
        make(three, "promote", "3")


def test_a_changed_entry_moves_nothing(three: Workspace) -> None:
    entries = settle(three)
    uri = Path(three.tables.uri("ledger"))
    uri.rename(uri.with_name("away"))
    rows = [replace(entries[0], who="nobody").row(), *(entry.row() for entry in entries[1:])]
    write_deltalake(uri, pa.Table.from_pylist(rows, schema=SCHEMA))
    with pytest.raises(Refused, match="entry 1 was changed after it was written"):
        make(three, "promote", "3")


def test_a_registry_that_fails_is_neither_empty_nor_without_the_version(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    away = replace(workspace, client=MlflowClient(*["http://127.0.0.1:9"] * 2))
    asks: list[Callable[[], object]] = [
        lambda: Version.read(away, "1"),
        lambda: champion_of(away),
        lambda: create_version(away, "file:///nowhere", "0", "", {}),
    ]
    for ask in asks:
        with pytest.raises(MlflowException, match="Connection refused"):
            ask()


def test_the_table_takes_no_changes(three: Workspace) -> None:
    with pytest.raises(Exception, match="append-only"):
        three.tables.delete("ledger", "number = 1")


# What people see in MLflow


def test_every_entry_is_a_run_and_the_page_says_what_is_live(three: Workspace) -> None:
    snapshot, entries = read_snapshot(three), settle(three)
    assert snapshot is not None
    runs = three.client.search_runs([three.experiment_id])
    assert {r.data.tags[LEDGER_HASH_TAG] for r in runs} == {e.hash for e in entries}
    assert {run.info.status for run in runs} == {"FINISHED"}
    page = str(snapshot.model.description)
    for said in ("Live: version 2", "because a test", "Waiting: version 3", "version 1 live again"):
        assert said in page
    tags = {v.version: v.tags["status"] for v in snapshot.versions.values()}
    assert tags["2"].startswith("live since")
    assert tags["1"].startswith("previous")


def test_an_approval_that_waits_ends_with_the_challenge(workspace: Workspace) -> None:
    register(workspace)
    snapshot = read_snapshot(workspace)
    assert snapshot is not None
    tag(workspace, snapshot.versions["1"], approval="pending")
    register(workspace)
    snapshot = read_snapshot(workspace)
    assert snapshot is not None
    assert "approval" not in snapshot.versions["1"].tags


def test_without_the_stage_api_stages_are_tags(
    home: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOURCYCLE_STAGES", "no")
    workspace = releases(home, empty_store)
    promoted(workspace, 2)
    assert stages(workspace) == {"1": ARCHIVED, "2": PRODUCTION}
    found = workspace.client.search_model_versions(f"name = '{workspace.model_name}'")
    assert {version.current_stage for version in found} == {"None"}
    stage("2", ARCHIVED)(workspace)
    assert settle(workspace)[-1].move == "external"
    check(workspace)
