"""A promoter of a race: promotes the version that each line of stdin names, and says how it went.

A line is `version champion`, where `-` is no champion; the answer is `promoted` or the refusal.
"""

import sys
from pathlib import Path

from contract.errors import Refused
from contract.settings import read_settings
from pipelines.registry.move import move
from pipelines.registry.transitions import MoveRequest
from pipelines.runtime.workspace import connected
from tests.conftest import made_use_case


def main() -> None:
    workspace = connected(made_use_case(Path.cwd()), read_settings(), "releases")
    print("ready", flush=True)
    for line in sys.stdin:
        version, champion = line.split()
        ask = MoveRequest("promote", version, "promoter", "a race", expected=champion.strip("-"))
        try:
            move(workspace, ask)
            print("promoted", flush=True)
        except Refused as refused:
            print(refused, flush=True)


if __name__ == "__main__":
    main()
