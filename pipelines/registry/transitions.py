"""How versions may move: pure rules from one state to the next, and what the registry must show.

The ledger decides, aliases and stages follow. A challenger that somebody set by hand is adopted
where that leaves a possible state. A champion set by hand never is: it did not pass the gate.
Everything that is out of step is put back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from contract.errors import Refused
from contract.names import ARCHIVED, CHALLENGER, CHAMPION, PRODUCTION, STAGING
from contract.store.ledger import NONE, Asked, RegistryState

UNSTAGED = "None"  # MLflow's word for a version without a stage


@dataclass(frozen=True)
class MoveRequest:
    """A wanted move and the champion that it expects."""

    move: Asked
    version: str
    who: str
    why: str
    expected: str = NONE
    gate_run: str = ""
    data_version: str = ""
    release_check: str = ""
    proven: bool = False
    note: str = ""
    package: str = ""
    unreadable: bool = (
        False  # of a rejection: its package is gone or damaged, so nobody can serve it
    )


@dataclass(frozen=True)
class ObservedRegistry:
    """What the registry shows: the version of each alias and the stage of each version."""

    aliases: Mapping[str, str] = field(default_factory=dict)
    stages: Mapping[str, str] = field(default_factory=dict)

    def has(self, version: str) -> bool:
        """Whether the version is there."""
        return version in self.stages


@dataclass(frozen=True)
class RegistryPlan:
    """What must be changed in the registry; an alias without a version is taken away."""

    aliases: Mapping[str, str]
    stages: Mapping[str, str]

    def __bool__(self) -> bool:
        return bool(self.aliases or self.stages)


def decide(request: MoveRequest, now: RegistryState, ever: frozenset[str]) -> RegistryState | None:
    """The state after a move; None where the version is there already; Refused with the reason.

    `ever` are the versions that have been champion.
    """
    return _RULES[request.move](request, now, ever)


def _register(
    request: MoveRequest, now: RegistryState, ever: frozenset[str]
) -> RegistryState | None:
    v = request.version
    if v == now.challenger:
        return None
    if v in now.barred or v in ever:
        raise Refused(f"Version {v} was rejected or in Production before; it is no challenger.")
    return replace(now, challenger=v)


def _promote(
    request: MoveRequest, now: RegistryState, ever: frozenset[str]
) -> RegistryState | None:
    v = request.version
    if v == now.champion:
        return None
    if request.expected != now.champion:
        raise Refused(
            f"Version {v} was compared with {named(request.expected)}, but the champion is now "
            f"{named(now.champion)}; run the gate again, then promote."
        )
    if v in now.barred:
        raise Refused(f"Version {v} was rejected or rolled back; only a rollback to it moves it.")
    former = (*(f for f in now.former if f != v), *filter(None, [now.champion]))
    return replace(now, champion=v, former=former, challenger=_without(now.challenger, v))


def _reject(request: MoveRequest, now: RegistryState, ever: frozenset[str]) -> RegistryState | None:
    v = request.version
    if v in now.barred:
        return None
    if v == now.champion and not request.unreadable:
        raise Refused(f"Version {v} is in Production; a rollback takes it out.")
    former = tuple(f for f in now.former if f != v)
    champion, challenger = _without(now.champion, v), _without(now.challenger, v)
    return RegistryState(champion, challenger, former, (*now.barred, v))


def _rollback(
    request: MoveRequest, now: RegistryState, ever: frozenset[str]
) -> RegistryState | None:
    v = request.version
    if v == now.champion:
        return None
    if request.expected != now.champion:
        raise Refused(
            f"A rollback from {named(request.expected)} was asked for, but the champion is now "
            f"{named(now.champion)}; look again, then decide."
        )
    if v not in ever:
        raise Refused(
            f"Version {v} was never in Production; a rollback goes back, promote goes on."
        )
    former = now.former[: now.former.index(v)] if v in now.former else now.former
    barred = (*(b for b in now.barred if b != v), *filter(None, [now.champion]))
    challenger = _without(now.challenger, v)
    return RegistryState(champion=v, challenger=challenger, former=former, barred=barred)


def _sign(request: MoveRequest, now: RegistryState, ever: frozenset[str]) -> RegistryState | None:
    return now  # somebody vouches for the version; it stays where it is


_RULES = {
    "register": _register,
    "promote": _promote,
    "reject": _reject,
    "rollback": _rollback,
    "sign": _sign,
}


def adopt(now: RegistryState, observed: ObservedRegistry) -> tuple[RegistryState, list[str]]:
    """The state after changes made by hand, and a sentence for each; a champion is never made."""
    champion = now.champion if observed.has(now.champion) else NONE
    notes = [f"version {v} was deleted by hand" for v in _deleted(now, observed)]
    shown = observed.aliases.get(CHAMPION, NONE)
    if shown != champion:
        went = f"{CHAMPION} went by hand from {named(champion)} to {named(shown)}"
        notes.append(f"{went}, which is recorded and serves nobody")
    former = tuple(v for v in now.former if observed.has(v))
    challenger = _adopted_challenger(now, observed, (champion, *former, *now.barred))
    if now.challenger != challenger and observed.has(now.challenger):
        was, became = named(now.challenger), named(challenger)
        notes.append(f"{CHALLENGER} went by hand from {was} to {became}")
    elif challenger and challenger != now.challenger:
        notes.append(f"{CHALLENGER} went by hand to {named(challenger)}")
    return RegistryState(champion, challenger, former, now.barred), notes


def _adopted_challenger(
    now: RegistryState, observed: ObservedRegistry, taken: tuple[str, ...]
) -> str:
    challenger = observed.aliases.get(CHALLENGER, NONE)
    if challenger and challenger in taken:
        challenger = now.challenger
    return challenger if observed.has(challenger) and challenger not in taken else NONE


def plan(state: RegistryState, observed: ObservedRegistry) -> RegistryPlan:
    """What is not yet as the state says, among versions that are there."""
    wanted = {a: v if observed.has(v) else NONE for a, v in state.aliases.items()}
    aliases = {a: v for a, v in wanted.items() if observed.aliases.get(a, NONE) != v}
    stages = {v: stage_of(state, v, stage) for v, stage in observed.stages.items()}
    changed = {v: stage for v, stage in stages.items() if observed.stages[v] != stage}
    # Out of Production before into it: a reader sees none for a moment, but never two.
    return RegistryPlan(
        aliases, dict(sorted(changed.items(), key=lambda item: item[1] == PRODUCTION))
    )


def stage_of(state: RegistryState, version: str, stage: str = UNSTAGED) -> str:
    """The stage in which a version must stand that stands in `stage` now."""
    if version == state.champion:
        return PRODUCTION
    if version == state.challenger:
        return STAGING
    was_out = version in state.barred or version in state.former
    return ARCHIVED if was_out or stage != UNSTAGED else UNSTAGED


def effects(planned: RegistryPlan, observed: ObservedRegistry) -> tuple[str, ...]:
    """Each change of a plan as a short sentence."""
    stages = [f"version {v}: {observed.stages[v]} → {s}" for v, s in planned.stages.items()]
    aliases = [f"{a}: {named(v)}" for a, v in planned.aliases.items()]
    return (*stages, *aliases)


def named(version: str) -> str:
    """`version 3`, or `none`."""
    return f"version {version}" if version else "none"


def _without(version: str, taken: str) -> str:
    return NONE if version == taken else version


def _deleted(now: RegistryState, observed: ObservedRegistry) -> list[str]:
    versions = dict.fromkeys((now.champion, now.challenger, *now.former))
    return [v for v in versions if v and not observed.has(v)]
