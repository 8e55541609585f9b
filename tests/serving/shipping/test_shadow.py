"""The challenger scores rows on their way to the table, and costs none of them the way."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pyarrow as pa
import pytest

from contract.store.predictions import predictions_schema
from serving.scoring.cache import Announcement, Cache, FetchedVersion
from serving.scoring.version import load_version
from serving.shipping.shadow import CHUNK_ROWS, PASS_S, Shadow
from tests.support.small import SMALL, pack, save_model

SCHEMA = predictions_schema({"size": "number"}, {"id": "integer"}, "string")
NOW = datetime(2024, 5, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("shadow") / "model")


@pytest.fixture
def cache(model: Path, home: Path) -> Cache:
    """A cache whose challenger answers a for small sizes and b for large ones."""
    cache = Cache(home / "cache")
    digest = load_version(pack(model, home / "package"), "small", "2").digest
    (cache.folder / "versions").mkdir(parents=True)
    (home / "package").rename(cache.version_folder(digest))
    cache.announce(Announcement("small", challenger=FetchedVersion("2", digest, NOW)))
    return cache


def answered(sizes: list[float], predictions: list[str]) -> pa.Table:
    rows = [
        {"inputs": {"size": size}, "prediction": prediction}
        for size, prediction in zip(sizes, predictions, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def test_its_predictions_stand_beside_the_champions(cache: Cache) -> None:
    shadow = Shadow(cache, "small")
    rows = shadow.fill(answered([0, 10, 10], ["a", "a", "b"]))
    assert rows.schema == SCHEMA
    assert rows.column("prediction").to_pylist() == ["a", "a", "b"]
    assert rows.column("shadow").to_pylist() == ["a", "b", "b"]
    assert rows.column("shadow_version").to_pylist() == ["2"] * 3
    status = shadow.status
    assert (status.version, status.scored, status.differ, status.skipped) == ("2", 3, 1, 0)
    assert status.seconds > 0


def test_without_a_challenger_rows_stay_as_they_are(cache: Cache) -> None:
    shadow, rows = Shadow(cache, "small"), answered([0], ["a"])
    for _ in range(2):  # it is loaded once
        assert shadow.fill(rows).column("shadow").to_pylist() == ["a"]
    cache.announce(Announcement("small"))
    assert shadow.fill(rows).column("shadow").to_pylist() == [None]
    assert shadow.status.version is None


def test_a_slow_challenger_leaves_the_rest_without_a_shadow(cache: Cache) -> None:
    ticks: Iterator[int] = count()
    shadow = Shadow(cache, "small", clock=lambda: next(ticks) * PASS_S / 2)
    n_rows = 2 * CHUNK_ROWS
    rows = shadow.fill(answered([0.0] * n_rows, ["a"] * n_rows))
    assert rows.column("shadow").null_count == CHUNK_ROWS
    assert rows.column("shadow_version").null_count == CHUNK_ROWS
    assert (shadow.status.scored, shadow.status.skipped) == (CHUNK_ROWS, CHUNK_ROWS)


@pytest.mark.parametrize("damage", ["inputs", "folder", "announcement", "type"])
def test_a_challenger_that_fails_costs_no_row(cache: Cache, damage: str) -> None:
    shadow, rows = Shadow(cache, "small"), answered([0], ["a"])
    if damage == "type":
        at, labels = rows.schema.get_field_index("shadow"), pa.array([None], pa.bool_())
        rows = rows.set_column(at, "shadow", labels)
    elif damage == "inputs":
        schema = predictions_schema({"width": "number"}, {"id": "integer"}, "string")
        rows = pa.Table.from_pylist([{"prediction": "a"}], schema=schema)
    elif damage == "announcement":
        (cache.folder / "current.json").write_text("{")
    else:
        cache.announce(Announcement("small", challenger=FetchedVersion("3", "gone", NOW)))
    found = shadow.fill(rows)
    assert found.column("prediction").to_pylist() == ["a"]
    assert found.column("shadow").to_pylist() == [None]
    assert shadow.status.problem.startswith("The challenger has no answer")
    assert shadow.status.skipped == 1


def test_a_challenger_that_reads_what_the_log_hides_has_no_answer(model: Path, home: Path) -> None:
    hidden = SMALL.replace("size: {type: number}", "size: {type: number, personal: true}")
    cache = Cache(home / "cache")
    digest = load_version(pack(model, home / "package", hidden), "small", "2").digest
    (cache.folder / "versions").mkdir(parents=True)
    (home / "package").rename(cache.version_folder(digest))
    cache.announce(Announcement("small", challenger=FetchedVersion("2", digest, NOW)))
    shadow = Shadow(cache, "small")
    assert shadow.fill(answered([0], ["a"])).column("shadow").to_pylist() == [None]
    assert "the log does not hold size as sent" in shadow.status.problem
