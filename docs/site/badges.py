"""Badges of the README: what pyproject.toml says, as small pictures that ask no other host."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from docs.site.places import DOCS, PROJECT

LETTER = 6.6  # width, pixels, at 11 pixels of height
BADGE = """<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img"
 aria-label="{name}: {value}"><title>{name}: {value}</title>
<rect width="{width}" height="20" rx="3" fill="#1f6feb"/>
<path d="M3 0h{left_less}v20h-{left_less}a3 3 0 0 1-3-3v-14a3 3 0 0 1 3-3z" fill="#444c56"/>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">
<text x="{name_x}" y="14">{name}</text><text x="{value_x}" y="14">{value}</text></g></svg>
"""


def badges() -> dict[Path, str]:
    """Each picture's file with its text."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    first, last = (int(part.rpartition(".")[2]) for part in project["requires-python"].split(","))
    facts: Mapping[str, str] = {
        "version": project["version"],
        "python": f"3.{first} – 3.{last - 1}",
        "licence": project["license"],
    }
    return {DOCS / "badges" / f"{name}.svg": badge(name, value) for name, value in facts.items()}


def badge(name: str, value: str) -> str:
    """A badge as SVG: the name on grey, the value on blue."""
    left, right = (round(len(text) * LETTER + 14) for text in (name, value))
    return BADGE.format(
        width=left + right,
        left_less=left - 3,
        name=name,
        value=value,
        name_x=left / 2,
        value_x=left + right / 2,
    )
