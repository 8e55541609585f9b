"""How far the windows that a version has seen lie from its reference: what a season is.

`python -m benchmarks.seasons` after `make train`. Prints Markdown: each column's distance in every
window of the training data and the holdout, and half as much again as the farthest, which is a
limit for `monitoring.effect_limits` where it is above the common one.
"""

from typing import Annotated

import pyarrow as pa
import typer

from contract.errors import BadInput
from contract.settings import read_settings
from contract.use_case.loader import load_use_case
from monitoring.measures.compare import frozen_columns
from monitoring.measures.distance import distance
from monitoring.measures.tally import summarise
from monitoring.windows.versions import read_served
from pipelines.data.after_holdout import within
from pipelines.registry.versions import champion_of
from pipelines.replay import local_day
from pipelines.replaying.timeline import windows
from pipelines.runtime.workspace import connected

SLACK = 1.5


def main(use_case: Annotated[str, typer.Option(help="With event times.")] = "flights") -> None:
    """Print the distances of the windows that the champion has seen."""
    declared = load_use_case(use_case)
    workspace = connected(declared, read_settings(), "training")
    champion = champion_of(workspace)
    if champion is None:
        raise BadInput(f"{use_case} has no version in Production; make train comes first.")
    served = read_served(workspace.client, declared, champion.version)
    if served.reference is None:
        raise BadInput(f"Version {champion.version} has no reference that can be read.")
    frozen = frozen_columns(served.reference, declared)
    seen = pa.concat_tables(
        workspace.tables.read(name, int(champion.tags[f"{name}_version"]))
        for name in ("training", "holdout")
    )
    first, last = local_day(seen, declared, "min"), local_day(seen, declared, "max")
    months = {
        str(window.start): within(seen, window, declared)
        for window in windows(first, last, declared.monitoring)
    }
    print("| column |", " | ".join(months), "| half as much again |")
    print("|---|" + "---|" * (len(months) + 1))
    for name, reference in frozen.features.items():
        found = [
            distance(
                reference.counts,
                summarise(reference.cells, rows.column(name).combine_chunks()).counts,
            ).effect
            for rows in months.values()
        ]
        limit = min(SLACK * max(found), 1)
        cells = [*(f"{effect:.2f}" for effect in found), f"{limit:.2f}"]
        print(f"| {name} |", " | ".join(cells), "|")


if __name__ == "__main__":
    typer.run(main)
