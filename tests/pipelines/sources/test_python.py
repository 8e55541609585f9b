from pathlib import Path

import pytest

from contract.errors import BadInput
from pipelines.sources import python
from tests.support.sources import reading


def test_a_loader_that_answers_no_rows_is_named_by_what_it_gave(home: Path) -> None:
    (home / "loader_of_a_list.py").write_text("def load():\n    return [1, 2]\n")
    with pytest.raises(BadInput, match="the loader gave list"):
        python.read(reading(home, python="loader_of_a_list:load"))
