"""The reference is what the code says, and every key of a use case's file has its words there."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from deltalake import DeltaTable

from contract.use_case.loader import parse_use_case
from contract.use_case.model import UseCase
from docs.site.pages.examples import EXAMPLES
from docs.site.pages.tables import meaning, schemas
from docs.site.pages.use_case import page, sections
from docs.site.reference import files
from docs.site.schema import json_schema
from pipelines.runtime.workspace import Workspace
from tests.support.project import PROJECT

FILES = sorted([*(PROJECT / "use_cases").glob("*.yaml"), PROJECT / "docs/tour/late.yaml"])
SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_the_committed_reference_is_the_one_of_the_code() -> None:
    stale = [str(path) for path, text in files().items() if path.read_text("utf-8") != text]
    assert stale == [], "make reference writes them anew"


def test_every_key_has_its_meaning_and_an_example() -> None:
    rows = re.findall(r"^\| `(\S+)` \| (.*) \|$", page(), re.MULTILINE)
    cells = [(key, [cell.strip() for cell in re.split(r"(?<!\\)\|", rest)]) for key, rest in rows]
    assert len(cells) > 100
    assert [key for key, (said, *_) in cells if not said] == []
    bare = [key for key, (_, kind, _, example) in cells if not example and "section" not in kind]
    assert bare == [], "docs/site/pages/examples.py needs a line"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_shipped_file_fits_the_schema_that_its_first_line_names(path: Path) -> None:
    text = path.read_text("utf-8")
    (named,) = re.findall(r"\A# yaml-language-server: \$schema=(\S+)$", text, re.MULTILINE)
    assert json.loads((path.parent / named).read_text("utf-8")) == SCHEMA
    assert complaints(yaml.safe_load(text)) == []


def complaints(declared: Any) -> list[str]:
    """What the schema finds wrong; YAML's dates are text to it."""
    plain = json.loads(json.dumps(declared, default=str))
    return [error.message for error in VALIDATOR.iter_errors(plain)]


def test_the_schema_refuses_a_key_that_is_not_there_and_a_value_that_does_not_fit() -> None:
    declared = yaml.safe_load((PROJECT / "use_cases/penguins.yaml").read_text("utf-8"))
    assert complaints(declared | {"evry": "month"}) != []
    assert complaints(declared | {"monitoring": {"every": "hour"}}) != []
    assert complaints(declared | {"source": {"csv": "a.csv"}}) == []
    assert complaints(declared | {"source": {"csv": {"path": "a.csv", "delimiter": ";"}}}) == []


@pytest.mark.parametrize("path", EXAMPLES)
def test_an_example_fits_its_key(path: str) -> None:
    place, _, key = path.rpartition(".")
    found = [section for where, _, section in sections(SCHEMA) if where == place]
    holders = [part for part in (found if place else [SCHEMA]) if key in part["properties"]]
    assert holders != []
    checks = [part["properties"][key] | {"$defs": SCHEMA["$defs"]} for part in holders]
    assert any(jsonschema.Draft202012Validator(check).is_valid(EXAMPLES[path]) for check in checks)


def test_the_use_case_of_your_own_table_loads(tmp_path: Path) -> None:
    text = (PROJECT / "docs/own-table.md").read_text("utf-8")
    (declared,) = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert isinstance(parse_use_case(declared, "returns.yaml", tmp_path), UseCase)


def test_tables_have_the_columns_that_the_reference_shows(answered: Workspace) -> None:
    use_case, tables = answered.use_case, answered.tables
    told = {name: set(schema.names) for name, schema in schemas(use_case).items()}
    there = {name: set(columns_of(tables.open(name))) for name in told if tables.exists(name)}
    assert {"raw", "holdout", "predictions", "ledger"} <= there.keys()
    assert there == {name: told[name] for name in there}
    assert all(
        meaning(name, field, use_case)
        for name, schema in schemas(use_case).items()
        for field in schema
    )


def columns_of(table: DeltaTable) -> list[str]:
    """Names of a table's columns."""
    return [field.name for field in table.schema().fields]
