"""A job that may die: `python answer_batch.py <folder> <source> <target> [root] [engine]`.

It says `begun` before it answers, and then how many rows it logged. No registry: what it needs of
a version is the folder of its package.
"""

import sys
from pathlib import Path

from contract.settings import read_settings
from contract.store.tables import Tables
from contract.use_case.pseudonymisation import Pseudonymiser
from pipelines.scoring.engines.registry import ENGINES
from pipelines.scoring.job import TargetStates, job_id
from pipelines.scoring.places import place_of_rows
from pipelines.scoring.rows import open_rows
from pipelines.scoring.targets import address_of, target_of
from pipelines.scoring.work import BatchJob, finish
from serving.scoring.version import load_version


def main(folder: str, source: str, target: str, root: str = "", engine: str = "local") -> None:
    settings = read_settings(root or str(Path(folder) / "data"))
    package = Path(folder) / "first"
    served = load_version(package, "orders", "1")
    case, tables = served.use_case, Tables(settings.table_root, "orders")
    rows = open_rows(place_of_rows(source, "", case), case, tables, None)
    job = job_id(served.name, served.version, served.digest, f"{rows.title} {rows.version}")
    hidden, to = Pseudonymiser.of(case, ""), target_of(address_of(target), job)
    by = ENGINES[engine]
    batch = BatchJob(job, served, rows, to, tables, hidden, engine=by, package=package)
    print("begun", flush=True)
    done = finish(batch, TargetStates.of(settings, "orders", batch.target.address))
    print(done.logged, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
