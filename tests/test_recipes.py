"""The recipes of docs/adding.md, followed in a copy of the project: a new file with its test, the
lines that the recipe names, and nothing else."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.project import PROJECT

FOLDERS = (
    "benchmarks",
    "contract",
    "docs",
    "monitoring",
    "pipelines",
    "serving",
    "tests",
    "tracking",
    "use_cases",
)
FILES = ("MLproject", "conda.yaml", "pyproject.toml", "requirements.lock", "Makefile")


@dataclass(frozen=True)
class Recipe:
    """The name of the new file, its room, and what is entered elsewhere: file, after what, what."""

    name: str
    room: str
    lines: tuple[tuple[str, str, str], ...]
    taken: tuple[tuple[str, str, str], ...] = ()  # file, where, what is taken out there


CHANNELS, DISTANCES = "monitoring/alerts/channels", "monitoring/measures/distances"
ENCODERS, ESTIMATORS = "pipelines/compiler/encoders", "pipelines/compiler/estimators"
FAMILIES, ARCHITECTURE = "pipelines/model/families.py", "docs/architecture.md"
PROTOCOLS, SOURCES = "serving/protocols", "pipelines/sources"
ENGINES = "pipelines/scoring/engines"
RECIPES = {
    "step": Recipe(
        "explain",
        "pipelines",
        (
            (
                "MLproject",
                "\nentry_points:\n",
                "  explain:\n"
                "    parameters:\n"
                "      use_case: {type: string, default: flights}\n"
                '      root: {type: string, default: ""}\n'
                '      evaluate: {type: string, default: ""}\n'
                "    command: >-\n"
                "      python -m pipelines.explain --use-case {use_case} --root {root}\n"
                "      --evaluate {evaluate}\n\n",
            ),
            ("pipelines/__main__.py", '"evaluate", ', '"explain", '),
        ),
    ),
    "source": Recipe(
        "arrow_file",
        SOURCES,
        (
            (f"{SOURCES}/registry.py", "from pipelines.sources import ", "arrow_file, "),
            (
                f"{SOURCES}/registry.py",
                '    "delta": delta.read,\n',
                '    "arrow": arrow_file.read,\n',
            ),
            (
                "contract/use_case/sections/source.py",
                '    "delta": "delta",\n',
                '    "arrow": "arrow",\n',
            ),
            (
                "contract/use_case/sections/source.py",
                '    """A Delta table."""\n',
                '    arrow: str | None = None\n    """A file in Arrow\'s own format."""\n',
            ),
        ),
    ),
    "protocol": Recipe(
        "one_row",
        PROTOCOLS,
        (
            (f"{PROTOCOLS}/registry.py", "import mlflow, oip, ", "one_row, "),
            (f"{PROTOCOLS}/registry.py", "    oip.PROTOCOL,\n", "    one_row.PROTOCOL,\n"),
        ),
    ),
    "drift statistic": Recipe(
        "total_variation",
        DISTANCES,
        (
            (
                f"{DISTANCES}/registry.py",
                "distances.psi import psi\n",
                "from monitoring.measures.distances.total_variation import total_variation\n",
            ),
            (
                f"{DISTANCES}/registry.py",
                'math.inf, "psi"),\n',
                '    "total_variation": Statistic(total_variation, 0.15, 1.0, "TVD"),\n',
            ),
        ),
    ),
    "alert channel": Recipe(
        "appended",
        CHANNELS,
        (
            (
                "contract/settings.py",
                'description="Who gets them, with commas between")\n',
                '    alert_file: str = Field(default="", description="File that gets them")\n',
            ),
            (
                f"{CHANNELS}/registry.py",
                "from contract.settings import Settings\n",
                "from monitoring.alerts.channels.appended import APPENDED\n",
            ),
            (f"{CHANNELS}/registry.py", '    "mail": MAIL,\n', '    "appended": APPENDED,\n'),
        ),
    ),
    "encoder": Recipe(
        "min_max",
        ENCODERS,
        (
            (f"{ENCODERS}/registry.py", "import imputer, ", "min_max, "),
            (f"{ENCODERS}/registry.py", "    FunctionTransformer,\n", "    MinMaxScaler,\n"),
            (
                f"{ENCODERS}/registry.py",
                "    StandardScaler: scaler.encode,\n",
                "    MinMaxScaler: min_max.encode,\n",
            ),
        ),
    ),
    "estimator": Recipe(
        "partial_least_squares",
        ESTIMATORS,
        (
            (f"{ESTIMATORS}/registry.py", "    linear,\n", "    partial_least_squares,\n"),
            (
                f"{ESTIMATORS}/registry.py",
                "    (linear.knows, linear.build),\n",
                "    (partial_least_squares.knows, partial_least_squares.build),\n",
            ),
            (FAMILIES, '"OrthogonalMatchingPursuitCV", ', '"PLSRegression", '),
        ),
        taken=(
            (FAMILIES, '"PLSRegression", "QuadraticDiscriminantAnalysis"', '"PLSRegression", '),
        ),
    ),
    "engine of batch scoring": Recipe(
        "processes",
        ENGINES,
        (
            (f"{ENGINES}/registry.py", "engines import local, ", "processes, "),
            (
                f"{ENGINES}/registry.py",
                '{"local": local.engine, ',
                '"processes": processes.engine, ',
            ),
        ),
    ),
}


