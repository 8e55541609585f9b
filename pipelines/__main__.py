"""The command `fourcycle`: every step and service by its name, listed by the four cycles.

`fourcycle train --help` is `python -m pipelines.train --help`: the same function with the same
options. A command is imported when it is called, so the list answers at once.
"""

import ast
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import typer

from contract import command
from pipelines.runtime import cli

CYCLES = {
    "All four cycles": ("main", "turn", "status", "ui"),
    "Data cycle": ("init", "check", "ingest", "validate", "split", "datasets"),
    "Model cycle": ("train", "evaluate", "package", "register", "reproduce"),
    "Development cycle": ("gate", "promote", "reject", "rollback", "sign", "history"),
    "Operations cycle": (
        "serve",
        "score",
        "feedback",
        "monitor",
        "retrain",
        "backtest",
        "lineage",
        "training-set",
        "maintain",
        "forget",
        "schedule",
        "replay",
        "backup",
        "restore",
        "relocate",
        "upgrade",
    ),
}
SERVICES = {"serve": "serving.__main__", "monitor": "monitoring.__main__"}
HELP = """Fourcycle: the four cycles of machine learning operations on MLflow.

fourcycle init sales.csv --target sold: write a use case for a table of yours.

fourcycle check --use-case penguins: say what is wrong with it, before any work.

fourcycle main --use-case penguins: from raw data to a gated version.

fourcycle serve --use-case penguins: answer over HTTP with the champion.

fourcycle status: how every use case stands, in a few lines.

fourcycle history --use-case penguins: every move, and who is live.

fourcycle train --help: the options of one command.
"""


def module_of(name: str) -> str:
    """The module behind a command; a dash in its name stands for an underscore."""
    return SERVICES.get(name, f"pipelines.{name.replace('-', '_')}")


def commands() -> typer.Typer:
    """All commands, one panel for each cycle."""
    app = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True, help=HELP
    )
    # The options, --help among them, are the command's own.
    own = {"allow_extra_args": True, "ignore_unknown_options": True}
    for cycle, names in CYCLES.items():
        for name in names:
            sentence = _sentence(module_of(name))
            # A name is also taken as the module and the entry point spell it.
            for spelling in dict.fromkeys((name, name.replace("-", "_"))):
                app.command(
                    spelling,
                    help=sentence,
                    rich_help_panel=cycle,
                    context_settings=own,
                    add_help_option=False,
                    hidden=spelling != name,
                )(_run)
    return app


def _run(context: typer.Context) -> None:
    name = str(context.info_name)
    if name in SERVICES:
        command.prepare()
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(import_module(module_of(name)).main)
    app(args=context.args, prog_name=f"fourcycle {name}")


def _sentence(module: str) -> str:
    """What a command does, read from its source: importing all of them takes ten seconds."""
    spec = find_spec(module)
    assert spec and spec.origin, f"{module} is a module of ours"
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    (main,) = (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "main")
    sentence = (ast.get_docstring(main) or "").split("\n")[0].partition(": ")[2]
    return sentence[:1].upper() + sentence[1:]


def main() -> None:
    """Fourcycle: run one command of the four cycles."""
    cli.execute(commands())


if __name__ == "__main__":
    main()
