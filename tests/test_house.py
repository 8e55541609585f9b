"""The house stays in order: facts that stand in two places agree. Layers: test_architecture."""

import ast
import re
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from mlflow.projects._project_spec import EntryPoint, load_project
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from pipelines.__main__ import CYCLES, module_of
from pipelines.runtime.code_hash import PROJECT

PACKAGES = {"contract", "monitoring", "pipelines", "serving", "tracking", "use_cases"}
NOT_FOR_CONTRACT = {
    "evidently",
    "fastapi",
    "great_expectations",
    "mlflow",
    "sklearn",
    "starlette",
    "uvicorn",
}
ENTRY_POINTS: dict[str, EntryPoint] = load_project(str(PROJECT))._entry_points
SOURCES = sorted(path for room in PACKAGES for path in (PROJECT / room).rglob("*.py"))


def text(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


def pyproject() -> dict[str, Any]:
    return tomllib.loads(text("pyproject.toml"))


def relative(path: Path) -> str:
    return str(path.relative_to(PROJECT))


# Entry points


def options(module: str) -> dict[str, str]:
    """Options of a module's `main` with their defaults, under the names MLproject gives them.

    `--json` is for programs that call the module; a project run prints for nobody.
    """
    app = typer.Typer(add_completion=False)
    app.command()(import_module(module).main)
    found = {p.opts[0].removeprefix("--"): p.default for p in typer.main.get_command(app).params}
    return {name.replace("-", "_"): str(d) for name, d in found.items() if name != "json"}


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_an_entry_point_is_its_module_s_main(name: str) -> None:
    parameters = {key: p.default for key, p in ENTRY_POINTS[name].parameters.items()}
    assert parameters == options(module_of(name))


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_an_entry_point_passes_every_parameter_under_its_own_name(name: str) -> None:
    entry_point = ENTRY_POINTS[name]
    passed = [f"--{p.replace('_', '-')} {{{p}}}" for p in entry_point.parameters]
    module = module_of(name).removesuffix(".__main__")
    assert entry_point.command == f"python -m {module} {' '.join(passed)}"
    assert {p.type for p in entry_point.parameters.values()} == {"string"}


def test_fourcycle_lists_every_entry_point_once() -> None:
    listed = [name.replace("-", "_") for names in CYCLES.values() for name in names]
    assert sorted(listed) == sorted({*ENTRY_POINTS, "turn", "ui"})
    assert pyproject()["project"]["scripts"] == {"fourcycle": "pipelines.__main__:main"}


@pytest.mark.parametrize("name", [name for names in CYCLES.values() for name in names])
def test_a_command_says_what_it_does_after_its_name(name: str) -> None:
    spec = find_spec(module_of(name))
    assert spec and spec.origin
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    (main,) = (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "main")
    assert (ast.get_docstring(main) or "").startswith(f"{name.replace('-', ' ').capitalize()}: ")


# The environment: pyproject.toml, conda.yaml and the lock


def locked() -> dict[str, str]:
    """Versions in the lock; a package may stand there once for each kind of machine."""
    return dict(re.findall(r"^([\w.-]+)==([\w.!+]+)", text("requirements.lock"), re.MULTILINE))


def declared() -> list[Requirement]:
    project = pyproject()["project"]
    extras = {n: e for n, e in project["optional-dependencies"].items() if n != "scale"}
    groups = [project["dependencies"], *extras.values()]
    found = [Requirement(line) for group in groups for line in group]
    return [requirement for requirement in found if requirement.name != project["name"]]


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_the_lock_satisfies_every_dependency(requirement: Requirement) -> None:
    versions = {canonicalize_name(name): version for name, version in locked().items()}
    version = versions.get(canonicalize_name(requirement.name))
    assert version is not None
    assert requirement.specifier.contains(version, prereleases=True)


def test_what_runs_on_many_machines_has_a_lock_that_agrees_with_ours() -> None:
    text_of = text("scripts/tools/scale.lock")
    apart = dict(re.findall(r"^([\w.-]+)==([\w.!+]+)", text_of, re.MULTILINE))
    wanted = map(Requirement, pyproject()["project"]["optional-dependencies"]["scale"])
    missing = [
        w for w in wanted if w.name != "fourcycle" and not w.specifier.contains(apart[w.name])
    ]
    assert missing == []
    ours = locked()
    assert {n: v for n, v in apart.items() if ours.get(n, v) != v} == {}
    assert "ray" not in ours


def test_every_package_of_the_lock_has_hashes_and_no_address() -> None:
    blocks = re.split(r"^(?=[\w.-]+==)", text("requirements.lock"), flags=re.MULTILINE)[1:]
    assert len(blocks) > len(declared())
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []
    assert "://" not in text("requirements.lock")


def test_conda_builds_the_environment_from_the_lock_on_a_supported_python() -> None:
    python, *_, pip = yaml.safe_load(text("conda.yaml"))["dependencies"]
    assert pip == {"pip": ["-r requirements.lock"]}
    name, _, version = python.partition("=")
    assert name == "python"
    assert SpecifierSet(pyproject()["project"]["requires-python"]).contains(version)
    assert pyproject()["tool"]["mypy"]["python_version"] == version


def test_every_image_runs_the_python_of_conda() -> None:
    version = yaml.safe_load(text("conda.yaml"))["dependencies"][0].removeprefix("python=")
    for image in (PROJECT / "docker").glob("*.Dockerfile"):
        bases = re.findall(r"^FROM python:(\d+\.\d+)\.\d+-", text(relative(image)), re.MULTILINE)
        assert set(bases) == {version}, image.name


def test_pyproject_packages_every_room() -> None:
    found = pyproject()["tool"]["setuptools"]["packages"]["find"]["include"]
    assert sorted(found) == [f"{package}*" for package in sorted(PACKAGES)]


# Imports


@pytest.mark.parametrize("path", sorted((PROJECT / "contract").rglob("*.py")), ids=relative)
def test_contract_imports_no_library_of_one_room(path: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module).split(".")[0])
    assert imported & NOT_FOR_CONTRACT == set()


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_lines_end_at_a_line_feed_alone(path: Path) -> None:
    """`splitlines` also cuts at U+2028, U+2029 and U+0085, which any value may hold."""
    assert ".splitlines(" not in path.read_text(encoding="utf-8")