def follow(recipe: Recipe, copy: Path) -> None:
    """Do in a copy of the project what the recipe says."""
    shutil.copy(PROJECT / f"tests/recipes/{recipe.name}.py", copy / recipe.room)
    test = copy / "tests" / recipe.room / f"test_{recipe.name}.py"
    shutil.copy(PROJECT / f"tests/recipes/check_{recipe.name}.py", test)
    for file, where, text in recipe.taken:
        edit(copy / file, where, where.replace(text, "", 1))
    for file, after, line in recipe.lines:
        edit(copy / file, after, after + line)
    (row,) = re.findall(rf"^\| \[`{recipe.room}`\].*", page(copy), re.MULTILINE)
    edit(copy / ARCHITECTURE, row, f"{row.removesuffix(' |')}, `{recipe.name}` |")


def page(copy: Path) -> str:
    """The page that lists the modules of each room."""
    return (copy / ARCHITECTURE).read_text(encoding="utf-8")


def edit(file: Path, old: str, new: str) -> None:
    """Write something else where a text stands once."""
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{file.name}: {old!r}"
    file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[str]]]:
    """What each test of a new file came to, by the file's name."""
    copy = tmp_path_factory.mktemp("copy") / "project"
    for folder in FOLDERS:
        shutil.copytree(
            PROJECT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    for file in FILES:
        shutil.copy(PROJECT / file, copy)
    for recipe in RECIPES.values():
        follow(recipe, copy)
    tests = [f"tests/{recipe.room}/test_{recipe.name}.py" for recipe in RECIPES.values()]
    command = (
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--junitxml=said.xml",
    )
    more = ("tests/test_architecture.py", f"--basetemp={copy}.tests")
    done = subprocess.run(
        (*command, *more, *tests), cwd=copy, capture_output=True, text=True, check=False
    )
    found: dict[str, list[str]] = {}
    for case in ElementTree.parse(copy / "said.xml").iter("testcase"):
        came = "; ".join(str(wrong.get("message")) for wrong in case)
        found.setdefault(str(case.get("classname")).rpartition(".test_")[2], []).append(came)
    assert found, done.stdout
    yield found


@pytest.mark.parametrize("kind", RECIPES)
def test_a_new_kind_is_one_file_and_the_lines_of_its_recipe(
    kind: str, results: dict[str, list[str]]
) -> None:
    assert set(results[RECIPES[kind].name]) == {""}


def test_the_house_is_in_order_with_all_of_them(results: dict[str, list[str]]) -> None:
    assert set(results["architecture"]) == {""}
