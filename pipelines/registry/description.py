"""What a person reads on the registry page: who is live and why, what waits, how to go back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from contract.hints import written
from contract.markdown import link, plain, run_link, table
from contract.names import ARCHIVED
from contract.store.ledger import LedgerEntry, taken_out
from contract.use_case.model import UseCase
from contract.use_case.sections.release import Release
from pipelines.registry.transitions import stage_of
from tracking.tags import (
    APPROVAL_TAG,
    EVALUATE_RUN_TAG,
    GATE_REASONS_TAG,
    GATE_RUN_TAG,
    GATE_TAG,
    TRAIN_RUN_TAG,
    TRAINED_BY_NOTE_TAG,
    TRAINED_BY_TAG,
)
from tracking.who import UNPROVEN

PENDING = "pending"
MADE_BY = {"external": "by hand in MLflow", "reset": "by hand in MLflow"}
VERSIONS_SHOWN = 6
SHORT = 240  # characters

Tags = Mapping[str, str]


@dataclass(frozen=True)
class Places:
    """Where in MLflow the page leads to."""

    experiments: Mapping[str, str]  # the id of each cycle's
    timeline: str  # id of the run with the champion's verdicts, if there is one


def front_page(
    use_case: UseCase,
    entries: Sequence[LedgerEntry],
    tags: Mapping[str, Tags],
    places: Places | None = None,
) -> str:
    """The registered model's description, markdown. `tags` are those of each version."""
    now = entries[-1].state
    lines = [
        _live(entries),
        _look(entries, tags, places),
        _waiting(use_case, now.challenger, tags.get(now.challenger, {})),
        f"**To go back:** {_command(use_case, 'rollback', reason='...')} makes version "
        f"{now.previous} live again."
        if now.previous
        else "",
        f"*Last move:* {plain(short(sentence(entries[-1])))}.",
        _versions(use_case, entries, tags),
        plain(use_case.description),
    ]
    return "\n\n".join(line for line in lines if line)


def _live(entries: Sequence[LedgerEntry]) -> str:
    now, start = entries[-1].state, begun(entries)
    if not now.champion:
        before = f" Version {now.previous} was live before." if now.previous else ""
        return f"**Live: no version.** {plain(short(start.why))}.{before}"
    return (
        f"**Live: version {now.champion}** since {moment(start.time)}, because "
        f"{plain(short(start.why))} ({plain(acted_by(start))})."
    )


def _look(entries: Sequence[LedgerEntry], tags: Mapping[str, Tags], places: Places | None) -> str:
    """What people ask of the champion, one click each; and the newest versions side by side."""
    champion = entries[-1].state.champion
    own = tags.get(champion, {})
    where = places.experiments if places else {}
    runs = (
        ("why the gate let it through", own.get(GATE_RUN_TAG, ""), "training"),
        ("last verdict on it", places.timeline if places else "", "monitoring"),
        ("the data it learned from", own.get(TRAIN_RUN_TAG, ""), "training"),
    )
    links = [run_link(text, run, where.get(cycle, "")) for text, run, cycle in runs if run]
    measured = {v: t[EVALUATE_RUN_TAG] for v, t in tags.items() if EVALUATE_RUN_TAG in t}
    newest = [v for v in sorted(measured, key=int, reverse=True) if v != champion][:1]
    if places and "training" in places.experiments and newest and champion in measured:
        pair = [measured[champion], measured[newest[0]]]
        asked = {"runs": pair, "experiments": [places.experiments["training"]]}
        query = "&".join(f"{k}={quote(json.dumps(v))}" for k, v in asked.items())
        text = f"versions {champion} and {newest[0]} compared"
        links.append(link(text, f"compare-runs?{query}"))
    found = places.experiments.items() if places else ()
    all_runs = [link(cycle, f"experiments/{number}/runs") for cycle, number in found]
    lines = {"Look": links, "All runs": all_runs}
    return "\n\n".join(f"**{name}:** {' · '.join(each)}" for name, each in lines.items() if each)


