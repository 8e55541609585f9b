"""Whatever is asked for and done by hand, in any order: the rules leave one possible registry.

The rules alone, thousands of steps in a second; tests/faults/test_moves_machine.py does the same on
a real store, with processes that die.
"""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from contract.errors import Refused
from contract.names import ARCHIVED, CHALLENGER, CHAMPION, PREVIOUS, PRODUCTION, STAGING
from contract.store.ledger import Asked, RegistryState
from pipelines.registry.transitions import MoveRequest, ObservedRegistry, adopt, decide, plan
from tests.support.rounds import rounds

MOVES: tuple[Asked, ...] = ("register", "promote", "reject", "rollback", "sign")
STAGES = ("None", STAGING, PRODUCTION, ARCHIVED)


class Rules(RuleBasedStateMachine):
    """A registry of plain values, its ledger's state, and who has been champion."""

    versions: Bundle[str] = Bundle("versions")

    def __init__(self) -> None:
        super().__init__()
        self.state, self.ever = RegistryState(), frozenset[str]()
        self.aliases: dict[str, str] = {}
        self.stages: dict[str, str] = {}
        self.made = 0

    def observed(self) -> ObservedRegistry:
        return ObservedRegistry(dict(self.aliases), dict(self.stages))

    def put_right(self) -> None:
        """What every command does first: record what hands did, show what the ledger says."""
        self.state, _ = adopt(self.state, self.observed())
        self.show()

    def show(self) -> None:
        planned = plan(self.state, self.observed())
        self.aliases |= planned.aliases
        self.aliases = {alias: version for alias, version in self.aliases.items() if version}
        hands = sum(stage == PRODUCTION for stage in self.stages.values()) > 1
        for version, stage in planned.stages.items():
            self.stages[version] = stage
            in_production = [v for v, s in self.stages.items() if s == PRODUCTION]
            assert len(in_production) <= 1 or hands  # a reader sees none for a moment, never two

    @rule(target=versions)
    def a_new_version(self) -> str:
        return self.add()

    def add(self) -> str:
        self.made += 1
        self.stages[str(self.made)] = "None"
        return str(self.made)

    @initialize(target=versions)
    def begin(self) -> Any:
        """Two were champion, a third waits."""
        first, second, third = (self.add() for _ in range(3))
        for version in (first, second):
            self.move("promote", version)
        self.move("register", third)
        return multiple(first, second, third)

    @rule(move=st.sampled_from(("promote", "rollback")), version=versions)
    def another_champion(self, move: Asked, version: str) -> None:
        self.move(move, version)

    @rule(move=st.sampled_from(MOVES), version=versions, stale=st.booleans(), gone=st.booleans())
    def a_move(self, move: Asked, version: str, stale: bool, gone: bool) -> None:
        self.move(move, version, stale, gone)

    def move(self, move: Asked, version: str, stale: bool = False, gone: bool = False) -> None:
        self.put_right()
        before = self.state
        if version not in self.stages:
            return
        seen = "0" if stale else before.champion
        request = MoveRequest(move, version, "anna", "a test", seen, unreadable=gone)
        try:
            after = decide(request, before, self.ever)
        except Refused:
            return
        if after is None:
            return
        assert not (stale and after.champion not in ("", before.champion))  # nobody saw it
        assert not (move == "promote" and version in before.barred)
        assert decide(request, after, self.ever | {after.champion}) in (None, after)  # once
        self.state, self.ever = after, self.ever | ({after.champion} - {""})
        self.show()

    @rule(alias=st.sampled_from((CHAMPION, CHALLENGER, PREVIOUS)), version=versions)
    def an_alias_set_by_hand(self, alias: str, version: str) -> None:
        if version in self.stages:
            self.aliases[alias] = version

    @rule(alias=st.sampled_from((CHAMPION, CHALLENGER, PREVIOUS)))
    def an_alias_taken_by_hand(self, alias: str) -> None:
        self.aliases.pop(alias, None)

    @rule(version=versions, stage=st.sampled_from(STAGES))
    def a_stage_set_by_hand(self, version: str, stage: str) -> None:
        if version in self.stages:
            self.stages[version] = stage

    @rule(version=versions)
    def a_version_deleted_by_hand(self, version: str) -> None:
        self.stages.pop(version, None)
        self.aliases = {alias: v for alias, v in self.aliases.items() if v != version}

    @invariant()
    def the_registry_can_be_put_right(self) -> None:
        kept: Any = self.state, self.ever, dict(self.aliases), dict(self.stages)
        self.put_right()
        state, shown = self.state, self.observed()
        assert shown.aliases == {alias: v for alias, v in state.aliases.items() if v}
        for stage, version in ((PRODUCTION, state.champion), (STAGING, state.challenger)):
            assert [v for v, s in shown.stages.items() if s == stage] == [version] * bool(version)
        assert all(shown.stages[version] == ARCHIVED for version in state.former)
        places = [*filter(None, (state.champion, state.challenger)), *state.former, *state.barred]
        assert len(places) == len({*places})  # each version is one thing
        assert state.champion in {"", *self.ever}  # a hand makes no champion
        assert adopt(state, shown) == (state, [])  # and nothing is left to do
        assert not plan(state, shown)
        self.state, self.ever, self.aliases, self.stages = kept


def test_every_order_of_moves_and_hands_leaves_one_champion_and_a_registry_that_says_so() -> None:
    run_state_machine_as_test(
        Rules,
        settings=settings(
            max_examples=rounds(few=60, full=3000),
            stateful_step_count=rounds(few=25, full=60),
            deadline=None,
        ),
    )
