"""What a worker imports decides how fast it starts and how much memory it takes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import PROJECT

HEAVY = {
    "evidently",
    "great_expectations",
    "jinja2",
    "mlflow",
    "onnx",
    "pandas",
    "pyarrow",
    "sklearn",
    "treelite",
}
LOADED = """
import sys
from pathlib import Path
from serving.scoring.version import check_golden, load_version
served = load_version(Path(sys.argv[1]), "penguins", "1")
check_golden(served)
served.scorer.score(served.golden.columns)
print(*{name.partition(".")[0] for name in sys.modules})
"""


def modules(*arguments: str) -> set[str]:
    """Top-level modules that a fresh process has loaded in the end."""
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_loading_and_answering_imports_nothing_heavy(package: Path) -> None:
    found = modules(LOADED, str(package))
    assert "onnxruntime" in found
    assert found & HEAVY == set()


@pytest.mark.parametrize(
    "module", ["serving.worker", "serving.http.app", "serving.scoring.champion"]
)
def test_a_worker_s_modules_import_nothing_heavy(module: str) -> None:
    found = modules(f'import sys, {module}; print(*{{n.partition(".")[0] for n in sys.modules}})')
    assert found & HEAVY == set()
