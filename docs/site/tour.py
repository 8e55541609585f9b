"""Walk a tutorial unattended: `make tour`. Its commands are those of docs/tutorial.md, or of PAGE.

Each `sh` block runs in a copy of the project, with an empty home and an empty store. A `text` block
below it shows what a reader sees: each of its lines must come in the output, where `…` stands for
anything. A command whose comment says `exit code 1` must end so. What serves goes on to the end.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from docs.site.places import DOCS, PROJECT

PAGE = DOCS / "tutorial.md"
PAGES = (PAGE, DOCS / "tutorial" / "your-table.md")
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^## (.*)$", re.MULTILINE)
LEFT_OUT = (".venv", ".git", ".cache", "build", "data", "mlruns", "mlflow.db*", ".*_cache", ".env")
# What runs until it is stopped, and the path that answers 200 once it is ready.
SERVERS = {"make serve": "/ping", "make ui": "/version"}
PATIENCE_S = 300  # until a server answers


@dataclass(frozen=True)
class Stop:
    """Commands of one block, the lines that a reader then sees, and the heading above."""

    heading: str
    commands: str
    shown: tuple[str, ...]

    @property
    def code(self) -> int:
        """The exit code that the block ends with."""
        said = re.search(r"# .*exit code (\d)", self.commands)
        return int(said[1]) if said else 0

    @property
    def serves(self) -> bool:
        """Whether it runs until it is stopped."""
        return self.commands.startswith(tuple(SERVERS))


def stops(text: str) -> list[Stop]:
    """The stops of a page, in their order."""
    found: list[Stop] = []
    for block in BLOCK.finditer(text):
        language, body = block.groups()
        if language == "sh":
            above = HEADING.findall(text[: block.start()])
            found.append(Stop(above[-1] if above else "", body.strip(), ()))
        elif found and not found[-1].shown:
            last = found[-1]
            lines = tuple(line.strip() for line in body.split("\n") if line.strip())
            found[-1] = Stop(last.heading, last.commands, lines)
    return found


def missing(stop: Stop, output: str) -> list[str]:
    """Lines that the page shows and the output does not have."""
    said = " ".join(output.split())
    return [line for line in stop.shown if not re.search(_pattern(line), said)]


def _pattern(line: str) -> str:
    return ".*?".join(re.escape(part.strip()) for part in " ".join(line.split()).split("…"))


class Walk:
    """A copy of the project with a store of its own, in which the blocks are typed."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "fourcycle"
        ignored = shutil.ignore_patterns(*LEFT_OUT)

        def at_the_top(place: str, names: list[str]) -> set[str]:
            return ignored(place, names) if Path(place) == PROJECT else {"__pycache__"} & {*names}

        shutil.copytree(PROJECT, self.folder, ignore=at_the_top)
        (self.folder / ".venv").symlink_to(Path(sys.prefix))
        ours = ("MLFLOW_", "FOURCYCLE_", "PYTEST")
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        self.port = _free_port()
        self._environment |= {
            "HOME": str(home),
            "CURL_HOME": str(home),
            "PATH": f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "FOURCYCLE_SERVE_PORT": str(self.port),
        }
        to = f'connect-to = "127.0.0.1:8080:127.0.0.1:{self.port}"\n'
        (home / ".curlrc").write_text(f"fail-with-body\n{to}", encoding="utf-8")

    def run(self, stop: Stop) -> str:
        """Type a block; what is not as the page says, "" where all of it is."""
        done = subprocess.run(
            ["/bin/sh", "-e", "-c", stop.commands],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != stop.code:
            return f"exit code {done.returncode}, not {stop.code}:\n{done.stdout[-3000:]}"
        if absent := missing(stop, done.stdout):
            lines = "\n".join(absent)
            return f"these lines did not come:\n{lines}\nbut:\n{done.stdout[-5000:]}"
        return ""

    @contextmanager
    def serving(self, stop: Stop) -> Iterator[str]:
        """Start a block that serves; what is wrong with it. It is stopped when the walk ends."""
        port = self.port if stop.commands.startswith("make serve") else _free_port()
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"{stop.commands} PORT={port}"],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            path = next(path for name, path in SERVERS.items() if stop.commands.startswith(name))
            well = answers(f"http://127.0.0.1:{port}{path}")
            yield "" if well else f"{path} did not answer 200 in {PATIENCE_S} s"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            _await_end(process.pid)  # make ends at once, what it started ends in order


def _await_end(group: int) -> None:
    """Wait until no process of a group is left; after a while what is left is killed."""
    end = time.monotonic() + PATIENCE_S
    try:
        while time.monotonic() < end:
            os.killpg(group, 0)
            time.sleep(0.1)
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def answers(address: str) -> bool:
    """Whether a server that starts answers in time."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            if httpx.get(address, timeout=5).status_code == httpx.codes.OK:
                return True
        except httpx.TransportError:
            pass  # not yet
        time.sleep(0.5)
    return False


def walk(page: Path = PAGE) -> list[str]:
    """What is not as the page says, one text for each block; progress is printed."""
    wrong: list[str] = []
    with TemporaryDirectory() as home, ExitStack() as servers:
        here = Walk(Path(home))
        for stop in stops(page.read_text(encoding="utf-8")):
            began = time.monotonic()
            said = servers.enter_context(here.serving(stop)) if stop.serves else here.run(stop)
            mark, took = "✗" if said else "✓", time.monotonic() - began
            print(
                f"{mark} {took:6.1f} s  {stop.heading}: {stop.commands.split(chr(10))[0]}",
                flush=True,
            )
            if said:
                print(said)
                wrong.append(f"{stop.heading}: {stop.commands}\n{said}")
    return wrong


def main() -> None:
    """Walk the page named, the tutorial by default; exit code 1 where a block did otherwise."""
    page, began = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE, time.monotonic()
    if not page.is_file():
        print(f"PAGE: a tutorial is needed, found {page}, which is no file.", file=sys.stderr)
        sys.exit(2)
    wrong = walk(page)
    took = time.monotonic() - began
    print(f"{len(wrong)} stops went wrong." if wrong else f"All of it in {took / 60:.1f} minutes.")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
