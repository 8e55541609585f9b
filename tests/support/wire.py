"""Bytes to a service and back, for what no client library sends."""

import re
import socket
from dataclasses import dataclass
from functools import cached_property

import httpx

QUIET_S = 10.0


@dataclass(frozen=True)
class Said:
    """All that came back on one connection, to its end."""

    raw: bytes

    @cached_property
    def statuses(self) -> list[int]:
        """Of each answer, in order."""
        return [int(found) for found in re.findall(rb"(?:^|\n|\})HTTP/1\.1 (\d{3}) ", self.raw)]

    @property
    def head(self) -> str:
        """The first head, in small letters."""
        return self.raw.partition(b"\r\n\r\n")[0].decode("latin-1").lower()

    @property
    def body(self) -> bytes:
        """What follows the first head."""
        return self.raw.partition(b"\r\n\r\n")[2]

    def field(self, name: str) -> str | None:
        """A field of the first head."""
        found = re.search(rf"^{name}: (.*)$", self.head, re.MULTILINE)
        return found[1].strip() if found else None


def say(address: str, *parts: bytes) -> Said:
    """Send these parts one after the other, and read until the service closes."""
    url = httpx.URL(address)
    with socket.create_connection((url.host, url.port or 80), timeout=QUIET_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            connection.sendall(part)
        return Said(connection.makefile("rb").read())


def rows_of(page: str, heading: str) -> list[tuple[str, ...]]:
    """The rows of the first table under a heading of a page in Markdown, without its head."""
    lines = page.partition(f"\n## {heading}\n")[2].splitlines()
    rows: list[tuple[str, ...]] = []
    for line in lines:
        if line.startswith("|"):
            rows.append(tuple(cell.strip() for cell in line.strip("|").split(" | ")))
        elif rows or line.startswith("## "):
            break
    return rows[2:]
