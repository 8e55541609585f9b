"""What has one place in the project stands nowhere else."""

import re

import pytest

from pipelines.runtime.code_hash import PROJECT, ROOMS

SOURCES = {
    path.relative_to(PROJECT).as_posix(): path.read_text(encoding="utf-8")
    for room in ROOMS
    for path in sorted((PROJECT / room).rglob("*.py"))
}
ONCE = [  # what, and the modules that may hold it
    (r"^[A-Z_]+_TAG = [^\d]", {"tracking/tags.py", "contract/names.py"}),
    (r"\btags\.`?[a-z_]+`? (=|!=|LIKE)", set()),  # a filter names a tag by its constant
    (r"\bset_tags?\([^)]*[\"'][a-z_.A-Z]+[\"'],", set()),
    (r"\bMlflowClient\(", {"tracking/store.py"}),
    (r"\bcreate_experiment\(", {"tracking/store.py"}),
    (r"\.error_code\b.*(==|!=|\bin\b)", {"tracking/store.py"}),
    (r"^from filelock import", {"contract/store/locks.py"}),
    (r"\bcreate_subprocess_exec\(", {"contract/processes.py"}),
]


@pytest.mark.parametrize(("pattern", "places"), ONCE)
def test_it_has_one_place(pattern: str, places: set[str]) -> None:
    found = {name for name, text in SOURCES.items() if re.search(pattern, text, re.MULTILINE)}
    assert found == places
