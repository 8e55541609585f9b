"""Four people promote at once through a team's server, while hands move aliases and stages."""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from mlflow import MlflowClient

from contract.names import ARCHIVED, CHALLENGER, CHAMPION, PREVIOUS, PRODUCTION, STAGING
from pipelines.registry.move import settle
from tests.support.promoters import answer, promoter, race
from tests.support.rounds import FULL
from tests.support.stores import new_database
from tests.support.tracking import give_rights, sign_in, signed_in_server
from tests.support.versions import register, releases_on

NAME = "made"
PEOPLE = ("ann", "bob", "cem", "dee")
ROUNDS = 20
HANDS = 6  # changes by hand while the promoters of a round are at work


@pytest.fixture
def address(home: Path, postgresql: str) -> Iterator[str]:
    """Four workers, PostgreSQL for runs and users."""
    runs, users = (new_database(postgresql, name) for name in ("races", "racers"))
    with signed_in_server(home, PEOPLE, runs, users, ["--workers", "4"]) as found:
        yield found


def by_hand(client: MlflowClient, versions: list[str], chance: random.Random) -> None:
    """What anybody may do in MLflow's pages who has the right."""
    version = chance.choice(versions)
    if chance.random() < 0.5:
        alias = chance.choice([CHAMPION, CHALLENGER, PREVIOUS])
        client.set_registered_model_alias(NAME, alias, version)
    else:
        stage = chance.choice([ARCHIVED, PRODUCTION, STAGING])
        client.transition_model_version_stage(NAME, version, stage)


@pytest.mark.skipif(not FULL, reason="make faults: a server of four workers and twenty rounds")
def test_of_four_promoters_at_once_one_wins_whatever_hands_do(
    home: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(monkeypatch, address, "admin")
    workspace, chance = releases_on(address, home, NAME), random.Random(15)
    old = [register(workspace)]
    for person in PEOPLE:
        give_rights(address, person, NAME)

    def hands(versions: list[str]) -> None:
        for _ in range(HANDS):
            by_hand(workspace.client, [*old, *versions], chance)

    with ExitStack() as stack:
        rivals = []
        for person in PEOPLE:
            sign_in(monkeypatch, address, person)
            rivals.append(stack.enter_context(promoter(home)))
        sign_in(monkeypatch, address, "admin")
        assert [answer(rival) for rival in rivals] == ["ready"] * len(PEOPLE)
        for _ in range(ROUNDS):
            old += race(workspace, rivals, hands)
    made = [entry.move for entry in settle(workspace)]
    assert made.count("promote") == ROUNDS
    assert "external" in made
    assert set(made) <= {"register", "promote", "external"}
