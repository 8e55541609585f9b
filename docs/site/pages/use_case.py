"""The reference of a use case's file: each key with type, default, meaning and an example."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import yaml

from docs.site.markdown import code, table
from docs.site.pages.examples import EXAMPLES
from docs.site.places import PROJECT
from docs.site.schema import json_schema

HEAD = """# The file of a use case

One YAML file declares a prediction problem. Every key that it may hold stands below, with what
holds where it is left out. An unknown key is an error that names the nearest right one. Editors
complete and check the file by [its JSON schema](../../use_cases/use-case.schema.json) where the
first line names it, as the shipped files do:

```yaml
# yaml-language-server: $schema=use-case.schema.json
```

Start from [penguins.yaml](../../use_cases/penguins.yaml), let [check](../check.md) say what is
wrong, and read [your own table](../own-table.md) for the way from a file to a model.

"""
Schema = dict[str, Any]
LONGEST = 60  # characters of an example
SECTIONS = {"section", "list of section", "by name: section"}  # their keys have examples


def page() -> str:
    """The whole page: the top of the file, then a part for each section."""
    schema = json_schema()
    parts = [HEAD, "## The file\n\n", _table(schema, schema, "")]
    for path, title, section in sections(schema):
        said = section.get("description", "").split("\n\n")
        parts.append(f"## {title}\n\n{' '.join(said[0].split())}\n\n")
        parts += [f"{' '.join(more.split())}\n\n" for more in said[1:2]]
        parts.append(_table(schema, section, f"{path}."))
    return "".join(parts)


def sections(schema: Schema) -> Iterator[tuple[str, str, Schema]]:
    """Every section below the file: its path, its title, its schema."""
    yield from _below(schema, schema, "")


def _below(schema: Schema, section: Schema, path: str) -> Iterator[tuple[str, str, Schema]]:
    for key, value in section["properties"].items():
        for found in _referred(schema, value):
            place = f"{path}{key}{_through(value)}"
            yield place, _title(place, found), found
            yield from _below(schema, found, f"{place}.")


def _definition(schema: Schema, value: Schema) -> Schema:
    found: Schema = schema["$defs"][value["$ref"].rpartition("/")[2]]
    return found


def _referred(schema: Schema, value: Schema) -> Iterator[Schema]:
    """The sections that a key holds, directly, in a list, by name, or one of several."""
    if "$ref" in value and "properties" in (found := _definition(schema, value)):
        yield found
    for inner in (*value.get("anyOf", ()), *value.get("oneOf", ())):
        yield from _referred(schema, inner)
    for inner in (value.get("items"), value.get("additionalProperties")):
        if isinstance(inner, dict):
            yield from _referred(schema, inner)


def _through(value: Schema) -> str:
    if "additionalProperties" in value:
        return ".<name>"
    return "[]" if value.get("type") == "array" else ""


def _title(place: str, section: Schema) -> str:
    by = section["properties"].get("by", {}).get("const")
    return f"`{place}`, by {by}" if by else f"`{place}`"


def _table(schema: Schema, section: Schema, path: str) -> str:
    required = set(section.get("required", ()))
    rows = [
        (
            code(key),
            _meaning(schema, value),
            words(schema, value),
            "needed" if key in required else _default(value),
            "" if words(schema, value) in SECTIONS else code(example_of(f"{path}{key}")),
        )
        for key, value in section["properties"].items()
    ]
    return table(("key", "meaning", "type", "default", "example"), rows)


def _meaning(schema: Schema, value: Schema) -> str:
    """What stands under the key; pydantic leaves it out where the section says the same."""
    below = _definition(schema, value).get("description", "") if "$ref" in value else ""
    return str(value.get("description", below))


def words(schema: Schema, value: Schema) -> str:
    """A type in words: `one of ...`, `number above 0`, `list of text`."""
    if "$ref" in value:
        return "section" if "properties" in _definition(schema, value) else "any value"
    if "const" in value:
        return code(value["const"])
    if "enum" in value:
        return "one of " + ", ".join(map(code, value["enum"]))
    if parts := value.get("anyOf") or value.get("oneOf"):
        said = [words(schema, part) for part in parts if part.get("type") != "null"]
        return " or ".join(dict.fromkeys(said))
    if value.get("type") == "array":
        return f"list of {words(schema, value['items'])}"
    if inner := value.get("additionalProperties"):
        return "by name" + ("" if inner is True else f": {words(schema, inner)}")
    kinds = {"string": "text", "boolean": "yes or no", "integer": "whole number"}
    kind = str(value.get("type", ""))
    if value.get("format") == "date":
        return "day"
    return " ".join(filter(None, (kinds.get(kind, kind), _bounds(value))))


def _bounds(value: Schema) -> str:
    signs = {
        "minimum": "from",
        "exclusiveMinimum": "above",
        "maximum": "to",
        "exclusiveMaximum": "below",
    }
    return ", ".join(f"{word} {value[name]:,g}" for name, word in signs.items() if name in value)


def _default(value: Schema) -> str:
    default = value.get("default")
    if default is None:
        return ""
    if default in ([], {}, ""):
        return "none"
    if isinstance(default, dict):
        return "as below"
    return code(_yaml(default))


def _yaml(value: object) -> str:
    """A value as it may stand on one line of a YAML file."""
    said = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return said.removesuffix("\n...\n").strip()


def example_of(path: str) -> str:
    """A value that a shipped use case gives, else the one of `EXAMPLES`; "" where neither does."""
    said = [found for declared in shipped() for found in _at(declared, path.split("."))]
    short = [_yaml(found) for found in said if len(_yaml(found)) <= LONGEST]
    if short:
        return short[0]
    if path in EXAMPLES:
        return _yaml(EXAMPLES[path])
    same = path.removeprefix("batch.")  # its source is declared as the other one is
    return example_of(same) if same.startswith("source.") and same != path else ""


@cache
def shipped() -> tuple[Mapping[str, Any], ...]:
    """The use cases of the repository as their files say them, the default one first."""
    files = (PROJECT / "use_cases").glob("*.yaml")
    ordered = sorted(files, key=lambda path: path.name != "flights.yaml")
    return tuple(yaml.safe_load(path.read_text(encoding="utf-8")) for path in ordered)


def _at(value: Any, path: list[str]) -> Iterator[Any]:
    """What stands at a path; `<name>` and `[]` stand for whatever is there."""
    if not path:
        yield value
        return
    key, rest = path[0], path[1:]
    if key == "<name>":
        for inner in value.values() if isinstance(value, dict) else ():
            yield from _at(inner, rest)
    elif key.endswith("[]") and isinstance(value, dict):
        for inner in value.get(key.removesuffix("[]")) or ():
            yield from _at(inner, rest)
    elif isinstance(value, dict) and key in value:
        yield from _at(value[key], rest)
