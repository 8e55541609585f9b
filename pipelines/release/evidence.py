"""Evidence: gather what the gate must know of a version. Measures, and decides nothing.

Everything is measured on the registered package, loaded and scored as the service does, and on the
holdout that the version was registered with. What fails becomes a problem, which is a no.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import pyarrow as pa

from contract.errors import Refused, Unavailable
from contract.names import ROW_COLUMNS, ROW_HASH
from contract.statistics.metrics import Scored, metric_values
from contract.store.frames import column_of
from contract.store.rows.fingerprint import content_hash, row_hashes
from contract.store.sql import FilesRemoved
from contract.store.tables import Tables
from contract.use_case.model import UseCase
from pipelines.model.baseline import baseline
from pipelines.model.comparison import Comparison, Groups, compare
from pipelines.model.fitted import answers, labels, weights
from pipelines.registry.versions import Version
from pipelines.release.compatibility import breaks, incomparable
from pipelines.release.gate_evidence import Champion, GateEvidence, NoChampion, RarestClass
from pipelines.release.loaded_package import (
    LoadedPackage,
    MeasuredPackage,
    check_columns,
    load,
    measure,
)
from pipelines.runtime.workspace import Workspace
from serving.scoring.scorer import Scorer
from tracking.packages import PackageGone
from tracking.tags import (
    EVALUATE_RUN_TAG,
    GIT_COMMIT_TAG,
    LOCK_HASH_TAG,
    PACKAGE_RUN_TAG,
    PACKAGE_TAG,
    TRAIN_RUN_TAG,
    table_hash_tag,
    table_version_tag,
)

# Without these nobody can say where a version came from.
LINEAGE = (
    GIT_COMMIT_TAG,
    TRAIN_RUN_TAG,
    EVALUATE_RUN_TAG,
    PACKAGE_RUN_TAG,
    PACKAGE_TAG,
    table_version_tag("training"),
    table_hash_tag("training"),
    table_version_tag("holdout"),
    table_hash_tag("holdout"),
    table_version_tag("raw"),
    table_hash_tag("raw"),
    LOCK_HASH_TAG,
)
LONGEST_PROBLEM = 400
T = TypeVar("T")


@dataclass
class EvidenceCollector:
    """Tries one thing after another; a failure leaves None and a sentence, it stops nothing."""

    problems: list[str] = field(default_factory=list)

    def __call__(self, what: str, work: Callable[[], T], way_out: str = "") -> T | None:
        """The work's value; None where it failed, with a way out for whoever reads why."""
        try:
            return work()
        except Exception as error:  # deltalake raises bare ones for a file that is damaged
            away = isinstance(error, Unavailable)
            if away and not isinstance(error, FilesRemoved | PackageGone):
                raise  # says nothing about the version: try again later
            # Of a version of a table, or of a model, files that were removed do not come back.
            reason = str(error).partition("\n")[0][:LONGEST_PROBLEM]
            self.problems.append(f"{what}: {reason or type(error).__name__}{way_out}")
            return None


def gather(
    attempt: EvidenceCollector,
    workspace: Workspace,
    version: Version,
    champion: Version | None,
    validation: str | None,
    their_tables: Tables | None = None,
) -> GateEvidence:
    """Measure a version, and the champion beside it where there is one.

    `their_tables` hold what the champion was trained on, where that is another root than the
    workspace's. `validation` is how the validation of its data came out, in words; None where none
    is known. What fails here or failed before under the same `attempt` is among the problems.
    """
    tables, me = workspace.tables, f"version {version.version}"
    loaded = attempt(f"{me} can't be served", lambda: load(workspace, version))
    rows = attempt(f"the holdout of {me} can't be read", lambda: holdout(tables, version))
    mine = _measured(attempt, workspace, me, loaded, rows)
    trivial = _trivial(attempt, tables, version, mine)
    alone = champion is None or not workspace.use_case.gates.limited
    over_baseline = _over_baseline(attempt, mine, trivial) if alone else None
    theirs = replace(workspace, tables=their_tables or tables)
    return GateEvidence(
        version=version.version,
        missing_tags=tuple(name for name in LINEAGE if not version.tags.get(name)),
        validation=validation,
        rows=rows.num_rows if rows is not None else None,
        rarest=RarestClass.of(mine.scored) if mine else None,
        holdout_hash=content_of(rows) if rows is not None else None,
        registered_hash=version.tags.get(table_hash_tag("holdout")),
        trained_on=_trained_on(attempt, workspace, version, rows),
        figures=mine.figures if mine else None,
        baseline=metric_values(mine.case, trivial) if mine and trivial else None,
        latency=mine.latency if mine else None,
        size_mb=loaded.size_mb if loaded else None,
        opponent=_meet(attempt, theirs, champion, rows, loaded, mine)
        if champion
        else NoChampion(over_baseline),
        over_baseline=over_baseline if champion else None,
        problems=tuple(attempt.problems),  # last: what came before may have added some
    )


def _measured(
    attempt: EvidenceCollector,
    workspace: Workspace,
    name: str,
    loaded: LoadedPackage | None,
    rows: pa.Table | None,
) -> MeasuredPackage | None:
    if loaded is None or rows is None:
        return None
    return attempt(f"{name} can't be measured", lambda: measure(workspace, loaded.served, rows))


