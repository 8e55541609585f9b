"""What a change changes, from texts that git and the locks hold."""

from pipelines.release.pull_request.changes import (
    FileChange,
    ValueChange,
    card_difference,
    declared,
    files,
    locked,
)


def test_facts_that_differ_are_named_by_their_path() -> None:
    before = {"keys": ["a"], "estimator": {"path": "x.Y", "parameters": {"C": 1.0}}, "gone": 1}
    now = {"keys": ["a"], "estimator": {"path": "x.Y", "parameters": {"C": 2.0}}, "new": {"of": 3}}
    assert declared(before, now) == [
        ValueChange("estimator.parameters.C", "1.0", "2.0"),
        ValueChange("new.of", "not there", "3"),
        ValueChange("gone", "1", "not there"),
    ]


def test_an_empty_section_is_a_fact_of_its_own() -> None:
    assert declared({"gates": {}}, {}) == [ValueChange("gates", "{}", "not there")]


def test_locked_packages_that_move() -> None:
    before = (
        "# comment\nonnx==1.19.0 \\\n    --hash=sha256:00\npandas==2.3.1 ; python_version > '3'\n"
    )
    now = before.replace("1.19.0", "1.20.0").replace("pandas", "polars")
    assert locked(before, now) == [
        ValueChange("onnx", "1.19.0", "1.20.0"),
        ValueChange("polars", "not there", "2.3.1"),
        ValueChange("pandas", "2.3.1", "not there"),
    ]


def test_files_with_odd_names_and_without_lines() -> None:
    numstat = "3\t1\tuse_cases/a b.yaml\0-\t-\tdocs/ü\t.png\0"
    assert files(numstat) == [
        FileChange("use_cases/a b.yaml", 3, 1),
        FileChange("docs/ü\t.png", None, None),
    ]
    assert files("") == []


def test_lineage_always_differs_and_is_left_out() -> None:
    before = "# Card\n\nrows 10\n\n## Lineage\n\nrun 1"
    assert card_difference(before, before.replace("run 1", "run 2")) == ""
    changed = card_difference(before, before.replace("rows 10", "rows 12"))
    assert "-rows 10" in changed.splitlines() and "+rows 12" in changed.splitlines()
