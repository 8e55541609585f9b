"""Without Ray, which is installed apart; tests/scale is about a cluster."""

import sys
from pathlib import Path

import pytest

from contract.errors import BadInput
from pipelines.scoring.engines.registry import ENGINES
from tests.support.project import PROJECT


def test_where_ray_is_not_installed_one_sentence_says_how(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BadInput, match=r"not installed; `uv pip install .*` brings it") as said:
        ENGINES["ray"]().__enter__()
    named = [
        word for word in str(said.value).split() if word.strip("`").endswith((".lock", ".toml"))
    ]
    assert [name for name in named if not (PROJECT / name.strip("`")).is_file()] == []
    assert len(named) == 3


def test_nothing_but_the_engine_s_own_file_imports_ray() -> None:
    importing = [
        path.relative_to(PROJECT)
        for room in ("contract", "monitoring", "pipelines", "serving", "tracking")
        for path in (PROJECT / room).rglob("*.py")
        if "import ray\n" in path.read_text(encoding="utf-8").replace("import local, ray\n", "")
    ]
    assert importing == [Path("pipelines/scoring/engines/ray.py")]
