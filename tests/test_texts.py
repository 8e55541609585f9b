"""Texts of callers, label files, YAML, people and reasons in every page that leaves: only text."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient, artifacts

from contract.markdown import plain
from contract.settings import read_settings
from contract.statistics.metrics import Scored
from contract.store.ledger import LedgerEntry, RegistryState
from contract.store.tables import Tables, TableVersion
from contract.use_case.loader import parse_use_case
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from monitoring.alerts.channels.mail import letter_of
from monitoring.alerts.channels.slack import slack_body
from monitoring.alerts.message import Message, rehearsal
from monitoring.alerts.notice import worded
from monitoring.alerts.notices.refused_delivery import refused
from monitoring.monitor import monitor
from monitoring.report.evidently_pages import EvidentlyPage, answers_page, inputs_page
from monitoring.windows.window import WindowRequest
from pipelines.data.expectations import Rule
from pipelines.data.gx_report import check
from pipelines.data.profiling.notes import ColumnNote
from pipelines.data.profiling.notes import page as notes_page
from pipelines.data.validated import Validated
from pipelines.model.model_card import model_card
from pipelines.model.results import Evaluated, Figure, HoldoutSlice, Trained
from pipelines.registry.description import front_page
from pipelines.registry.move_runs import _note as entry_page
from pipelines.release.decision import GateDecision
from pipelines.release.gate_evidence import Champion
from pipelines.release.gate_report import page as gate_page
from pipelines.replaying.progress import ReplayProgress, WindowFigures, WindowProgress
from pipelines.replaying.progress import markdown as replay_page
from serving.http.openapi import paths
from serving.http.status_page import page as status_page
from serving.http.status_page import waiting
from serving.scoring.scorer import Scorer
from serving.scoring.version import ServedVersion
from tests.conftest import MADE, made_use_case
from tests.pipelines.release.test_decision import EQUAL, GATES, GOOD, LARGE
from tests.support import monitored as made
from tests.support.texts import ALL, HOSTILE, in_html, in_markdown

NOW = datetime(2024, 1, 1, tzinfo=UTC)
TABLE = TableVersion("holdout", 1, 100, "ab")
FIGURE = Figure(value=0.8, low=0.7, high=0.9)
RANDOM = np.random.default_rng(0)


def use_case_of(text: str) -> UseCase:
    """The made use case in which a person wrote `text` wherever a text is free."""
    made_of = parse_use_case(MADE, "made.yaml", Path())
    free = {"title": text, "description": text, "owner": text}
    card = {"intended_use": text, "out_of_scope": text, "limits": (text,)}
    column = Column(type="string", description=text, unit=text, categories=(text, "b"))
    strict = column.model_copy(update={"unseen": "reject", "nullable": True})
    columns = made_of.columns | {"colour": strict, text: column}
    changes = free | {"columns": columns, "card": made_of.card.model_copy(update=card)}
    return made_of.model_copy(update=changes)


def card_of(text: str) -> str:
    """The card of a version that a person of this name made, for this reason."""
    evaluated = Evaluated(
        run_id="1",
        metric="roc_auc",
        holdout=TABLE,
        figures={"roc_auc": FIGURE},
        baseline={"roc_auc": 0.5},
        champion="none",
        champion_figures={},
        slices=(HoldoutSlice(column=text, value=text, rows=100, figure=FIGURE),),
        importance={},
    )
    validated = Validated.model_construct(
        raw=TABLE, expectations_passed=1, expectations_total=1, rows_quarantined=0
    )
    trained = Trained.model_construct(training=TABLE, holdout=TABLE)
    tags = {"trained_by": text, "retrained_why": text, "retrained_labels": text}
    return model_card(use_case_of(text), validated, trained, evaluated, tags)


def gate_of(text: str) -> str:
    slices = (replace(LARGE, column=text, value=text),)
    opponent = Champion("1", 0, (), replace(EQUAL, slices=slices))
    return gate_page(GATES, replace(GOOD, opponent=opponent), GateDecision(False, (text,), (text,)))


def entry_of(text: str) -> LedgerEntry:
    state = RegistryState(champion="2", challenger="3", former=("1",))
    return LedgerEntry(
        "promote", "2", text, text, state, data_version=text, effects=(text,), time=NOW
    )


def replay_of(text: str) -> str:
    said = dict.fromkeys(("estimated", "reference", "value", "low", "high"), 0.5)
    drifted = {"signals": (f"columns:{text}",), "alarms": (), "reasons": (text,)}
    named = {"version": "1", "status": "DRIFT", "revision": 1, "run_id": "1"}
    report = WindowFigures.model_validate(said | drifted | named)
    seen = WindowProgress(start=date(2024, 1, 1), end=date(2024, 2, 1), version="1", last=report)
    return replay_page(ReplayProgress(seen=(seen,)), use_case_of(text))


def front_of(text: str) -> str:
    tags = {"2": {}, "3": {"gate": "False", "gate_reasons": text}, "1": {}}
    return front_page(use_case_of(text), [entry_of(text)], tags)


def served_of(text: str) -> ServedVersion:
    return ServedVersion("made", "1", "", use_case_of(text), Scorer((), (text, "b"), _nothing))


def _nothing(_: Any) -> Any:
    return np.empty((0, 2))


def status_of(text: str) -> str:
    return status_page(served_of(text), NOW, [text], "http://127.0.0.1:5000", keys=True)


MARKDOWN: dict[str, Callable[[str], str]] = {
    "model card": card_of,
    "gate": gate_of,
    "strange columns": lambda text: notes_page([ColumnNote(text, "spelling", 1, text)]),
    "registered model": front_of,
    "move": lambda text: entry_page(entry_of(text)),
    "replay": replay_of,
}
HTML: dict[str, Callable[[str], str]] = {
    "status": status_of,
    "status before the first version": lambda text: waiting([text]),
}


def on_one_line(text: str) -> str:
    return " ".join(text.split())


def test_the_parser_sees_what_is_to_be_kept_out() -> None:
    assert len(in_html(f"<p title=''{ALL}</p>")[0]) > 3
    assert len(in_markdown(ALL)[0]) > 8
    assert len(in_html("<a href='javascript:evil'>y</a><b onclick=evil()>z</b><!--evil-->")[0]) == 3


@pytest.mark.parametrize("text", [*HOSTILE, ALL])
def test_a_text_in_markdown_is_shown_as_it_is(text: str) -> None:
    for around in ("{}", "- {}", "**{}**", "| what | which |\n|---|---|\n| {} | {} |"):
        found, shown = in_markdown(around.replace("{}", plain(text)))
        assert found == []
        assert on_one_line(text) in shown


@pytest.mark.parametrize("text", [*HOSTILE, ALL])
@pytest.mark.parametrize("name", [*MARKDOWN, *HTML])
def test_no_page_of_ours_has_markup_of_theirs(name: str, text: str) -> None:
    page = MARKDOWN[name](text) if name in MARKDOWN else HTML[name](text)
    found, shown = in_markdown(page) if name in MARKDOWN else in_html(page)
    assert found == []
    assert on_one_line(text)[:200] in shown


@pytest.mark.parametrize("text", [*HOSTILE, ALL])
def test_the_documentation_of_the_service_has_no_markup_of_theirs(text: str) -> None:
    said = list(descriptions(paths(served_of(text))))
    assert any(on_one_line(text) in in_markdown(description)[1] for description in said)
    assert [found for description in said for found in in_markdown(description)[0]] == []


def descriptions(document: Any) -> Iterator[str]:
    """Every text of an OpenAPI document that is Markdown."""
    if isinstance(document, dict):
        yield from (v for k, v in document.items() if k == "description" and isinstance(v, str))
    for part in document.values() if isinstance(document, dict) else document:
        if isinstance(part, dict | list):
            yield from descriptions(part)


def alarm_of(use_case: UseCase) -> Message:
    message = rehearsal(use_case, "1", "http://127.0.0.1:5000/", "2024-01-01")
    return replace(message, kind="alarm", reasons=(ALL,), next_steps=(ALL,))


def notice_of(use_case: UseCase) -> Message:
    notice = refused("a", (ALL,), "")
    message = worded(notice, "alarm", use_case, "1", "http://127.0.0.1:5000/", "2024-01-01")
    return replace(message, next_steps=(*message.next_steps, ALL))


@pytest.mark.parametrize("made", [alarm_of, notice_of])
def test_an_alert_has_no_markup_of_theirs(made: Callable[[UseCase], Message]) -> None:
    message = made(use_case_of(ALL))
    body = json.loads(slack_body(message))
    texts = [block["text"] for block in body["blocks"] if "text" in block]
    marked = [text["text"] for text in texts if text["type"] == "mrkdwn"]
    assert marked == ["<http://127.0.0.1:5000/|Report in MLflow>"]
    for markup in ("<", ">", "@channel", "]("):
        assert markup not in body["text"]
    letter = letter_of(message, "a@example.org", "b@example.org")
    assert letter.get_content_type() == "text/plain"
    assert "</script><script>evil()</script>" in letter.get_content()


def test_great_expectations_page_has_no_markup_of_theirs() -> None:
    column, missing = f"a {ALL}", f"b {ALL}"
    frame = pd.DataFrame({column: [ALL, "b"], "id": [1, 2]})
    among = {"column": column, "value_set": [ALL, "c"], "description": ALL}
    rules = [
        Rule("ExpectTableColumnsToMatchSet", "table", arguments={"column_set": [ALL, "id"]}),
        Rule("ExpectColumnToExist", "table", arguments={"column": missing}),
        Rule("ExpectColumnDistinctValuesToBeInSet", "table", arguments=among),
        Rule("ExpectColumnValuesToBeInSet", "table", arguments=among),
        Rule("ExpectColumnValuesToNotBeNull", "table", arguments={"column": missing}),  # it raises
    ]
    checked = check(frame, rules, "made")
    found, shown = in_html(checked.page)
    assert found == []
    assert "&lt;" not in shown.replace("<evil>&lt;evil&gt;", "")  # nothing is escaped twice
    assert "</script><script>evil()</script>" in shown
    known = [result["expectation_config"]["kwargs"] for result in checked.document["results"]]
    assert {column, missing} <= {arguments.get("column") for arguments in known}


def test_evidently_s_pages_have_no_markup_of_theirs() -> None:
    use_case = use_case_of(ALL)
    frame = pd.DataFrame({ALL: RANDOM.choice([ALL, "b"], 100), "size": RANDOM.normal(size=100)})
    window = frame.assign(**{ALL: RANDOM.choice([ALL, "c", HOSTILE[0]], 100)})
    inputs = inputs_page(window, frame, use_case, [ALL, "size"], True)
    words = Column(type="string")
    labelled = {"task": "multiclass", "columns": use_case.columns | {"late": words}}
    answered = Scored(
        RANDOM.choice([ALL, "b", "c"], 100).astype(object),  # labels as a file delivers them
        RANDOM.choice([ALL, "b", "c"], 100).astype(object),
        RANDOM.dirichlet((1, 1, 1), 100),
        (ALL, "b", "c"),
    )
    answers = answers_page(
        answered, answered, use_case.model_copy(update=labelled), labelled=True, as_html=True
    )
    for page in (inputs, answers):
        harmless(page)
    assert json.dumps(ALL)[1:-1] in inputs.document  # by its true name


def harmless(page: EvidentlyPage) -> None:
    """Evidently's own elements alone; what stands in its scripts opens nothing either."""
    found, shown = in_html(page.html)
    assert found == []
    for opening in ("<script>evil", "</script><script>evil", "<img src=evil", "<evil", "<!--evil"):
        assert opening not in page.html
        assert opening not in shown
    assert "<\\u200bevil>" in page.html  # which people read as <evil>
    assert "\\u200b" not in page.document


