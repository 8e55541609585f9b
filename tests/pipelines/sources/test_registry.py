from pathlib import Path

import pandas as pd
import pytest
from deltalake import write_deltalake

from contract.errors import BadInput
from contract.store.schema import conform
from contract.use_case.sections.source import KINDS, Source
from pipelines.sources.registry import READERS, read_source
from tests.conftest import deliver, made_rows
from tests.support.sources import reading

APART = {"since", "late_duplicates", "expect_every", "folder"}  # fields that are no kind
LOADER = "import pandas as pd\ndef load():\n    return pd.read_parquet(r'{path}')\n"


def test_every_kind_that_a_use_case_may_declare_has_a_reader() -> None:
    assert set(READERS) == set(KINDS)
    assert set(KINDS.values()) == set(Source.model_fields) - APART


@pytest.mark.parametrize(
    "source",
    [
        {"csv": "{home}/rows.csv"},
        {"parquet": "{home}/rows.parquet"},
        {"delta": {"path": "{home}/delta"}},
        {"python": "made_loader:load"},
    ],
    ids=str,
)
def test_every_source_gives_the_same_rows(home: Path, source: dict[str, object]) -> None:
    rows = made_rows(50)
    deliver(home, rows)
    rows.to_parquet(home / "rows.parquet")
    write_deltalake(str(home / "delta"), rows)
    (home / "made_loader.py").write_text(LOADER.format(path=home / "rows.parquet"))
    use_case = reading(home, **_placed(source, home))
    conformed = conform(read_source(use_case), use_case)
    frame = conformed.table.sort_by("id").to_pandas()
    assert conformed.complete
    pd.testing.assert_frame_equal(frame, rows, check_dtype=False, check_exact=False)


def _placed(source: dict[str, object], home: Path) -> dict[str, object]:
    return {
        name: _placed(value, home) if isinstance(value, dict) else str(value).format(home=home)
        for name, value in source.items()
    }


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"csv": "/nowhere.csv"}, "/nowhere.csv"),
        ({"parquet": "/nowhere.parquet"}, "/nowhere.parquet"),
        ({"python": "nowhere:load"}, "nowhere"),
        ({"python": "math:sqrt2"}, "sqrt2"),
        ({"delta": {"path": "/nowhere"}}, "/nowhere"),
        ({"delta": {"path": "/no%20where"}}, "for Delta reads .%20. in a path"),
        ({"sql": {"url": "sqlite://", "query": "select * from absent"}}, "absent|no such table"),
        ({"sql": {"url": "nodb://x", "query": "select 1"}}, "nodb"),
        ({"sql": {"url": "${ABSENT_URL}", "query": "select 1"}}, "ABSENT_URL"),
    ],
)
def test_a_source_that_is_not_there_is_named(
    home: Path, source: dict[str, object], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        read_source(reading(home, **source))
