"""The YAML: names and texts of every kind survive it, comments hold no line breaks."""

import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipelines.proposing.document import comment, scalar

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)


@given(NAMES)
def test_a_name_comes_back_as_it_was(name: str) -> None:
    text = f"columns:\n  {scalar(name)}: {scalar({'categories': [name]})}\n"
    assert yaml.safe_load(text) == {"columns": {name: {"categories": [name]}}}


@given(NAMES)
def test_a_comment_is_one_line(text: str) -> None:
    assert yaml.safe_load(f"a: 1  {comment(text)}\nb: 2\n") == {"a": 1, "b": 2}
