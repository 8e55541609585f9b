"""The rules of moves as tables: from which state which move leads where, or why it may not."""

from dataclasses import replace

import pytest

from contract.errors import Refused
from contract.store.ledger import Asked, RegistryState
from pipelines.registry.transitions import (
    MoveRequest,
    ObservedRegistry,
    RegistryPlan,
    adopt,
    decide,
    effects,
    plan,
    stage_of,
)

EMPTY = RegistryState()
# 5 is champion after 1 and 2, 6 waits, 3 was rejected; 4 was never anything.
NOW = RegistryState(champion="5", challenger="6", former=("1", "2"), barred=("3",))
SERVES_NOBODY = ", which is recorded and serves nobody"
EVER = frozenset({"1", "2", "5"})
SHOWN = ObservedRegistry(
    {"champion": "5", "challenger": "6", "previous": "2"},
    {
        "1": "Archived",
        "2": "Archived",
        "3": "Archived",
        "4": "None",
        "5": "Production",
        "6": "Staging",
        "7": "None",
    },
)


def asked(move: Asked, version: str, expected: str = "5", unreadable: bool = False) -> MoveRequest:
    return MoveRequest(move, version, "anna", "a test", expected, unreadable=unreadable)


@pytest.mark.parametrize(
    ("request_", "before", "after"),
    [
        (asked("register", "4", ""), EMPTY, RegistryState(challenger="4")),
        (asked("register", "4"), NOW, replace(NOW, challenger="4")),
        (asked("register", "6"), NOW, None),
        (
            asked("promote", "1", ""),
            RegistryState(challenger="1"),
            RegistryState(champion="1"),
        ),
        (
            asked("promote", "6"),
            NOW,
            RegistryState(champion="6", former=("1", "2", "5"), barred=("3",)),
        ),
        (
            asked("promote", "4"),
            NOW,
            RegistryState(champion="4", challenger="6", former=("1", "2", "5"), barred=("3",)),
        ),
        (
            asked("promote", "1"),
            NOW,
            RegistryState(champion="1", challenger="6", former=("2", "5"), barred=("3",)),
        ),
        (asked("promote", "5"), NOW, None),
        (asked("reject", "6"), NOW, replace(NOW, challenger="", barred=("3", "6"))),
        (asked("reject", "1"), NOW, replace(NOW, former=("2",), barred=("3", "1"))),
        (asked("reject", "3"), NOW, None),
        (
            asked("reject", "5", unreadable=True),
            NOW,
            replace(NOW, champion="", barred=("3", "5")),
        ),
        (
            asked("rollback", "2"),
            NOW,
            RegistryState(champion="2", challenger="6", former=("1",), barred=("3", "5")),
        ),
        (
            asked("rollback", "1"),
            NOW,
            RegistryState(champion="1", challenger="6", former=(), barred=("3", "5")),
        ),
        (
            asked("rollback", "2", ""),
            replace(NOW, champion="", challenger="2", former=("1",), barred=("2", "3")),
            RegistryState(champion="2", challenger="", former=("1",), barred=("3",)),
        ),
        (asked("rollback", "5"), NOW, None),
        (asked("sign", "4"), NOW, NOW),
    ],
)
def test_a_move_leads_from_one_state_to_the_next(
    request_: MoveRequest, before: RegistryState, after: RegistryState | None
) -> None:
    assert decide(request_, before, EVER) == after


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (asked("register", "3"), "Version 3 was rejected or in Production before"),
        (asked("register", "1"), "Version 1 was rejected or in Production before"),
        (
            asked("promote", "6", "2"),
            "compared with version 2, but the champion is now version 5; run the gate again",
        ),
        (asked("promote", "6", ""), "compared with none, but the champion is now version 5"),
        (asked("promote", "3"), "Version 3 was rejected or rolled back; only a rollback"),
        (asked("reject", "5"), "Version 5 is in Production; a rollback takes it out"),
        (
            asked("rollback", "2", "1"),
            "rollback from version 1 was asked for, but the champion is now version 5",
        ),
        (asked("rollback", "6"), "Version 6 was never in Production"),
    ],
)
def test_a_move_that_may_not_be_says_why(request_: MoveRequest, said: str) -> None:
    with pytest.raises(Refused, match=said):
        decide(request_, NOW, EVER)


