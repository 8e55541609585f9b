"""Make an API key for the service: it is printed once, and only its hash is stored."""

import hashlib
import json
import os
import re
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from contract.command import run
from contract.errors import BadInput
from contract.settings import read_settings
from serving.requests.api_keys import SCOPE, SCOPES

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


def make(path: Path, name: str, scopes: tuple[str, ...], now: datetime) -> str:
    """Add a key to the file, which is made where needed; the key itself, shown once."""
    if not NAME.fullmatch(name):
        raise BadInput("name: up to 32 of a-z, 0-9, - and _ are needed.")
    if not scopes or not all(map(SCOPE.fullmatch, scopes)):
        raise BadInput(
            f"scopes: some of {', '.join(SCOPES)}, parted by commas, are needed; each may be for "
            "one use case alone: predict:flights."
        )
    kept = json.loads(path.read_text(encoding="utf-8"))["keys"] if path.exists() else []
    if any(key["name"] == name for key in kept):
        raise BadInput(f"A key {name!r} is there; take its entry out of {path} to revoke it.")
    token = f"fc_{secrets.token_urlsafe(32)}"
    entry = {
        "name": name,
        "sha256": hashlib.sha256(token.encode()).hexdigest(),
        "scopes": list(scopes),
        "made": now.isoformat(timespec="seconds"),
    }
    written = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"keys": [*kept, entry]}, file, indent=1)
    written.replace(path)
    return token


def main(
    name: Annotated[str, typer.Option(help="Who will use the key.")],
    scopes: Annotated[
        str, typer.Option(help=f"Some of {', '.join(SCOPES)}, or predict:flights.")
    ] = "predict",
    file: Annotated[str, typer.Option(help="File of keys; empty: FOURCYCLE_SERVE_KEYS.")] = "",
) -> None:
    """Make a key: it is printed once, and its hash is added to the file of keys."""
    path = file or read_settings().serve_keys
    if not path:
        raise BadInput("No file of keys is named; --file or FOURCYCLE_SERVE_KEYS does it.")
    asked = tuple(part.strip() for part in scopes.split(",") if part.strip())
    typer.echo(make(Path(path).expanduser(), name, asked, datetime.now(UTC)))


if __name__ == "__main__":
    run(main)
