"""Build the site: `make docs`. Stage the pages, let the generator make them HTML, check the links.

The generator lives in an environment of its own, made from docs/requirements.lock, so that its
packages never meet those of the project. It fails on a warning, and this fails on a broken link.
"""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from contract.errors import FourcycleError, Refused
from docs.site.check import complaints
from docs.site.places import DOCS, PROJECT, SITE, STAGED, TOOLS
from docs.site.staging import stage

LOCK = DOCS / "requirements.lock"
CONFIGURATION = DOCS / "site" / "zensical.toml"
API = DOCS / "site" / "api.py"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
WORKER, WORKER_ELSEWHERE = "iframe-worker.js", "https://unpkg.com/iframe-worker/shim"
MERMAID = "mermaidx/assets/mermaid.js"


def build(staged: Path = STAGED, site: Path = SITE, tools: Path = TOOLS) -> int:
    """The number of pages that were built; Refused names every warning and broken link."""
    install(tools)
    stage(staged / "docs")
    (script,) = tools.glob(f"lib/python*/site-packages/{MERMAID}")
    assets = staged / "docs" / "assets"
    assets.mkdir(exist_ok=True)
    shutil.copyfile(script, assets / "mermaid.js")
    _run(str(tools / "bin" / "python"), str(API), str(staged / "docs" / "api"), folder=PROJECT)
    shutil.copyfile(CONFIGURATION, staged / "zensical.toml")
    generate(staged, tools)
    _keep_at_home(staged / "site")
    if found := complaints(staged / "site"):
        raise Refused("\n".join((f"{len(found)} links of the site are broken:", *found)))
    shutil.rmtree(site, ignore_errors=True)
    site.parent.mkdir(exist_ok=True)
    shutil.move(staged / "site", site)
    return sum(1 for _ in site.rglob("*.html"))


def generate(staged: Path, tools: Path = TOOLS) -> None:
    """Let the generator make `site` of the folder's pages; Refused names every warning of its."""
    _run(str(tools / "bin" / "zensical"), "build", "--strict", "--clean", folder=staged)


def _keep_at_home(site: Path) -> None:
    """Let pages take the script by which search works without a server from beside them.

    The generator's offline mode asks a content network for it.
    """
    shutil.copyfile(DOCS / "site" / WORKER, site / "assets" / WORKER)
    (site / "404.html").unlink()  # for a server; its addresses begin at a server's root
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        home = "../" * (len(page.relative_to(site).parts) - 1)
        page.write_text(text.replace(WORKER_ELSEWHERE, f"{home}assets/{WORKER}"), encoding="utf-8")


def install(tools: Path) -> None:
    """Make the generator's environment where it is not the one of today's lock."""
    stamp, lock = tools / ".installed", LOCK.read_text(encoding="utf-8")
    if stamp.exists() and stamp.read_text(encoding="utf-8") == lock:
        return
    _run("/bin/sh", "scripts/site-tools", str(tools), folder=PROJECT)
    stamp.write_text(lock, encoding="utf-8")


def _run(*command: str, folder: Path) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        said = COLOURS.sub("", done.stdout).partition("\nTraceback ")[0]
        raise Refused(f"{Path(command[0]).name} failed:\n{said.strip()}")


def main() -> None:
    """Build the site, say where it is."""
    began = time.monotonic()
    try:
        pages = build()
    except FourcycleError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    took = time.monotonic() - began
    print(f"{pages} pages in {took:.0f} s. Open {SITE / 'index.html'}: it needs no server.")


if __name__ == "__main__":
    main()