def hand(aliases: dict[str, str], *deleted: str) -> ObservedRegistry:
    """What is shown after somebody set aliases and deleted versions; no version: alias deleted."""
    stages = {v: stage for v, stage in SHOWN.stages.items() if v not in deleted}
    shown = {a: v for a, v in {**SHOWN.aliases, **aliases}.items() if v and v not in deleted}
    return ObservedRegistry(shown, stages)


@pytest.mark.parametrize(
    ("observed", "after", "notes"),
    [
        (hand({}), NOW, []),
        (
            hand({"challenger": "4"}),
            replace(NOW, challenger="4"),
            ["challenger went by hand from version 6 to version 4"],
        ),
        (
            hand({"challenger": ""}),
            replace(NOW, challenger=""),
            ["challenger went by hand from version 6 to none"],
        ),
        # What was champion, is previous or is barred can't wait for Production: 6 stays.
        (hand({"challenger": "5"}), NOW, []),
        (hand({"challenger": "2"}), NOW, []),
        (hand({"challenger": "3"}), NOW, []),
        (
            hand({"champion": "4"}),
            NOW,
            [f"champion went by hand from version 5 to version 4{SERVES_NOBODY}"],
        ),
        (hand({}, "5"), replace(NOW, champion=""), ["version 5 was deleted by hand"]),
        (hand({}, "2"), replace(NOW, former=("1",)), ["version 2 was deleted by hand"]),
        (hand({}, "6"), replace(NOW, challenger=""), ["version 6 was deleted by hand"]),
        (
            hand({"challenger": "4"}, "6"),
            replace(NOW, challenger="4"),
            ["version 6 was deleted by hand", "challenger went by hand to version 4"],
        ),
        (
            hand({"challenger": "7"}, "6"),
            replace(NOW, challenger="7"),
            ["version 6 was deleted by hand", "challenger went by hand to version 7"],
        ),
        (hand({}, "3"), NOW, []),
    ],
)
def test_changes_by_hand_are_adopted_where_they_may_be(
    observed: ObservedRegistry, after: RegistryState, notes: list[str]
) -> None:
    assert adopt(NOW, observed) == (after, notes)


def test_nothing_is_to_be_done_where_the_registry_shows_the_state() -> None:
    assert plan(NOW, SHOWN) == RegistryPlan({}, {})
    assert not plan(NOW, SHOWN)
    assert plan(NOW, hand({"previous": ""}))
    assert plan(NOW, replace(SHOWN, stages={**SHOWN.stages, "6": "Archived"}))


def test_the_old_champion_leaves_production_before_the_new_one_enters() -> None:
    after = decide(asked("promote", "6"), NOW, EVER)
    assert after is not None
    planned = plan(after, SHOWN)
    assert dict(planned.aliases) == {"champion": "6", "challenger": "", "previous": "5"}
    assert list(planned.stages.items()) == [("5", "Archived"), ("6", "Production")]
    assert effects(planned, SHOWN) == (
        "version 5: Production → Archived",
        "version 6: Staging → Production",
        "champion: version 6",
        "challenger: none",
        "previous: version 5",
    )


def test_production_is_left_before_it_is_entered_whichever_version_is_older() -> None:
    after = decide(asked("rollback", "2"), NOW, EVER)
    assert after is not None
    assert list(plan(after, SHOWN).stages.items()) == [("5", "Archived"), ("2", "Production")]


def test_an_alias_of_a_version_that_is_gone_is_taken_away() -> None:
    shown = ObservedRegistry(SHOWN.aliases, {v: s for v, s in SHOWN.stages.items() if v != "5"})
    assert plan(NOW, shown) == RegistryPlan({"champion": ""}, {})


@pytest.mark.parametrize(
    ("version", "stage", "must"),
    [
        ("5", "Archived", "Production"),
        ("6", "None", "Staging"),
        ("1", "None", "Archived"),
        ("3", "Production", "Archived"),
        ("4", "None", "None"),
        ("4", "Staging", "Archived"),
    ],
)
def test_the_stage_of_a_version(version: str, stage: str, must: str) -> None:
    assert stage_of(NOW, version, stage) == must


def test_a_wanted_move_proves_and_excuses_nothing_by_itself() -> None:
    request = MoveRequest("reject", "1", "anna", "a test")
    assert (request.proven, request.unreadable, request.expected) == (False, False, "")
