"""Run Great Expectations over a frame and turn its result into plain values and a page."""

import json
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations import expectations
from great_expectations.compatibility.pydantic import ValidationError
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.exceptions.exceptions import GreatExpectationsError
from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
from great_expectations.render.view.view import DefaultJinjaPageView

from contract.errors import BadInput
from contract.names import ROW_HASH
from contract.pages import packaged, style_sheet
from contract.use_case.loader import nearest
from pipelines.data.expectations import Rule, requirement
from pipelines.sources.values import without_values

# Lists of single rows stay out of the log: they are the rows' values, and quarantine holds them.
ROW_LISTS = (
    "unexpected_list",
    "unexpected_index_list",
    "unexpected_index_query",
    "partial_unexpected_list",
    "partial_unexpected_index_list",
    "partial_unexpected_counts",
)

LETTER = re.compile(r"[^\W\d_]")
STYLE_FILE = "gx_report.css"  # what its page needs besides the style of all pages


class View(DefaultJinjaPageView):
    """The page of a result whose texts are escaped already."""

    @staticmethod
    def _escape_template_param_value(value: Any) -> Any:
        # Great Expectations escapes some of its parameters and no title, cell, link or error. All
        # texts come here escaped once; those few would be escaped twice and read `&lt;`.
        return value


@dataclass(frozen=True)
class ExpectationResult:
    """How one expectation came out."""

    rule: Rule
    name: str  # what had to be so, in words
    passed: bool
    failed_rows: tuple[int, ...]  # row hashes
    detail: str


@dataclass(frozen=True)
class ValidationReport:
    """All findings over one frame, and Great Expectations' own report of them."""

    findings: tuple[ExpectationResult, ...]
    document: dict[str, Any]
    page: str


def check(frame: pd.DataFrame, rules: list[Rule], suite: str) -> ValidationReport:
    """Run the rules over a frame (n_rows, n_columns); a rule that raises has failed."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    batch = (
        context.data_sources.add_pandas("pandas")
        .add_dataframe_asset(suite)
        .add_batch_definition_whole_dataframe("all rows")
        .get_batch({"dataframe": frame})
    )
    built = gx.ExpectationSuite(suite, expectations=[_build(rule) for rule in rules])
    # COMPLETE costs no more than SUMMARY and is the only format that lists every failed row.
    wanted: dict[str, Any] = {"result_format": "COMPLETE"}
    if ROW_HASH in frame:
        wanted["unexpected_index_column_names"] = [ROW_HASH]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas warns from inside Great Expectations' metrics
        # Not by a definition of its own: that stores the result, and fails on numpy's booleans.
        try:
            result = batch.validate(built, result_format=wanted)
        except GreatExpectationsError as error:
            raise BadInput(f"expectations: one of them can't be checked at all: {error}") from None
    run = RunIdentifier(run_time=datetime.now(UTC))
    result.meta |= {"run_id": run, "validation_time": run.run_time}
    for entry in result.results:
        entry.result = _plain(entry.to_json_dict()["result"])
    findings = tuple(_finding(entry, rules) for entry in result.results)
    for entry in result.results:
        entry.result = {k: value for k, value in entry.result.items() if k not in ROW_LISTS}
    return ValidationReport(findings, result.to_json_dict(), _page(result))


def _plain(result: Any) -> Any:
    """Without numpy's numbers and booleans, on which document and page fail."""
    return json.loads(
        json.dumps(
            result, default=lambda value: value.item() if hasattr(value, "item") else str(value)
        )
    )


def _page(result: Any) -> str:
    """Great Expectations' page; from here on the result is fit for nothing else.

    Its templates put column names, values, arguments and messages of errors into the page as they
    are: whoever names a column or delivers a value would write markup there. So each text that
    enters is one that a browser shows and does not follow.
    """
    result.suite_name, result.meta = _inert(result.suite_name), _inert(result.meta)
    for entry in result.results:
        config = entry.expectation_config
        config.kwargs, config.meta = _inert(config.kwargs), _inert(config.meta)
        config.description, config.notes = _inert(config.description), _inert(config.notes)
        entry.result, entry.exception_info = _inert(entry.result), _inert(entry.exception_info)
        if "unexpected_percent" not in entry.result:  # of values and not of rows, which it needs
            entry.result.pop("unexpected_count", None)
    view: DefaultJinjaPageView = View()
    with _silent(logging.getLogger("great_expectations.render")):
        page: str = view.render(ValidationResultsPageRenderer().render(result))
    # The page asks a content network for its style; where it is shown there may be none.
    style = f"<style>{style_sheet()}{packaged(__package__, STYLE_FILE)}</style>"
    page = page.replace("<html>", '<html lang="en">', 1)
    return page.replace("</head>", style + "</head>", 1)


