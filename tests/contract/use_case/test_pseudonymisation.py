"""Personal columns in the log: hashed or left out as declared, and the same value always alike."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from contract.errors import BadInput
from contract.use_case.loader import parse_use_case
from contract.use_case.model import UseCase
from contract.use_case.pseudonymisation import Pseudonymiser, altered, of_persons, stand_in
from contract.use_case.sections.column import Column
from serving.log.prediction_record import schema_hash
from serving.log.record import RecordSchema
from tests.conftest import MADE

SECRET = "a long random text"


def use_case(**columns: str) -> UseCase:
    """The made use case with more said about some of its columns."""
    text = MADE
    for name, more in columns.items():
        text = text.replace(f"  {name}: {{", f"  {name}: {{{more}, ")
    return parse_use_case(text, "made.yaml", Path.cwd())


def test_a_personal_column_is_hashed_or_left_out_and_others_stay(home: Path) -> None:
    declared = use_case(colour="personal: true, log: drop", group="personal: true")
    found = Pseudonymiser.of(declared, SECRET).apply(
        {"colour": ["red"], "size": [0.5], "group": ["a", "b", "a", None]}
    )
    assert found["size"] == [0.5]
    assert set(found) == {"size", "group"}
    first, other, again, nothing = found["group"]
    assert first == again != other
    assert nothing is None
    assert len(first) == 32
    assert altered(declared) == ["colour", "group"]


def test_a_hash_depends_on_the_secret_and_the_column(home: Path) -> None:
    declared = use_case(colour="personal: true", group="personal: true")
    pseudonymiser = Pseudonymiser.of(declared, SECRET)
    assert pseudonymiser.value("group", "a") != pseudonymiser.value("colour", "a")
    assert pseudonymiser.value("group", "a") != Pseudonymiser.of(declared, "another").value(
        "group", "a"
    )


def test_a_moment_has_one_hash_in_every_zone(home: Path) -> None:
    pseudonymiser = Pseudonymiser(frozenset({"born"}), frozenset(), SECRET.encode())
    noon = datetime(2024, 1, 1, 12, tzinfo=UTC)
    assert pseudonymiser.value("born", noon) == pseudonymiser.value(
        "born", noon.astimezone(timezone(timedelta(hours=3)))
    )


def test_hashing_without_a_secret_is_refused(home: Path) -> None:
    with pytest.raises(BadInput, match=r"hashes group .* set FOURCYCLE_LOG_SECRET"):
        Pseudonymiser.of(use_case(group="personal: true"), "")
    assert Pseudonymiser.of(use_case(group="personal: true, log: keep"), "").hashed == frozenset()


def test_the_records_columns_follow(home: Path) -> None:
    plain, hidden = use_case(), use_case(id="personal: true", size="log: drop")
    schema = RecordSchema.of(hidden)
    assert (schema.keys, schema.features) == (
        {"id": "string"},
        {"colour": "string", "group": "string"},
    )
    assert schema_hash(plain) != schema_hash(hidden)


def test_the_event_time_and_the_target_stand_as_they_are(home: Path) -> None:
    with pytest.raises(BadInput, match="moment: event time and target stand in the log as sent"):
        use_case(moment="log: hash")


def test_columns_of_persons_are_those_declared_so_or_hidden_from_the_log() -> None:
    declared = use_case(colour="personal: true, log: keep", group="log: hash")
    assert of_persons(declared) == {"colour", "group"}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (Column(type="string"), ""),
        (Column(type="string", categories=("a", "b"), unseen="reject"), "a"),
        (Column(type="string", nullable=True), None),
        (Column(type="number", min=10, max=20), 10.0),
        (Column(type="number", max=-5), -5.0),
        (Column(type="integer", min=-3), 0),
        (Column(type="boolean"), False),
    ],
)
def test_a_stand_in_is_a_value_that_the_column_accepts(column: Column, value: object) -> None:
    assert stand_in(column) == value
    assert type(stand_in(column)) is type(value)
