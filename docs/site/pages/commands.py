"""The reference of commands: each with its options, as its `--help` says them."""

import re
from importlib import import_module

import typer

from docs.site.markdown import code, table
from docs.site.places import PROJECT
from pipelines.__main__ import CYCLES, module_of

HEAD = """# Commands

`fourcycle <command>` works from any folder, `python -m <module>` from the project's; both are the
same function. `mlflow run . --env-manager local -e <command> -P option=value` runs the same as an
entry point, where a dash in a name becomes an underscore. Every option takes a value, and an empty
one counts as not given. What a command answers with stands in [exit codes](exit-codes.md).

"""
# What a person can start that `fourcycle` does not list.
BESIDE = ("serving.shipper", "serving.keys", "monitoring.alerts.__main__")


def page() -> str:
    """The whole page: make's targets, then the commands by the four cycles."""
    parts = [HEAD, "## make\n\n", table(("target", "does"), targets())]
    for cycle, names in CYCLES.items():
        parts.append(f"## {cycle}\n\n")
        parts += [_command(name, module_of(name)) for name in names]
    parts.append("## Beside them\n\n")
    parts += [_command("", module) for module in BESIDE]
    return "".join(parts)


def targets() -> list[tuple[str, str]]:
    """Each target of the Makefile with what it says of itself."""
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    found = re.findall(r"^([a-z-]+):.*## (\S.*)$", makefile, re.MULTILINE)
    return [(code(f"make {name}"), said) for name, said in found]


def _command(name: str, module: str) -> str:
    typed = f"python -m {module.removesuffix('.__main__')}"
    title = f"`fourcycle {name}`" if name else f"`{typed}`"
    main = import_module(module).main
    app = typer.Typer(add_completion=False)
    app.command()(main)
    options = [
        (code(option.opts[0]), getattr(option, "help", "") or "", code(option.default))
        for option in typer.main.get_command(app).params
    ]
    first, *more = (main.__doc__ or "").split("\n\n")
    sentence = first.partition(": ")[2] or first
    said = " ".join(sentence.split())
    below = "".join(f"{' '.join(part.split())}\n\n" for part in more)
    as_module = f"As a module: `{typed}`.\n\n" if name else ""
    shown = table(("option", "meaning", "default"), options) if options else ""
    return f"### {title}\n\n{said[:1].upper()}{said[1:]}\n\n{below}{as_module}{shown}"
