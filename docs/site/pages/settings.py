"""The reference of settings: each variable with type, default and meaning."""

from typing import Literal, get_args, get_origin

from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo

from contract.settings import Settings
from docs.site.markdown import code, table

HEAD = """# Settings

Settings come from the environment and are read in one place. Every one has a default that works on
one laptop. [.env.example](../../.env.example) lists them all for copying. All that is wrong with
them is said at once when a command starts. How several of them make a team's set-up stands in
[team](../team.md).

"""
KINDS = {str: "text", int: "whole number", float: "number", bool: "yes or no", SecretStr: "secret"}


def page() -> str:
    """The whole page."""
    rows = [
        (code(variable(name, field)), field.description or "", _kind(field), _default(field))
        for name, field in Settings.model_fields.items()
    ]
    return HEAD + table(("variable", "meaning", "type", "default"), rows)


def variable(name: str, field: FieldInfo) -> str:
    """The variable of the environment that a setting is read from."""
    match field.validation_alias:
        case AliasChoices(choices=[first, *_]) | (str() as first):
            return str(first)
    return f"{Settings.model_config['env_prefix']}{name.upper()}"


def _kind(field: FieldInfo) -> str:
    kind = field.annotation
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(code, get_args(kind)))
    return KINDS[kind] if kind in KINDS else str(kind)


def _default(field: FieldInfo) -> str:
    if field.annotation is SecretStr or field.default == "":
        return "empty"
    return code(str(field.default).lower() if isinstance(field.default, bool) else field.default)
