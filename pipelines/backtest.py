"""Backtest: what would a version have answered on the traffic that was logged in a window?

By the service's own scorer, without HTTP. Where labels are known it says what both are worth: the
answers that were given, and those that the version would have given.
"""

import json
from collections.abc import Iterator
from typing import Annotated

import mlflow
import pyarrow as pa
import typer

from contract.errors import BadInput
from contract.hints import typed
from contract.markdown import table
from contract.settings import read_settings
from contract.store.predictions import INPUT
from contract.use_case.loader import load_use_case
from pipelines.data.traffic import FromOption, ToOption, Traffic, inputs_sql, read_traffic
from pipelines.model.differences import AnswerDifferences, compare, figures
from pipelines.registry.versions import Version, champion_of
from pipelines.release.loaded_package import load
from pipelines.runtime import cli
from pipelines.runtime.console import count, summary
from pipelines.runtime.step import Done, Result, Step, execute
from pipelines.runtime.workspace import Workspace, connected
from serving.scoring.version import ServedVersion
from tracking.tags import NOTE_TAG, VERSION_TAG, WINDOW_TAG

VersionOption = Annotated[str, typer.Option(help="Version number; empty: the champion.")]
LARGEST_CHANGES = 10


class Backtested(Result):
    """How a version's answers compare with those that were given."""

    version: str
    window: str
    read: dict[str, int]  # table versions
    answered_by: dict[str, int]  # rows of each version that answered
    rows: int
    rows_unanswerable: int  # a feature that the version needs is null in the log
    rows_different: int
    mean_difference: float  # of the prediction, or of the probabilities: mean absolute difference
    changes: dict[str, int]  # "given → would be": rows
    rows_labelled: int
    figures: dict[str, float]  # of the version's answers on labelled rows
    figures_given: dict[str, float]  # of the answers that were given, on the same rows

    def line(self) -> str:
        return (
            f"version {self.version} on {count(self.rows)} rows ({self.window}): "
            f"{count(self.rows_different)} different answers, {count(self.rows_labelled)} labelled"
        )


STEP = Step("backtest", Backtested, cached=False)


def backtest(workspace: Workspace, version: Version, first: str, last: str) -> Done[Backtested]:
    """Score the logged rows of the days [first, last) with a version."""
    given = {"version": version.version, "from": first, "to": last}
    return execute(
        workspace, STEP, lambda: _backtest(workspace, version, first, last), parameters=given
    )


def _backtest(workspace: Workspace, version: Version, first: str, last: str) -> Backtested:
    served = load(workspace, version).served
    traffic = read_traffic(workspace.tables, served.use_case, first, last)
    kept = AnswerDifferences()
    for part in _parts(workspace, traffic, served):
        compare(kept, part, served)
    case, classes = served.use_case, served.scorer.classes
    result = Backtested(
        version=version.version,
        window=traffic.window.title,
        read=traffic.versions,
        answered_by=dict(kept.versions),
        rows=kept.rows,
        rows_unanswerable=kept.unanswerable,
        rows_different=kept.different,
        mean_difference=kept.distance / max(kept.compared, 1),
        changes=dict(kept.changes.most_common(LARGEST_CHANGES)),
        rows_labelled=sum(map(len, kept.labels)),
        figures=figures(case, kept.labels, kept.would_be, classes),
        figures_given=figures(case, kept.labels, kept.given, classes),
    )
    _log(result)
    return result


def _parts(workspace: Workspace, traffic: Traffic, served: ServedVersion) -> Iterator[pa.Table]:
    inputs = inputs_sql(traffic, served.scorer.features, served.use_case, INPUT)
    sql = f"SELECT p.version, p.prediction, p.probability, l.label, {inputs} {traffic.source}"
    return traffic.stream(workspace.tables, sql)


def _log(result: Backtested) -> None:
    mlflow.set_tags({VERSION_TAG: result.version, WINDOW_TAG: result.window})
    numbers = {
        "rows": result.rows,
        "rows_different": result.rows_different,
        "rows_labelled": result.rows_labelled,
        "mean_difference": result.mean_difference,
    }
    mlflow.log_metrics(numbers)
    mlflow.log_metrics({f"window/{name}": value for name, value in result.figures.items()})
    mlflow.log_metrics({f"given/{name}": value for name, value in result.figures_given.items()})
    mlflow.set_tag(NOTE_TAG, _note(result))


def _note(result: Backtested) -> str:
    given = {name: f"{value:.4f}" for name, value in result.figures_given.items()}
    rows = [(name, given.get(name, ""), f"{value:.4f}") for name, value in result.figures.items()]
    return f"{result.line()}\n\n{table(('metric', 'given', 'would be'), rows)}"


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    version: VersionOption = "",
    from_: FromOption = "",
    to: ToOption = "",
    as_json: cli.JsonOption = "",
) -> None:
    """Backtest: what a version would have answered on the logged traffic of a window."""
    workspace = connected(load_use_case(use_case), read_settings(root), "monitoring")
    asked = Version.read(workspace, version) if version else champion_of(workspace)
    if asked is None:
        raise BadInput(f"{workspace.model_name!r} has no champion; name a version.")
    result = backtest(workspace, asked, from_, to).result
    if cli.flag(as_json):
        print(json.dumps(result.model_dump(), indent=2))
    facts = {
        "window": result.window,
        "answered by": ", ".join(f"version {v}: {count(n)}" for v, n in result.answered_by.items()),
        "different answers": f"{count(result.rows_different)} of {count(result.rows)}",
        "mean difference": f"{result.mean_difference:.6g}",
        "labelled": count(result.rows_labelled),
    }
    for name, value in result.figures.items():
        given = result.figures_given.get(name)
        facts[name] = f"{value:.4f}" + ("" if given is None else f", given answers {given:.4f}")
    summary(f"Backtest of version {result.version}", facts, {"compare runs": typed("ui")})


if __name__ == "__main__":
    cli.run(main)
