"""Init: propose a use case from a table and the name of what is to be predicted.

Every line has its reason; what rows can't tell is asked: on a terminal at once, else in the file.
"""

import os
import re
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from contract.errors import BadInput
from contract.hints import typed
from contract.use_case.loader import load_use_case, nearest
from contract.use_case.model import BY_ROW_HASH
from pipelines.check import check, say_warnings
from pipelines.proposing.document import document
from pipelines.proposing.proposal import Proposal
from pipelines.proposing.propose import propose
from pipelines.proposing.question import NAMES, Ask, Question, read_answers, unanswered
from pipelines.proposing.writing.kind import kind_of
from pipelines.proposing.writing.texts import read_raw
from pipelines.runtime import cli
from pipelines.runtime.console import console, count, summary
from pipelines.sources.files import S3

DataArgument = Annotated[
    str, typer.Argument(help="The table: a CSV, Parquet or JSON file, a folder or glob, or s3://…")
]
DataOption = Annotated[str, typer.Option("--data", help="The same, as an option.")]
TargetOption = Annotated[str, typer.Option(help="The column that is to be predicted.")]
NameOption = Annotated[str, typer.Option(help="Name of the use case; empty: the file's.")]
ZoneOption = Annotated[
    str, typer.Option(help="Clock of times without an offset, e.g. Europe/Berlin.")
]
OutputOption = Annotated[
    str, typer.Option(help="The YAML file to write; empty: use_cases/<name>.yaml.")
]
OverwriteOption = Annotated[str, typer.Option(help="yes: replace a file that is there.")]
AnswersOption = Annotated[
    str, typer.Option(help="Answers to what is asked: 'task=regression; time_zone=UTC'.")
]


def name_of(address: str) -> str:
    """The stem of a file's or folder's name as the name of a use case."""
    stem = Path(address.rstrip("/")).name.partition(".")[0] or Path(address).parent.name
    name = re.sub(r"[^a-z0-9_]+", "-", stem.lower()).strip("-")
    name = name if re.match(r"[a-z]", name) else f"table-{name}".rstrip("-")
    return name[:63]


def from_folder(address: str, folder: Path) -> str:
    """An address as a file in the folder names it."""
    if address.startswith(S3):
        return address
    return os.path.relpath(Path(address).expanduser().absolute(), folder.resolve())


def ask_person(question: Question) -> str:
    """Ask on the terminal until the answer is one; Enter takes what was assumed."""
    console().print(f"\n{escape(question.text)}", soft_wrap=True)
    while True:
        answer = str(typer.prompt(_choices(question), default=question.assumed, err=True)).strip()
        answer = _chosen(answer, question)
        if question.choices and answer not in question.choices:
            console().print(f"  one of {', '.join(question.choices)}, or its number", markup=False)
        elif why := question.wrong(answer):
            console().print(f"  {why}", markup=False)
        else:
            return answer


def _choices(question: Question) -> str:
    return ", ".join(f"{n} {c}" for n, c in enumerate(question.choices, 1)) or question.name


def _chosen(answer: str, question: Question) -> str:
    """A choice may be named by its number, too."""
    if answer in question.choices or not answer.isdigit():
        return answer
    at = int(answer) - 1
    return question.choices[at] if 0 <= at < len(question.choices) else answer


def _terminal() -> Ask:
    return ask_person if sys.stdin.isatty() and console().is_terminal else None


def _written(target: Path, text: str) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"output: {target} can't be written: {error.strerror}.") from None


def _given(answers: str, time_zone: str) -> dict[str, str]:
    given = read_answers(answers) | ({"time_zone": time_zone} if time_zone else {})
    for name in given:
        if name not in NAMES:
            raise BadInput(f"answers: no question is called {name!r}; {nearest(name, list(NAMES))}")
    return given


def _tell(proposal: Proposal, path: Path, data: str) -> None:
    """What to look at, a line each."""
    problem = proposal.problem
    moment = problem.time.column.value
    parts = [f"{part} of {name}" for name, found in problem.parts.items() for part in found]
    others = len(problem.features) + len(problem.left_out)
    seen = [f"{len(problem.features)} of {others}"] if others else []
    facts = {
        "rows": count(proposal.rows),
        "task": f"{problem.task.task.value} of {problem.target}, by {problem.task.metric.value}",
        "keys": ", ".join(problem.keys.value) or BY_ROW_HASH,
        "event time": moment or "none",
        "split": str(problem.split.how.value["by"]),
        "features": ", ".join([*seen, *parts]),
        "file": str(path),
    }
    summary(f"Proposed from {data}", facts, {})
    looks = [f"{name}: {note}" for name, notes in proposal.notes.items() for note in notes]
    looks += list(problem.task.notes)
    looks += [f"{left.name} is left out: {left.why}" for left in problem.left_out]
    for sentence in looks:
        console().print(f"  look: {sentence}", markup=False, soft_wrap=True)


def main(
    data: DataArgument = "",
    target: TargetOption = "",
    name: NameOption = "",
    time_zone: ZoneOption = "",
    output: OutputOption = "",
    overwrite: OverwriteOption = "",
    answers: AnswersOption = "",
    data_option: DataOption = "",
) -> None:
    """Init: propose a use case from a table: fourcycle init sales.csv --target sold."""
    address = data or data_option
    if not address or not target:
        raise BadInput(
            "init: a table and its target are needed: fourcycle init sales.csv --target sold"
        )
    name = name or name_of(address)
    path = Path(output or Path("use_cases") / f"{name}.yaml").expanduser()
    if path.exists() and not cli.flag(overwrite):
        raise BadInput(
            f"{path} is there already; --output names another file, --overwrite yes "
            "replaces this one."
        )
    given, ask = _given(answers, time_zone), _terminal()
    kind, files = kind_of(str(Path(address).expanduser()) if "://" not in address else address)
    console().print(f"  … reading {address}", markup=False)
    raw = read_raw(kind, files, given, ask)
    proposal = propose(raw, target, given, ask)
    left = unanswered(proposal.questions, given)
    place = from_folder(address, path.parent)
    _written(path, document(proposal, name, place, kind, left))
    _tell(proposal, path, address)
    if left:
        load_use_case(str(path.absolute()))  # says what is asked
    use_case = load_use_case(str(path.absolute()))
    say_warnings(check(use_case))
    console().print(f"\nNext: look through {path}, then {typed('main', str(path))}", markup=False)


if __name__ == "__main__":
    cli.run(main)
