"""The YAML of a proposal: each inferred line with its reason as a comment, questions on top."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from contract.use_case.model import BY_ROW_HASH
from contract.use_case.sections.source import CsvFormat
from pipelines.proposing.inferred import LeftOut
from pipelines.proposing.proposal import Proposal, ProposedProblem
from pipelines.proposing.question import Question

HEAD = """\
# Proposed from {rows:,} rows by `fourcycle init`. Behind each line stands why, and how sure that is
# (sure, likely, a guess). The file is yours now: mend what is wrong."""
ASKED = """\
# What rows can't tell is asked. Below stands what was assumed: mend the lines that a question
# speaks of, and delete its line; nothing runs before. Or write the file anew with --answers."""
# Better when it is smaller, of the metrics that are proposed.
LOSSES = {"rmse", "log_loss"}


def document(proposal: Proposal, name: str, place: str, kind: str, left: Sequence[Question]) -> str:
    """The text of the file; `place` is the source's path from its folder."""
    parts = [
        [HEAD.format(rows=proposal.rows)],
        _questions(left),
        _what(proposal, name),
        _source(proposal, place, kind),
        _problem(proposal.problem),
        _columns(proposal),
        _model(proposal),
        _gates(proposal),
        _operation(proposal),
    ]
    return "\n\n".join("\n".join(lines) for lines in map(list, parts) if lines) + "\n"


def scalar(value: Any) -> str:
    """A value as YAML writes it on one line, quoted where that is needed."""
    written = yaml.dump(
        [value],
        Dumper=_Dumper,
        default_flow_style=True,
        allow_unicode=True,
        width=float("inf"),
        sort_keys=False,
    )
    return str(written)[1:-2]


class _Dumper(yaml.SafeDumper):
    """Writes a line break and other signs that can't be seen as escapes, so on one line."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        style = None if data.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)


def comment(text: str) -> str:
    """A text as a comment of one line; what can't be seen is left out."""
    line = " ".join(text.split())
    return "# " + "".join(sign for sign in line if sign.isprintable())


def _line(key: str, value: Any, why: str = "") -> str:
    said = f"{scalar(key)}: {scalar(value)}"
    return f"{said}  {comment(why)}" if why else said


def _questions(questions: Sequence[Question]) -> list[str]:
    if not questions:
        return []
    lines = [f"  {_line(q.name, f'{q.text} Assumed below: {q.assumed}.')}" for q in questions]
    return [ASKED, "ask:", *lines]


def _what(proposal: Proposal, name: str) -> list[str]:
    target, task = proposal.problem.target, proposal.problem.task
    return [
        _line("name", name),
        _line("title", f"{target} of {name}", "how people read of it; write it in your words"),
        _line("description", "", "what is predicted, of what, for whom"),
        _line("task", task.task.value, task.task.reason),
    ]


def _source(proposal: Proposal, place: str, kind: str) -> list[str]:
    changed = _changed(proposal.form) if kind == "csv" else {}
    lines = ["source:"]
    if not changed:
        found = "comma between fields, UTF-8" if kind == "csv" else f"{kind} by its first bytes"
        return [*lines, f"  {_line(kind, place, f'{found}; sure')}"]
    lines += [f"  {kind}:", f"    {_line('path', place)}"]
    reasons = proposal.form_reasons
    return lines + [
        f"    {_line(key, value, reasons.get(key, ''))}" for key, value in changed.items()
    ]


def _changed(form: CsvFormat) -> dict[str, Any]:
    """The fields of a format that are not the usual ones."""
    usual = CsvFormat()
    given = form.model_dump(mode="json")
    return {k: v for k, v in given.items() if getattr(form, k) != getattr(usual, k)}


def _problem(problem: ProposedProblem) -> list[str]:
    keys, time = problem.keys, problem.time
    named: Any = list(keys.value) or BY_ROW_HASH
    lines = [_line("keys", named, keys.reason)]
    if time.column.value:
        lines.append(_line("event_time", time.column.value, time.column.reason))
        lines.append(_line("time_zone", time.zone.value, time.zone.reason))
    else:
        lines.append(comment(f"no event_time: {time.column.reason}"))
    lines.append(_line("target", problem.target))
    if problem.task.positive:
        lines.append(_line("positive", problem.task.positive.value, problem.task.positive.reason))
    lines += [comment(f"look: {note}") for note in problem.task.notes]
    return lines


def _columns(proposal: Proposal) -> list[str]:
    lines = ["columns:"]
    for name, found in proposal.columns.items():
        lines += [f"  {comment(f'look: {note}')}" for note in proposal.notes.get(name, ())]
        lines.append(f"  {_line(name, found.value, found.reason)}")
    left_out = proposal.problem.left_out
    if left_out:
        lines.append(f"  {comment('left out; a line without its # would declare the column:')}")
        lines += [f"  {_left_out(column)}" for column in left_out]
    return lines


def _left_out(column: LeftOut) -> str:
    if not column.declaration:
        return comment(f"{column.name}: {column.why}")
    name = scalar(column.name)
    return comment(f"{name}: {column.declaration}  # {column.why}")


def _model(proposal: Proposal) -> Iterator[str]:
    amounts, split = proposal.amounts, proposal.problem.split.how
    yield _line("validation", amounts.validation.value, amounts.validation.reason)
    yield ""
    yield _line("split", split.value, split.reason)
    yield ""
    estimator = proposal.estimator
    yield "estimator:"
    yield f"  {_line('path', estimator.value['path'], estimator.reason)}"
    yield f"  {_line('parameters', estimator.value['parameters'])}"
    yield "  search:  # of -P tune=N trials"
    for key, value in estimator.value["search"].items():
        yield f"    {_line(key, value)}"
    yield ""
    metric = proposal.problem.task.metric
    yield "evaluation:"
    yield f"  {_line('metric', metric.value, metric.reason)}"
    if proposal.slices:
        yield f"  {_line('slices', list(proposal.slices), 'few categories; likely')}"


def _gates(proposal: Proposal) -> Iterator[str]:
    metric = proposal.problem.task.metric.value
    limit = "maximum" if metric in LOSSES else "minimum"
    yield "gates:"
    yield "  # No limit is set: whether the lower bound beats the baseline decides. Where you"
    yield f"  # know what is good enough, it stands here: {limit}: {{{metric}: …}}"
    yield from _members(proposal.amounts.gates.value, proposal.amounts.gates.reason)


def _operation(proposal: Proposal) -> Iterator[str]:
    amounts = proposal.amounts
    yield "monitoring:"
    yield from _members(amounts.monitoring.value, amounts.monitoring.reason)
    yield ""
    yield _line("retraining", amounts.retraining.value, amounts.retraining.reason)


def _members(values: Mapping[str, Any], why: str) -> Iterator[str]:
    for at, (key, value) in enumerate(values.items()):
        yield f"  {_line(key, value, '' if at else why)}"
