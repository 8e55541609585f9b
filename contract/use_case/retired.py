"""Keys that a use case had once: the copy in an older version's package may still carry them.

In a file that people write such a key is unknown, like any other.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

# Dotted path of a key, to the path that took its place; None: nothing did, it had no effect.
RETIRED: Mapping[str, str | None] = {"evaluation.threshold": None}


def renewed(raw: Mapping[str, Any], retired: Mapping[str, str | None] = RETIRED) -> dict[str, Any]:
    """What a frozen copy declares, by today's keys; where old and new stand, the new one counts."""
    found = deepcopy(dict(raw))
    for old, new in retired.items():
        section, key = _place(found, old)
        if key not in section:
            continue
        value = section.pop(key)
        if new is not None:
            section, key = _place(found, new)
            section.setdefault(key, value)
    return found


def _place(raw: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    """The mapping that holds a path's last word, and that word."""
    *sections, key = path.split(".")
    for name in sections:
        below = raw.setdefault(name, {})
        if not isinstance(below, dict):  # damaged; whoever validates it says so
            return {}, key
        raw = below
    return raw, key