def test_no_folder_shadows_a_package() -> None:
    assert list((PROJECT / "tests").rglob("__init__.py")) == []  # tests/serving is not serving
    assert not (PROJECT / "docker/__init__.py").exists()  # mlflow.projects imports the docker SDK


# Documents


def documents() -> list[Path]:
    guides = (PROJECT / "docs").rglob("*.md")
    return [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted(guides)]


def commands(path: Path) -> list[str]:
    """Lines of the shell blocks of a document, without comments."""
    source = path.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"^```sh\n(.*?)^```", source, re.MULTILINE | re.DOTALL)
    lines = [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def complaint(command: str) -> str:
    """What a command of a document names that is not there; "" when all of it is."""
    if match := re.match(r"(?:\w+=\S+ )*make(?: ([a-z-]+))?", command):
        target = match[1] or "help"
        there = re.search(rf"^{target}:", text("Makefile"), re.MULTILINE)
        return "" if there else f"no make target {target}"
    if command.startswith("mlflow run "):
        named = re.search(r" (?:-e|--entry-point) (\S+)", command)
        entry_point = ENTRY_POINTS.get(named[1] if named else "main")
        if entry_point is None:
            return "no such entry point"
        if "--env-manager" not in command:
            return "no --env-manager: it would look for conda"
        given = re.findall(r" -P '?(\w+)=", command)
        return ", ".join(f"no parameter {p}" for p in given if p not in entry_point.parameters)
    if match := re.search(r"python -m ([\w.]+)", command):
        return "" if find_spec(match[1]) else f"no module {match[1]}"
    return ""


@pytest.mark.parametrize("path", documents(), ids=relative)
def test_commands_of_documents_name_what_exists(path: Path) -> None:
    complaints = {command: complaint(command) for command in commands(path)}
    assert {command: found for command, found in complaints.items() if found} == {}


def test_the_readme_shows_the_two_commands() -> None:
    assert {"make run", "make test"} <= set(commands(PROJECT / "README.md"))


@pytest.mark.parametrize("path", documents(), ids=relative)
def test_links_of_documents_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_decisions_have_numbers_of_their_own() -> None:
    titles = {
        path.name[:4]: path.read_text(encoding="utf-8").splitlines()[0]
        for path in (PROJECT / "docs/decisions").glob("*.md")
    }
    assert len(titles) == len(list((PROJECT / "docs/decisions").iterdir()))
    assert {n: t for n, t in titles.items() if not t.startswith(f"# {int(n)}. ")} == {}


def test_make_help_lists_every_target() -> None:
    makefile = text("Makefile")
    (phony,) = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    explained = re.findall(r"^([a-z-]+):.*## \S", makefile, re.MULTILINE)
    assert sorted(phony.split()) == sorted(explained)
