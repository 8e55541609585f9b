"""The trained penguins behind a real service, and what its clients were told."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from contract.store.tables import Tables
from tests.support.service import Service, copy_ledger, running, until

ROW = {
    "island": "Biscoe",
    "bill_length_mm": 45.2,
    "bill_depth_mm": 14.0,
    "flipper_length_mm": 210.0,
    "body_mass_g": 5000.0,
    "sex": None,
}
BODY: dict[str, Any] = {"rows": [ROW, ROW]}


@contextmanager
def service(
    trained: Path, folder: Path, before: Sequence[str] = (), **settings: str
) -> Iterator[Service]:
    """Started and ready, with a shipper in a hurry and a cache that all tests share."""
    quick = {
        "log_segment_s": "0.3",
        "ship_every_s": "0.3",
        "serve_cache": str(trained / ".serving"),
    }
    uri = f"sqlite:///{trained}/mlflow.db"
    if "://" not in (root := settings.get("root", str(folder / "data"))):
        copy_ledger(trained / "data", Path(root))
    with running("penguins", uri, folder, before, **quick | settings) as found:
        until(found.ready)
        yield found


def logged_ids(tables: Tables) -> list[str]:
    """Every prediction id of the table."""
    found: list[str] = (
        tables.read("predictions", columns=["prediction_id"]).column("prediction_id").to_pylist()
    )
    return found


def assert_exactly_once(told: Sequence[str], tables: Tables) -> None:
    """Whoever was told an answer finds it once; an answer that never arrived may be there too."""
    counts = Counter(logged_ids(tables))
    assert told
    assert [i for i in told if counts[i] != 1] == []
    assert [i for i, n in counts.items() if n > 1] == []
