"""Explain: say in one line which column the newest model leans on most."""

from collections.abc import Mapping

import mlflow

from pipelines.evaluate import STEP as EVALUATE
from pipelines.model.results import Evaluated, Measured
from pipelines.runtime import cli
from pipelines.runtime.step import Done, Result, Step, execute, latest_run, load_result
from pipelines.runtime.workspace import Workspace, open_workspace


class Explained(Result):
    """The column without which the model is worst."""

    column: str

    def line(self) -> str:
        return f"it leans on {self.column} most"


STEP = Step("explain", Explained, ("columns", "derived"))


def explain(workspace: Workspace, evaluated: Evaluated) -> Done[Explained]:
    """Find the column in an evaluation."""
    inputs = {"evaluation": evaluated.run_id}
    return execute(workspace, STEP, lambda: _explain(evaluated), inputs)


def _explain(evaluated: Evaluated) -> Explained:
    found = Explained(column=heaviest(evaluated.importance))
    mlflow.set_tag("leans_on", found.column)
    return found


def heaviest(importance: Mapping[str, Measured]) -> str:
    """The column whose shuffling loses most."""
    return max(importance, key=lambda name: importance[name][0])


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    evaluate: cli.RunOption = "",
) -> None:
    """Explain: say which column the newest model leans on most."""
    with open_workspace(use_case, root) as workspace:
        run_id = latest_run(workspace, EVALUATE, evaluate)
        explain(workspace, load_result(workspace, EVALUATE, run_id))


if __name__ == "__main__":
    cli.run(main)
