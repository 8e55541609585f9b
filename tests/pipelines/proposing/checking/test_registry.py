"""Bad use cases and the sentence that each gets, from the file and the first rows alone."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml

from contract.errors import BadInput
from contract.use_case.loader import parse_use_case
from contract.use_case.model import UseCase
from pipelines.check import check
from pipelines.proposing.checking import classes, memory
from pipelines.proposing.checking.memory import expected_values
from pipelines.proposing.checking.registry import check_rows, stop_at_errors
from pipelines.sources.first_rows import FirstRows, first_rows
from tests.conftest import MADE, deliver, made_rows

LINEAR = "sklearn.linear_model"
# Changes to the made use case, and what is said of them.
ERRORS: dict[str, tuple[Mapping[str, object], str]] = {
    "metric": (
        {"evaluation.metric": "roc-auc"},
        "evaluation.metric: no metric 'roc-auc' for the task binary; did you mean 'roc_auc'?",
    ),
    "metric of a gate": (
        {"gates.maximum": {"rmse": 3}},
        "gates.maximum.rmse: no metric 'rmse' for the task binary; ",
    ),
    "estimator": (
        {"estimator.path": f"{LINEAR}.LogistcRegression"},
        f"estimator.path: {LINEAR}.LogistcRegression can't be loaded",
    ),
    "no estimator": (
        {"estimator.path": "sklearn.metrics.roc_auc_score"},
        "estimator.path: sklearn.metrics.roc_auc_score is no scikit-learn estimator",
    ),
    "parameter": (
        {"estimator.parameters": {"max_itr": 3}},
        "estimator.parameters.max_itr: LogisticRegression has no such parameter; did you mean "
        "'max_iter'?",
    ),
    "value of a parameter": (
        {"estimator.parameters": {"C": -1}},
        f"estimator.parameters: {LINEAR}.LogisticRegression does not take them: The 'C' parameter "
        "of LogisticRegression must be a float in the range (0.0, inf]. Got -1 instead",
    ),
    "searched parameter": (
        {"estimator.search": {"c": {"low": 1, "high": 2}}},
        "estimator.search.c: LogisticRegression has no such parameter; ",
    ),
    "searched value": (
        {"estimator.search": {"C": {"low": -1, "high": 2}}},
        f"estimator.search.C: {LINEAR}.LogisticRegression does not take them: The 'C' parameter",
    ),
    "estimator of another task": (
        {"estimator": {"path": f"{LINEAR}.Ridge"}},
        f"estimator.path: {LINEAR}.Ridge is no classifier, which task binary needs; ",
    ),
    "estimator that nobody has tried": (
        {"estimator": {"path": "xgboost.XGBRFClassifier"}},
        "estimator.path: xgboost.XGBRFClassifier is none of the estimators that are known",
    ),
    "no probabilities": (
        {"estimator": {"path": "sklearn.svm.LinearSVC"}},
        "estimator.path: sklearn.svm.LinearSVC can't be served: it answers no probabilities; ",
    ),
    "no probabilities with these parameters": (
        {"estimator": {"path": f"{LINEAR}.SGDClassifier"}},
        f"estimator.path: {LINEAR}.SGDClassifier answers no probabilities; ",
    ),
    "does not compile": (
        {"estimator": {"path": "sklearn.naive_bayes.GaussianNB"}},
        "estimator.path: sklearn.naive_bayes.GaussianNB does not compile; with serving: ",
    ),
    "positive of another type": (
        {"positive": "yes"},
        "positive: 'yes' is no value of late, whose type is boolean; true or false is needed",
    ),
    "positive without a binary task": (
        {"task": "multiclass", "evaluation.metric": "accuracy", "gates.minimum": {"accuracy": 1}},
        "positive: only a binary task has a positive class, this is multiclass",
    ),
    "positive that is no category": (
        {"target": "colour", "positive": "purple", "evaluation.slices": []},
        "positive: 'purple' is none of the categories of colour: red, green, blue",
    ),
    "positive that no row has": (
        {"target": "group", "positive": "z", "task": "binary"},
        "task: binary means two classes, group holds 8: 'a', 'b', ",
    ),
    "regression of words": (
        {"task": "regression", "target": "colour", "positive": None, "evaluation.slices": []},
        "target: a regression predicts a number, colour is of type string",
    ),
    "slices by the target": (
        {"evaluation.slices": ["colour", "late"]},
        "evaluation.slices[1]: late is the target",
    ),
    "target as a key": ({"keys": ["id", "late"]}, "target: late is a key too"),
    "timestamp as a feature": (
        {"event_time": None, "split": {"by": "random"}},
        "columns.moment: a timestamp can't be a feature",
    ),
    "expectation": (
        {"expectations": [{"expectation": "ExpectColumnMeanToBeBetwen"}]},
        "expectations[0]: no expectation 'ExpectColumnMeanToBeBetwen'; did you mean "
        "'ExpectColumnMeanToBeBetween'?",
    ),
    "column of an expectation": (
        {
            "expectations": [
                {
                    "expectation": "ExpectColumnMeanToBeBetween",
                    "arguments": {"min_value": 0, "column": "sise"},
                },
                {"expectation": "ExpectColumnToExist", "arguments": {"column": "size"}},
            ]
        },
        "expectations[0].arguments.column: no column 'sise' is declared; did you mean 'size'?",
    ),
    "column that is not there": (
        {"columns.sise": {"type": "number"}},
        "columns.sise: the source has no such column",
    ),
    "column of another type": (
        {"columns.colour": {"type": "number"}},
        "columns.colour: line 2: number expected, found text",
    ),
    "statistic": (
        {"monitoring.distance": "psy"},
        "monitoring.distance: no statistic 'psy'; did you mean 'psi'?",
    ),
    "limit of a statistic": (
        {"monitoring.effect_limit": 1.5},
        "monitoring.effect_limit: jensen_shannon is 1 at most, so 1.5 is never reached; up to 1 is "
        "right",
    ),
    "limit of a column": (
        {"monitoring.effect_limits": {"size": 0.5, "colour": 2}},
        "monitoring.effect_limits.colour: jensen_shannon is 1 at most, so 2 is never reached; ",
    ),
    "classes of moments": (
        {
            "target": "moment",
            "positive": None,
            "task": "multiclass",
            "evaluation.metric": "accuracy",
        },
        "target: the classes of a multiclass task are text, whole numbers or booleans; moment is "
        "of type timestamp",
    ),
    "target as the event time": (
        {"target": "moment"},
        "target: moment is the event time too; one of the two is another column",
    ),
    "truth in place of a number": (
        {"target": "id", "keys": ["group"], "positive": True},
        "positive: True is no value of id, whose type is integer; a whole number is needed",
    ),
    "classes with fractions": (
        {"target": "size", "positive": None},
        "target: size holds fractions, which are no classes; task: regression",
    ),
    "two classes only": (
        {
            "task": "multiclass",
            "positive": None,
            "evaluation.metric": "accuracy",
            "estimator": {
                "path": f"{LINEAR}.LogisticRegression",
                "parameters": {"solver": "liblinear"},
            },
        },
        f"estimator.path: {LINEAR}.LogisticRegression knows two classes only; take one for more",
    ),
    "no feature": (
        {
            "columns.colour.feature": False,
            "columns.size.feature": False,
            "columns.group.feature": False,
            "evaluation.slices": [],
        },
        "columns: no feature is left beside keys, event time, group and target",
    ),
    "source that is not there": ({"source.csv": "row.csv"}, "source"),
}
WARNINGS: dict[str, tuple[Mapping[str, object], str]] = {
    "limit that a constant keeps": (
        {"gates.minimum": {"roc_auc": 0.5}},
        "gates.minimum: roc_auc 0.5 asks nothing of a model: the baseline, one answer for every "
        "row, reaches 0.5000 on the first 200 labelled rows",
    ),
    "group that no answer is kept with": (
        {"split": {"by": "group", "column": "group"}},
        "split.column: answers are kept without group, which is no key and no input, so retraining "
        "from them will be refused; name it in keys",
    ),
    "repeated keys": ({"keys": ["group"]}, "keys: 200 of the first 200 rows share group with"),
}


def declared(folder: Path, changes: Mapping[str, object]) -> UseCase:
    """The made use case as a file that says these things."""
    raw = yaml.safe_load(MADE)
    for path, value in deepcopy(dict(changes)).items():
        *sections, key = path.split(".")
        at = raw
        for section in sections:
            at = at[section]
        at[key] = value
        if value is None:
            del at[key]
    return parse_use_case(yaml.safe_dump(raw), "made.yaml", folder)


@pytest.fixture
def source(home: Path) -> Path:
    deliver(home, made_rows())
    return home


def test_a_good_use_case_has_no_finding(source: Path) -> None:
    done = check(declared(source, {}))
    assert (done.rows, done.findings) == (200, ())


def test_a_group_that_is_a_key_is_kept_with_each_answer(source: Path) -> None:
    by_key = {"split": {"by": "group", "column": "id"}}
    assert check(declared(source, by_key)).of("warning") == []


@pytest.mark.parametrize("name", ERRORS)
def test_what_stops_is_one_sentence(name: str, source: Path) -> None:
    changes, said = ERRORS[name]
    done = check(declared(source, changes))
    assert [sentence[: len(said)] for sentence in done.of("error")].count(said) == 1
    with pytest.raises(BadInput) as refused:
        stop_at_errors("made", done.findings)
    assert str(refused.value).startswith("made can't work as it is declared:\n  - ")


@pytest.mark.parametrize("name", WARNINGS)
def test_what_is_judged_later_is_a_warning(name: str, source: Path) -> None:
    changes, said = WARNINGS[name]
    done = check(declared(source, changes))
    assert [s for s in done.of("warning") if s.startswith(said)]
    stop_at_errors("made", done.findings)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            [None] * 200,
            [("warning", "target: late is empty in the first 200 rows")],
        ),
        ([True] * 200, [("error", "target: two classes are needed, late holds one: True")]),
    ],
)
def test_a_target_whose_rows_have_one_class_or_none_is_told(
    source: Path, values: list[object], said: list[tuple[str, str]]
) -> None:
    deliver(source, made_rows().assign(late=np.array(values, dtype=object)))
    found = check(declared(source, {})).findings
    assert [(f.severity, f.sentence) for f in found if "late" in f.sentence] == said


def test_a_target_of_numbers_may_be_empty_in_some_rows(source: Path) -> None:
    numbers: dict[str, object] = {"columns.late": {"type": "number"}, "positive": 1}
    column = pa.chunked_array([pa.array([0.0, 1.0, float("nan"), None])])
    first = FirstRows(pa.table({"late": column}), ("late",), total=4)
    assert not list(classes.check(declared(source, numbers), first))


def test_rows_without_a_key_and_no_rows_at_all_are_told(source: Path) -> None:
    rows = made_rows()
    deliver(source, rows.assign(group=rows["group"].where(rows.index > 2)))
    changes = {"keys": ["id", "group"], "columns.group.nullable": True}
    assert "keys: group is null in 3 of the first 200 rows" in (
        check(declared(source, changes)).of("warning")
    )
    deliver(source, made_rows(0))
    assert check(declared(source, {})).of("error") == ["source: it holds no row"]


def test_estimators_that_take_any_parameter_are_asked_for_none(source: Path) -> None:
    boosted = {"path": "lightgbm.LGBMClassifier", "parameters": {"any_word": 3}}
    assert check(declared(source, {"estimator": boosted})).of("error") == []


def test_all_problems_are_told_at_once(source: Path) -> None:
    changes: dict[str, object] = {
        "evaluation.metric": "auc",
        "evaluation.slices": ["late"],
        "estimator.parameters": {"C": 0},
        "positive": "late",
        "columns.bill_depth": {"type": "number"},
        "gates.minimum": {"r2": 0.5},
    }
    deliver(source, made_rows().assign(bill_depth_mm=1.5))
    done = check(declared(source, changes))
    places = [sentence.partition(":")[0] for sentence in done.of("error")]
    assert sorted(places) == [
        "columns.bill_depth",
        "estimator.parameters",
        "evaluation.metric",
        "evaluation.slices[0]",
        "gates.minimum.r2",
        "positive",
        "source",
    ]
    assert "columns.bill_depth: the source has no such column; did you mean 'bill_depth_mm'?" in (
        done.of("error")
    )
    assert "source: the columns found are id, moment, late, colour, size, group, bill_depth_mm" in (
        done.of("error")
    )


def test_a_cell_that_can_t_be_read_hides_no_missing_column(source: Path) -> None:
    changes: dict[str, object] = {
        "columns.colour": {"type": "number"},
        "columns.sise": {"type": "number"},
    }
    said = check(declared(source, changes)).of("error")
    places = [sentence.partition(":")[0] for sentence in said]
    assert places == ["columns.sise", "source", "columns.colour"]


def test_the_columns_of_a_loader_are_told_too(source: Path) -> None:
    changes: dict[str, object] = {
        "source": {"python": "use_cases.penguins:load"},
        "columns.bill_depth": {"type": "number"},
    }
    said = check(declared(source, changes)).of("error")
    assert (
        "columns.bill_depth: the source has no such column; did you mean 'bill_depth_mm'?" in said
    )


def test_what_later_lines_may_have_is_a_warning(source: Path) -> None:
    rows = made_rows(300).drop(columns="group")
    rows.to_json(source / "rows.jsonl", orient="records", lines=True, date_format="iso")
    few = declared(source, {"source": {"json": "rows.jsonl"}})
    first = first_rows(few, 20)
    assert (first.table.num_rows, first.total, first.all_names) == (20, None, False)
    said = [finding for finding in check_rows(few, first) if "columns.group" in finding.sentence]
    assert [finding.severity for finding in said] == ["warning"]
    assert "columns.group: the source has no such column" in check(few).of("error")


def test_a_word_that_no_row_has_is_told_from_the_rows(source: Path) -> None:
    rows = made_rows().assign(answer="no")
    rows.loc[::2, "answer"] = "yes"
    deliver(source, rows)
    changes: dict[str, object] = {"columns.answer": {"type": "string"}, "target": "answer"}
    done = check(
        declared(source, changes | {"positive": "Yes", "columns.late": {"type": "boolean"}})
    )
    said = "positive: 'Yes' is no value of answer in the first 200 rows, found 'no', 'yes'"
    assert done.of("error") == [said]


def test_what_one_hot_columns_take_is_told_before_they_are_made(source: Path) -> None:
    words = np.random.default_rng(0).integers(0, 20_000, 10_000)
    column = pa.chunked_array([pa.array(words).cast(pa.string())])
    assert expected_values(column, whole=True) == len(set(words)) < 8000
    assert 19_000 < expected_values(column, whole=False) < 21_000
    first = FirstRows(pa.table({"group": column, "colour": column}), (), total=2_000_000)
    use_case = declared(source, {})
    assert not list(memory.check(use_case, first))  # the estimator takes a sparse matrix
    dense = {"estimator": {"path": "sklearn.discriminant_analysis.LinearDiscriminantAnalysis"}}
    (finding,) = memory.check(declared(source, dense), first)
    assert "of about 2,000,000 rows: columns." in finding.sentence
    assert "encode: target fits" in finding.sentence
    assert not list(memory.check(declared(source, dense), replace(first, total=1000)))
    trees = {"estimator": {"path": "sklearn.ensemble.HistGradientBoostingClassifier"}}
    assert not list(memory.check(declared(source, trees), first))
    column = pa.chunked_array([pa.array(["a", "b"])])
    few = FirstRows(pa.table({"group": column, "colour": column}), (), total=10**11)
    (large,) = memory.check(declared(source, trees), few)
    assert "estimator: about 100,000,000,000 rows take " in large.sentence