def _trivial(
    attempt: EvidenceCollector, tables: Tables, version: Version, mine: MeasuredPackage | None
) -> Scored | None:
    """The baseline's answers to the same rows."""
    if mine is None:
        return None
    return attempt("the baseline can't be measured", lambda: _baseline(tables, version, mine))


def _over_baseline(
    attempt: EvidenceCollector, mine: MeasuredPackage | None, trivial: Scored | None
) -> Comparison | None:
    """The version beside the baseline, where there is no champion or no absolute limit."""
    if mine is None or trivial is None:
        return None
    what = "it can't be compared with the baseline"
    # A constant that never answers the positive class has no precision: it counts as none.
    return attempt(what, lambda: compare(mine.case, mine.scored, trivial, {}, undefined=0.0))


def _baseline(tables: Tables, version: Version, mine: MeasuredPackage) -> Scored:
    """What the labels that the version learned from say on average, as it weighed them."""
    case, at = mine.case, int(required_tag(version, table_version_tag("training")))
    needed = [case.target] if case.weight is None else [case.target, case.weight]
    training = tables.read("training", at, columns=needed)
    return baseline(labels(training, case), mine.scored, case, weights(training, case))


def _meet(
    attempt: EvidenceCollector,
    workspace: Workspace,
    champion: Version,
    rows: pa.Table | None,
    loaded: LoadedPackage | None,
    mine: MeasuredPackage | None,
) -> Champion:
    name = f"champion version {champion.version}"
    theirs = attempt(
        f"{name} can't be read", lambda: load(workspace, champion).served, _way_out(champion)
    )
    broken, comparison, why = None, None, ""
    if theirs is not None and loaded is not None and rows is not None:
        old, new = theirs, loaded.served
        broken = breaks(
            old.use_case, new.use_case, tuple(old.scorer.classes), tuple(new.scorer.classes)
        )
        why = incomparable(old.use_case, new.use_case)
        if mine is not None and not why:
            me = mine
            comparison = attempt(
                f"{name} can't be measured", lambda: _compare(me, old.scorer, rows)
            )
    n_trained_on = _trained_on(attempt, workspace, champion, rows)
    return Champion(champion.version, n_trained_on, broken, comparison, why)


def _way_out(champion: Version) -> str:
    return (
        "; bring its artifacts back, or take it out for good, and then run the gate again: "
        f"fourcycle reject --version {champion.version} --reason '...'"
    )


def holdout(tables: Tables, version: Version) -> pa.Table:
    """The version's frozen holdout, in an order that depends on its content alone."""
    return tables.read(
        "holdout", int(required_tag(version, table_version_tag("holdout"))), order_by=[ROW_HASH]
    )


def content_of(rows: pa.Table) -> str:
    """The content hash of rows as they are now, whatever their table says of itself."""
    return content_hash(row_hashes(rows.drop_columns([ROW_HASH])))


def trained_on(tables: Tables, version: Version, rows: pa.Table, keys: tuple[str, ...]) -> int:
    """How many of the rows stand in the version's training table, by content or by key.

    By key too: a column declared since, or a label corrected since, changes the content of a row
    that the version has seen all the same. Without keys, by all columns that both tables have.
    """
    at = int(required_tag(version, table_version_tag("training")))
    there = {field.name for field in tables.open("training", at).schema().fields}
    names = list(keys) or sorted(there.intersection(rows.column_names) - ROW_COLUMNS)
    training = tables.read("training", at, columns=[ROW_HASH, *names])
    hashes = training.column(ROW_HASH).to_numpy()
    if content_hash(hashes) != required_tag(version, table_hash_tag("training")):
        raise Refused(f"table training@{at} does not hold the rows that it was trained on")
    same_row = np.isin(rows.column(ROW_HASH).to_numpy(), hashes)
    mine, theirs = (row_hashes(table.select(names)) for table in (rows, training))
    return int((same_row | np.isin(mine, theirs)).sum())


def groups(case: UseCase, rows: pa.Table) -> Groups:
    """The declared slices: the value of each column on each row, as text."""
    return {
        name: column_of(rows, case, name).to_pandas().astype(str).to_numpy()
        for name in case.evaluation.slices
    }


def _compare(mine: MeasuredPackage, champion: Scorer, rows: pa.Table) -> Comparison:
    check_columns(champion, rows)
    theirs = answers(champion, rows, mine.scored.label)
    return compare(mine.case, mine.scored, theirs, groups(mine.case, rows))


def _trained_on(
    attempt: EvidenceCollector, workspace: Workspace, version: Version, rows: pa.Table | None
) -> int | None:
    if rows is None:
        return None
    what = f"the training rows of version {version.version} are not known"
    keys = workspace.use_case.keys
    return attempt(what, lambda: trained_on(workspace.tables, version, rows, keys))


def required_tag(version: Version, name: str) -> str:
    """The value of a tag that a registered version must have; Refused without it."""
    if not (value := version.tags.get(name)):
        raise Refused(f"version {version.version} has no tag {name}")
    return value