def test_what_a_caller_sends_is_text_in_every_page_of_the_report(
    home: Path, champion: Path
) -> None:
    shutil.copy(champion / "mlflow.db", home)
    use_case, tables = made_use_case(home), Tables(str(home / "data"), "made")
    rows = made.rows(300, 1)
    rows["colour"] = RANDOM.choice([ALL, "red"], 300)
    made.answer(tables, use_case, rows)
    made.label(tables, rows)
    found = monitor(use_case, read_settings(str(home / "data")), WindowRequest())[0]
    client = MlflowClient(f"sqlite:///{home}/mlflow.db")
    note = client.get_run(found.run_id).data.tags["mlflow.note.content"]
    assert in_markdown(note)[0] == []
    where, names = found.report.removesuffix("/verdict.html"), []
    for file in [f for d in ("", "evidently") for f in client.list_artifacts(found.run_id, d)]:
        if file.path.endswith(".html"):
            page = artifacts.load_text(f"{where}/{file.path}")
            assert in_html(page)[0] == [], file.path
            names.append(file.path)
    assert names == ["verdict.html", "evidently/answers.html", "evidently/inputs.html"]
    slices = artifacts.load_dict(found.report.replace(".html", ".json"))["performance"]["slices"]
    assert ALL in [part["value"] for part in slices]  # figures keep the true names
