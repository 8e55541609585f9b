"""Every example of docs/sources.md is read, from a source that looks as it says."""

import gzip
import json
import re
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from deltalake import write_deltalake

from contract.store.schema import conform
from contract.use_case.loader import parse_use_case
from pipelines.sources.registry import read_source
from tests.conftest import MADE, made_rows
from tests.support.project import PROJECT
from tests.support.sources import write_sql
from tests.support.store import Store

PAGE = (PROJECT / "docs/sources.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(source: .*?)\n```", PAGE, re.MULTILINE | re.DOTALL)
N_ROWS = 20


@pytest.fixture
def shop(home: Path, store: Store, postgresql: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder and servers with the same rows in each kind of source."""
    rows = made_rows(N_ROWS)
    texts = rows.assign(moment=rows["moment"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    texts.to_csv(home / "orders.csv", index=False)
    (home / "inbox").mkdir()
    packed = gzip.compress((home / "orders.csv").read_bytes())
    (home / "inbox/2024-03.csv.gz").write_bytes(packed)
    lines = [json.dumps(row) + "\n" for row in texts.to_dict("records")]
    (home / "orders.jsonl").write_text("".join(lines))
    table = pa.Table.from_pandas(rows, preserve_index=False)
    pq.write_table(table, home / "orders.parquet")
    pq.write_to_dataset(table, str(home / "orders"), partition_cols=["colour"])
    write_deltalake(home / "warehouse/orders", table)
    write_sql(texts, f"sqlite:///{home}/shop.db", "orders")
    write_sql(rows, postgresql, "orders")
    with duckdb.connect(str(home / "shop.duckdb")) as database:
        database.register("given", table)
        database.execute("create table orders as select * from given")
    (home / "load_orders.py").write_text(
        "import pandas as pd\n\ndef load():\n    return pd.read_parquet('orders.parquet')\n"
    )
    monkeypatch.setenv("SHOP_DATABASE", postgresql)
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    files = store.files()
    files.create_dir("shop")
    pq.write_table(table, "shop/orders/part.parquet", filesystem=files)
    return home


def test_every_example_is_read(shop: Path) -> None:
    expected = made_rows(N_ROWS).to_dict("records")
    assert len(EXAMPLES) == 13
    for example in EXAMPLES:
        text = yaml.safe_dump(yaml.safe_load(MADE) | yaml.safe_load(example))
        use_case = parse_use_case(text, "orders.yaml", shop)
        conformed = conform(read_source(use_case), use_case)
        assert conformed.complete, (example, conformed)
        assert conformed.table.sort_by("id").to_pylist() == expected, example
