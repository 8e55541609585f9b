"""Check: say all that is wrong with a use case before any work, in seconds.

What can be known from the file and the first rows of the source: names, estimator, target, columns.
Whether rows are good enough is for validation to decide, whether a model is for the gate.
"""

import json
from dataclasses import asdict, dataclass

from contract.errors import BadInput, FourcycleError, Refused, Unavailable
from contract.settings import read_settings
from contract.use_case.loader import load_use_case
from contract.use_case.model import UseCase
from pipelines.data.delivery import tell_refused
from pipelines.proposing.checking import source_columns
from pipelines.proposing.checking.finding import CheckFinding, error, warning
from pipelines.proposing.checking.registry import check_file, check_rows, stop_at_errors
from pipelines.runtime import cli
from pipelines.runtime.console import console, count
from pipelines.sources.first_rows import FirstRows, first_rows, reads_whole

FIRST_ROWS = 10_000
UNREADABLE = "The source can't be read as declared; the log of the job says why."


@dataclass(frozen=True)
class Checked:
    """What was found, and how many rows were looked at."""

    use_case: str
    rows: int
    findings: tuple[CheckFinding, ...]
    refused: tuple[str, ...] = ()  # why the first rows can't be taken in; no value of a row

    def of(self, severity: str) -> list[str]:
        """The sentences of one severity."""
        return [f.sentence for f in self.findings if f.severity == severity]


def check(use_case: UseCase, read_whole: bool = True) -> Checked:
    """Every finding at once. A source that can only be read whole is left out unless asked for."""
    findings = check_file(use_case)
    if not read_whole and reads_whole(use_case):
        return Checked(use_case.name, 0, findings)
    first, said = _first_rows(use_case)
    findings += said
    if first is None:
        unreadable = any(finding.severity == "error" for finding in said)
        return Checked(use_case.name, 0, findings, (UNREADABLE,) if unreadable else ())
    refused = tuple(finding.sentence for finding in source_columns.check(use_case, first))
    findings += check_rows(use_case, first)
    return Checked(use_case.name, first.table.num_rows, findings, refused)


def check_first(use_case: UseCase, root: str) -> None:
    """The check before a pipeline, which reads a loader's rows itself in its first step.

    BadInput or Unavailable where the pipeline could not end well; warnings are said. Where it is
    the source that is not as declared, people hear of it as of any delivery that is refused.
    """
    done = check(use_case, read_whole=False)
    if done.refused:
        tell_refused(use_case, read_settings(root), done.refused)
    stop_at_errors(use_case.name, done.findings)
    say_warnings(done)


def say_warnings(done: Checked) -> None:
    """What a person should look at, a line each."""
    for sentence in done.of("warning"):
        console().print(f"  warning: {sentence}", markup=False, style="yellow", soft_wrap=True)
    for sentence in done.of("note"):
        console().print(f"  {sentence}", markup=False, soft_wrap=True)


def _first_rows(use_case: UseCase) -> tuple[FirstRows | None, tuple[CheckFinding, ...]]:
    try:
        first = first_rows(use_case, FIRST_ROWS)
    except (BadInput, Refused) as problem:
        return None, (error(str(problem).rstrip(".")),)
    except Unavailable as problem:
        return None, (CheckFinding("away", str(problem).rstrip(".")),)
    note = CheckFinding("note", f"the {use_case.source.kind} source was read whole to see its rows")
    return first, (note,) if first.read_whole else ()


def _settings(root: str) -> tuple[CheckFinding, ...]:
    """Whether the settings can be used, and MLflow answers; it is not waited for."""
    try:
        settings = read_settings(root)
    except BadInput as problem:
        return (error(str(problem).rstrip(".")),)
    from tracking.store import look

    try:
        look(settings)
    except FourcycleError as problem:
        wait_s = settings.store_wait_s
        return (warning(f"{str(problem).rstrip('.')}; jobs wait for it up to {wait_s:g} s"),)
    return ()


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    as_json: cli.JsonOption = "",
) -> None:
    """Check: say at once all that is wrong with a use case, before any work."""
    declared = load_use_case(use_case)
    done = check(declared)
    done = Checked(done.use_case, done.rows, done.findings + _settings(root))
    if cli.flag(as_json):
        print(json.dumps(asdict(done), indent=2))
    else:
        say_warnings(done)
    stop_at_errors(declared.name, done.findings)
    n_warnings = len(done.of("warning"))
    console().print(
        f"{declared.name}: nothing stands in the way; {count(done.rows)} rows looked at, "
        f"{n_warnings or 'no'} warning{'' if n_warnings == 1 else 's'}",
        markup=False,
    )


if __name__ == "__main__":
    cli.run(main)