@contextmanager
def _silent(logger: logging.Logger) -> Iterator[None]:
    """Without traces of what the page can't show of an expectation that raised: the finding says
    so."""
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


def _inert(value: Any) -> Any:
    """The same value with every text in it escaped, for HTML and for templates with `$names`."""
    if isinstance(value, str):
        return escape(value).replace("$", "&#36;")
    if isinstance(value, dict):
        return {_inert(key): _inert(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_inert(item) for item in value]
    return value


def _build(rule: Rule) -> Any:
    names = [name for name in dir(expectations) if name.startswith("Expect")]
    if rule.expectation not in names:
        hint = nearest(rule.expectation, names)
        raise BadInput(f"expectations: no expectation {rule.expectation!r}; {hint}")
    build = getattr(expectations, rule.expectation)
    try:
        return build(severity=rule.severity, meta=_identity(rule), **rule.arguments)
    except (TypeError, ValueError) as error:
        raise BadInput(
            f"expectations: {rule.expectation} can't take its arguments: {_in_a_line(error)}"
        ) from None


def _in_a_line(error: Exception) -> str:
    """What is wrong with arguments, each by its name where Great Expectations tells it."""
    parts = error.errors() if isinstance(error, ValidationError) else ()
    told = [": ".join([*map(str, part["loc"]), part["msg"]]) for part in parts]
    return "; ".join(told).replace("__root__: ", "") or str(error)


def _identity(rule: Rule) -> dict[str, Any]:
    return {
        "level": rule.level,
        "rule": f"{rule.expectation} {json.dumps(dict(rule.arguments), default=str)}",
    }


def _finding(entry: Any, rules: list[Rule]) -> ExpectationResult:
    meta = entry.expectation_config.meta["rule"]
    rule = next(rule for rule in rules if _identity(rule)["rule"] == meta)
    # Some table-level expectations list bare positions there.
    listed = entry.result.get("unexpected_index_list") if rule.level == "row" else None
    rows = listed or []
    return ExpectationResult(
        rule=rule,
        name=requirement(rule),
        passed=bool(entry.success),
        failed_rows=tuple(int(row[ROW_HASH]) for row in rows),
        detail=_detail(entry.result, _raised(entry.exception_info)),
    )


def _raised(told: dict[str, Any]) -> str:
    """The message of what was raised, by the rule or by a figure that it asks for; "": nothing."""
    parts = [told, *(part for part in told.values() if isinstance(part, dict))]
    return next((str(m) for part in parts if (m := part.get("exception_message"))), "")


def _detail(result: dict[str, Any], raised: str) -> str:
    """What was found instead: a count of rows or one figure, never a value of a row."""
    if raised:
        why = without_values(raised)
        # Of "'<' not supported between 'str' and 'int'" nothing is left.
        return f"it could not be checked{f': {why}' if LETTER.search(why) else ''}"
    if "element_count" in result and "unexpected_count" in result:
        return f"not so in {result['unexpected_count']:,} of {result['element_count']:,} rows"
    if (observed := result.get("observed_value")) is None:
        strange, missing = result.get("unexpected_count"), result.get("missing_count")
        told = [f"{strange:,} not among them"] if strange else []
        told += [f"{missing:,} of them missing"] if missing else []
        return f"found {' and '.join(told) or 'none'}"
    if isinstance(observed, list | set | tuple | dict):
        return f"found {len(observed):,} value{'' if len(observed) == 1 else 's'}"
    return f"found {observed:,.6g}" if isinstance(observed, int | float) else f"found {observed}"
