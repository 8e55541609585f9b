"""The JSON schema of a use case's file, by which editors complete and check what is typed."""

import json
from typing import Any

from contract.use_case.model import UseCase
from docs.site.places import PROJECT

FILE = PROJECT / "use_cases" / "use-case.schema.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """What pydantic says of the model, and what the model's validators take beside it."""
    schema = UseCase.model_json_schema(by_alias=True)
    source, csv = schema["$defs"]["Source"], {"$ref": "#/$defs/Csv"}
    for place in (source, schema["$defs"]["BatchSource"]):
        del place["properties"]["folder"]  # set when the file is read
        place["properties"]["csv"]["anyOf"] = [{"type": "string"}, csv, {"type": "null"}]
    schema["title"] = "Use case of Fourcycle"
    return {"$schema": DIALECT, **schema}


def text() -> str:
    """The file's text."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"
