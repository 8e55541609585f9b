from pathlib import Path

import pytest

from contract.errors import BadInput
from pipelines.sources import python
from tests.support.sources import reading


def test_a_loader_that_answers_no_rows_is_named_by_what_it_gave(home: Path) -> None:
    (home / "loader_of_a_list.py").write_text("def load():\n    return [1, 2]\n")
    with pytest.raises(BadInput, match="the loader gave list"):
        python.read(reading(home, python="loader_of_a_list:load"))


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ("['02134', 2134, None, float('nan')]", "'id' holds str, and in row 1 int"),
        ("[None, True, 1]", "'id' holds bool, and in row 2 int"),
        ("[2**64]", "'id' holds integers beyond 64 bits"),
        ("['a', 'b\\udc00']", r"'id' holds text that is no Unicode .*, first in row 1"),
        ("pd.period_range('2024-01-01', periods=2)", "'id' holds period"),
        ("[object()]", "'id' holds object"),
    ],
)
def test_a_declared_column_is_exact_or_refused_by_name(home: Path, cells: str, found: str) -> None:
    loader = f"import pandas as pd\ndef load():\n    return pd.DataFrame({{'id': {cells}}})\n"
    name = f"loader_of_{abs(hash(cells))}"
    (home / f"{name}.py").write_text(loader)
    with pytest.raises(BadInput, match=found):
        python.read(reading(home, python=f"{name}:load"))
