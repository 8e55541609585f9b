"""Where the site's parts lie."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
DOCS = PROJECT / "docs"
REFERENCE = DOCS / "reference"
STAGED = PROJECT / ".cache" / "site"  # what the generator reads: our pages, made ready
SITE = PROJECT / "build" / "site"  # what a browser reads
TOOLS = PROJECT / ".cache" / "site-tools"  # the generator's environment
