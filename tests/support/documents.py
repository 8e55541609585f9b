"""The shell blocks of the documents, and the small store in which they run.

Flights are thinned out so that their commands take seconds; everything else is the project's own.
"""

import re
import shlex
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import yaml

from contract.use_case.loader import load_use_case
from contract.use_case.sections.release import Release
from pipelines.data.days import with_windows
from pipelines.data.rehearsal import Rehearsal
from pipelines.main import pipeline
from pipelines.runtime.workspace import open_workspace
from tests.conftest import settle
from tests.support.project import PROJECT
from use_cases.flights import load

ONE_IN = 120  # flights
UNTIL = pd.Timestamp("2013-09-01", tz="America/New_York")
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def python_block(document: str, word: str) -> str:
    """The only block of Python in a document that holds a word."""
    text = (PROJECT / document).read_text(encoding="utf-8")
    (found,) = (block for block in PYTHON.findall(text) if word in block)
    return str(found)


@dataclass(frozen=True)
class Block:
    """A shell block of a document, as its commands."""

    document: str
    commands: tuple[str, ...]

    @property
    def key(self) -> tuple[str, str]:
        """What the tables know it by: the document, and the first command."""
        return self.document, self.commands[0]


def shell_blocks() -> list[Block]:
    """Every shell block but the README's, in the order of each document."""
    guides = sorted((PROJECT / "docs").rglob("*.md"))
    return [
        Block(str(path.relative_to(PROJECT)), tuple(commands(found)))
        for path in (PROJECT / "CONTRIBUTING.md", *guides)
        for found in re.findall(r"^```sh\n(.*?)^```", path.read_text("utf-8"), re.M | re.S)
    ]


def commands(block: str) -> Iterator[str]:
    """The commands of a block without their comments; one goes on while a quote is open."""
    command = ""
    for line in block.splitlines():
        command += line
        try:
            words = shlex.split(command, comments=True)
        except ValueError:  # an open quote, or a backslash at the end
            command += "\n"
            continue
        if words:
            yield re.sub(r"(^|\s+)# .*$", "", command)
        command = ""


def thin_out(folder: Path) -> pd.DataFrame:
    """Let the use case flights of a copy read few flights and ask little of a version; the rows."""
    rows = load().iloc[::ONE_IN]
    rows = rows[rows["scheduled_departure"] < UNTIL]
    rows.to_parquet(folder / "use_cases" / "flights.parquet", index=False)
    file = folder / "use_cases" / "flights.yaml"
    declared = yaml.safe_load(file.read_text(encoding="utf-8"))
    declared["source"] = {"parquet": "flights.parquet"}
    declared["estimator"]["parameters"] |= {"max_iter": 20}
    declared["gates"] = {"minimum": {"roc_auc": 0.5}, "margin": 0.5, "slice_margin": 1}
    declared["evaluation"] |= {"resamples": 100}
    declared["monitoring"] |= {"min_rows": 100}
    declared["retraining"] = {"min_labels": 100}
    file.write_text(yaml.safe_dump(declared, sort_keys=False), encoding="utf-8")
    return rows


def train(folder: Path, live: int) -> None:
    """Versions that reach Production one after the other, then one that waits for approval."""
    with pytest.MonkeyPatch.context() as patch:
        settle(folder, patch)
        declared = load_use_case("use_cases/flights.yaml")
        manual = declared.model_copy(update={"release": Release(approval="manual")})
        for month, use_case in enumerate((*[declared] * live, manual), start=1):
            with open_workspace(with_windows(use_case, f"2013-{month:02}-01", "", "")) as opened:
                pipeline(opened, Rehearsal(), tune=0)


def keep_labels(folder: Path, rows: pd.DataFrame) -> None:
    """What another system knows of July: the files and the database that commands name."""
    known = rows.loc[rows["late"].notna(), ["flight_id", "scheduled_departure", "late"]]
    july = known[known["scheduled_departure"] >= "2013-07-01"][["flight_id", "late"]]
    july.to_csv(folder / "labels.csv", index=False)
    july.to_parquet(folder / "labels.parquet", index=False)
    with sqlite3.connect(folder / "ops.db") as database:
        july.to_sql("arrivals", database, index=False)
    database.close()
