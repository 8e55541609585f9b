"""How cells are written: one format for the whole file, by which every column is read.

Words for missing values count only where all the rest of a column is no text. What one column needs
may touch another, for the format is the file's; that is flagged or asked.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contract.use_case.sections.source import CsvFormat
from pipelines.proposing.columns.types import ReadCells, TypedColumn, as_text, read_column
from pipelines.proposing.question import Answers, Question
from pipelines.proposing.writing.numbers import number_form
from pipelines.sources.proposals import MISSING_WORDS

PROBE_ROWS, PROBE_TEXTS = 20_000, 2_000


@dataclass(frozen=True)
class TypedColumns:
    """All columns, the format that reads them with its reasons, and what has to be asked."""

    columns: dict[str, TypedColumn]
    form: CsvFormat
    reasons: dict[str, str] = field(default_factory=dict)
    questions: tuple[Question, ...] = ()


def typed_texts(
    texts: Mapping[str, pa.ChunkedArray], base: CsvFormat, answers: Answers
) -> TypedColumns:
    """Columns of texts in their types, and how their cells are written."""
    probes = {name: _probe(cells) for name, cells in texts.items()}
    rest = {name: [c for c in p if c.strip() not in MISSING_WORDS] for name, p in probes.items()}
    evidence = dict(rest)
    for _ in range(2):  # once more where a later row is written as no row of the probe
        numbers = number_form(evidence, answers.get("comma", ""))
        signs = {"decimal": numbers.decimal.value, "thousands": numbers.thousands.value}
        form = base.model_copy(update=signs)
        typed = {n: read_column(n, texts[n], rest[n], form, answers) for n in texts}
        others = {name: found.others for name, found in typed.items() if found.others}
        if numbers.questions or not any("," in o for found in others.values() for o in found):
            break
        evidence = {name: [*rest[name], *others.get(name, ())] for name in rest}
    nulls, questions = _null_words(texts, typed, answers)
    if nulls is None:  # a word is text, so a column that holds it beside numbers is text, too
        nulls = ()
        typed = {n: f if not f.nulls else as_text(n, texts[n], ()) for n, f in typed.items()}
    pairs = {found.pair for found in typed.values() if found.pair}
    update = {
        "null_values": nulls,
        "true_values": tuple(sorted({yes for yes, _ in pairs})),
        "false_values": tuple(sorted({no for _, no in pairs})),
    }
    reasons = {
        "decimal": numbers.decimal.reason,
        "thousands": numbers.thousands.reason,
        "null_values": "they stand in columns whose other cells are no text; sure",
        "true_values": "the two words of a column; sure",
        "false_values": "the two words of a column; sure",
    }
    columns = {n: _told(found, texts[n], nulls) for n, found in typed.items()}
    asked = (*numbers.questions, *questions, *_clocks(columns))
    return TypedColumns(columns, form.model_copy(update=update), reasons, asked)


def _clocks(columns: Mapping[str, TypedColumn]) -> list[Question]:
    """The question of how times are written; of a time with empty cells nothing depends on it."""
    whole = (c.clock for c in columns.values() if c.clock and not c.values.null_count)
    return [clock.question for clock in whole if clock.question][:1]


def _probe(cells: pa.ChunkedArray) -> list[str]:
    """Different texts from rows all over the column."""
    if len(cells) > PROBE_ROWS:
        rows = np.unique(np.linspace(0, len(cells) - 1, PROBE_ROWS).astype(np.int64))
        cells = cells.take(pa.array(rows))
    return [c for c in pc.unique(cells).drop_null().to_pylist() if c.strip()][:PROBE_TEXTS]


def _null_words(
    texts: Mapping[str, pa.ChunkedArray], typed: Mapping[str, ReadCells], answers: Answers
) -> tuple[tuple[str, ...] | None, list[Question]]:
    """Words that mean missing, None where they were answered to be texts; a question where such a
    word stands in a column of texts, too."""
    words = sorted({word for found in typed.values() for word in found.nulls})
    if not words:
        return (), []
    others = {
        name: int(pc.sum(pc.is_in(texts[name], pa.array(words))).as_py() or 0)
        for name, found in typed.items()
        if found.column.type.value == "string"
    }
    touched = {name: rows for name, rows in others.items() if rows}
    if not touched:
        return tuple(words), []
    missing, text = "missing", "text"
    where = ", ".join(f"{name} ({rows:,} rows)" for name, rows in touched.items())
    among = ", ".join(name for name, found in typed.items() if found.nulls)
    question = Question(
        "null_values",
        f"{', '.join(map(repr, words))} stands among the values of "
        f"{among}, and in columns of text, too: {where}. Does it mean a missing value in the whole "
        "file, or is it a text (then the first are columns of text)?",
        missing,
        (missing, text),
    )
    answer = answers.get("null_values", missing)
    return (None if answer == text else tuple(words)), [question]


def _told(found: ReadCells, texts: pa.ChunkedArray, nulls: tuple[str, ...]) -> TypedColumn:
    """The column as the whole file's words for missing leave it, with notes."""
    column = found.column
    notes = list(column.notes)
    values = column.values
    if column.type.value == "string":
        if nulls:
            words = pa.array(nulls)
            values = pc.if_else(pc.is_in(values, words), pa.scalar(None, pa.string()), values)
        trimmed = pc.value_counts(texts.filter(pc.is_in(texts, pa.array(MISSING_WORDS))))
        said = {c["values"].as_py(): c["counts"].as_py() for c in trimmed}
        counted = Counter({w: n for w, n in said.items() if w not in nulls})
        if counted:
            told = ", ".join(f"{word!r} in {rows:,} rows" for word, rows in counted.most_common())
            notes.append(f"kept as text: {told}; if that means missing, declare null_values")
    return replace(column, values=values, notes=tuple(notes))
