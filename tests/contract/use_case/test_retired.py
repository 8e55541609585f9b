"""Copies that were frozen with versions before a key was retired are read as ever."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from contract.errors import BadInput
from contract.use_case.loader import SHIPPED, parse_frozen, parse_use_case
from contract.use_case.retired import RETIRED, renewed

# Word by word what a release froze; every retired key stands in one of them.
COPIES = sorted((Path(__file__).parent / "frozen").glob("*.yaml"))
BEFORE = COPIES[0].read_text(encoding="utf-8")  # with `evaluation.threshold: 0.4`


def holds(copy: Path, path: str) -> bool:
    at: Any = yaml.safe_load(copy.read_text(encoding="utf-8"))
    for name in path.split("."):
        at = at.get(name, {}) if isinstance(at, dict) else {}
    return bool(at != {})


@pytest.mark.parametrize("path", RETIRED)
def test_a_retired_key_is_read_in_a_frozen_copy_and_unknown_in_a_file(path: str) -> None:
    copies = [copy for copy in COPIES if holds(copy, path)]
    assert copies
    for copy in copies:
        text = copy.read_text(encoding="utf-8")
        assert parse_frozen(text, SHIPPED).name
        with pytest.raises(BadInput, match=rf"{path}: unknown key; "):
            parse_use_case(text, "penguins.yaml", SHIPPED)


def test_a_key_without_effect_is_left_out() -> None:
    without = BEFORE.replace("  threshold: 0.4\n", "")
    assert without != BEFORE
    assert parse_frozen(BEFORE, SHIPPED) == parse_frozen(without, SHIPPED)


def test_a_stranger_is_unknown_in_a_frozen_copy_too() -> None:
    with pytest.raises(BadInput, match=r"use_case\.yaml .*\n.*evaluation\.treshold: unknown key"):
        parse_frozen(BEFORE.replace("threshold:", "treshold:"), SHIPPED)


@pytest.mark.parametrize(
    ("frozen", "read"),
    [
        ({"gates": {"floor": 3, "margin": 1}}, {"gates": {"least": 3, "margin": 1}}),
        ({"gates": {"floor": 3, "least": 4}}, {"gates": {"least": 4}}),
        ({"gates": {"least": 4}}, {"gates": {"least": 4}}),
        ({"mood": "good"}, {"card": {"mood": "good"}}),
        ({"gates": "damaged"}, {"gates": "damaged"}),
    ],
)
def test_a_renamed_key_is_read_by_its_new_name(frozen: dict[str, Any], read: object) -> None:
    before = repr(frozen)
    found = renewed(frozen, {"gates.floor": "gates.least", "mood": "card.mood"})
    assert {section: value for section, value in found.items() if value} == read
    assert repr(frozen) == before