def begun(entries: Sequence[LedgerEntry]) -> LedgerEntry:
    """The entry since which the champion is champion, or since which there is none."""
    champion = entries[-1].state.champion
    before = next((e.number for e in reversed(entries) if e.state.champion != champion), 0)
    return entries[before]  # numbers begin with 1: this is the entry that follows


def _waiting(use_case: UseCase, challenger: str, tags: Tags) -> str:
    if not challenger:
        return "**Waiting:** nothing."
    if tags.get(APPROVAL_TAG) == PENDING:
        command = _command(use_case, "promote", version=challenger, reason="...")
        return f"**Waiting: version {challenger}**, approval pending. To approve it: {command}"
    return f"**Waiting: version {challenger}**, {_gate(tags)}."


def _gate(tags: Tags) -> str:
    decision = tags.get(GATE_TAG)
    if decision is None:
        return "not gated yet"
    reasons = tags.get(GATE_REASONS_TAG, "")
    return f"gate {plain(decision)}" + (f": {plain(short(reasons))}" if reasons else "")


def status(
    entries: Sequence[LedgerEntry], version: str, tags: Tags, out: LedgerEntry | None
) -> str:
    """One line about a version, for its tag `status`; "" for one that the ledger does not know.

    `out` is the entry that took it out, if one did.
    """
    now = entries[-1].state
    if version == now.champion:
        return f"live since {moment(begun(entries).time)}"
    if version == now.challenger:
        return "waiting for approval" if tags.get(APPROVAL_TAG) == PENDING else "waiting"
    if out and version in now.barred:
        return f"{'rejected' if out.move == 'reject' else 'rolled back'}: {short(out.why)}"
    if version == now.previous:
        return "previous: a rollback brings it back"
    return f"archived: {short(sentence(out))}" if out else ""


def _versions(use_case: UseCase, entries: Sequence[LedgerEntry], tags: Mapping[str, Tags]) -> str:
    """The newest versions with their stage and status."""
    now, out = entries[-1].state, taken_out(entries)
    rows = [
        (link(v, f"models/{use_case.name}/versions/{v}"), stage_of(now, v, ARCHIVED), plain(text))
        for v in sorted(tags, key=int, reverse=True)[:VERSIONS_SHOWN]
        if (text := status(entries, v, tags[v], out.get(v)))
    ]
    return table(("version", "stage", "status"), rows) if rows else ""


def short(text: str) -> str:
    """A text that fits on a line or two; the whole one stands in the ledger."""
    return text if len(text) <= SHORT else f"{text[:SHORT].rsplit(' ', 1)[0]} …"


def sentence(entry: LedgerEntry) -> str:
    """An entry in one line."""
    what = {
        "register": f"version {entry.version} became the challenger",
        "promote": f"version {entry.version} reached Production",
        "reject": f"version {entry.version} was rejected",
        "rollback": f"rollback to version {entry.version}",
        "sign": f"version {entry.version} was signed",
        "external": "a change by hand was found",
        "reset": "the registered model was deleted or made anew",
    }[entry.move]
    return f"{what}, {moment(entry.time)}, {acted_by(entry)}: {entry.why}"


def moment(time: datetime) -> str:
    """A time as people read it."""
    return f"{time:%Y-%m-%d %H:%M} UTC"


def approver(release: Release, tags: Tags) -> str:
    """Whose approval the version with these tags waits for."""
    proven = tags.get(TRAINED_BY_TAG, UNPROVEN)
    by = tags.get(TRAINED_BY_NOTE_TAG, "") if proven == UNPROVEN else proven
    if release.self_approval:
        return "somebody"
    return f"somebody else than {by}, who trained it" if by else "a second person"


def acted_by(entry: LedgerEntry) -> str:
    """Who made a move, as people read it."""
    return MADE_BY.get(entry.move, f"by {entry.by}")


def _command(use_case: UseCase, step: str, **options: str) -> str:
    return f"`{written(step, use_case.name, **options)}`"
