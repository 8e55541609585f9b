"""One turn of the loop: everything is read, then answered, then written, a connection at a time."""

import asyncio
import logging
from typing import cast

import pytest
import uvloop

from serving.http.loop_turn import CoalescingTransport, LoopTurn


class Diary:
    """Readers that write down when they took what."""

    def __init__(self, turn: LoopTurn) -> None:
        self.turn = turn
        self.lines: list[str] = []


class Reader:
    """Takes pieces, fails at `bad`."""

    def __init__(self, name: str, diary: Diary) -> None:
        self._name, self._diary = name, diary

    def take(self, data: bytes) -> None:
        """Note the piece, and write at the end of the turn."""
        if data == b"bad":
            raise ValueError("secret")
        self._diary.lines.append(f"{self._name} takes {data.decode()}")
        self._diary.turn.at_end(lambda: self._diary.lines.append(f"{self._name} writes"))

    def abort(self) -> None:
        """Note the end."""
        self._diary.lines.append(f"{self._name} ends")


def test_all_is_taken_in_its_order_before_anything_is_written() -> None:
    async def work() -> list[str]:
        diary = Diary(LoopTurn())
        one, two = Reader("one", diary), Reader("two", diary)
        for reader, piece in ((one, b"a"), (two, b"b"), (one, b"c")):
            diary.turn.came(reader, piece)
        assert not diary.lines
        await _next_turn()
        return diary.lines

    taken = ["one takes a", "two takes b", "one takes c"]
    assert uvloop.run(work()) == [*taken, "one writes", "two writes", "one writes"]


def test_a_reader_that_fails_ends_alone_and_nothing_it_says_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work() -> list[str]:
        diary = Diary(LoopTurn())
        diary.turn.came(Reader("one", diary), b"bad")
        diary.turn.came(Reader("two", diary), b"b")
        await _next_turn()
        return diary.lines

    with caplog.at_level(logging.ERROR):
        assert uvloop.run(work()) == ["one ends", "two takes b", "two writes"]
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text


def test_what_is_run_early_is_not_taken_twice() -> None:
    async def work() -> list[str]:
        diary = Diary(LoopTurn())
        diary.turn.came(Reader("one", diary), b"a")
        diary.turn.run()
        await _next_turn()
        return diary.lines

    assert uvloop.run(work()) == ["one takes a", "one writes"]


async def _next_turn() -> None:
    await asyncio.sleep(0.01)


class Server(asyncio.Protocol):
    """Says `text` in two parts, in the turn in which the connection is lost or before."""

    def __init__(self, lose: bool) -> None:
        self.lose = lose

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        loop, connection = asyncio.get_running_loop(), cast(asyncio.Transport, transport)
        gathering = CoalescingTransport(connection, LoopTurn())
        if self.lose:
            connection.abort()
        loop.call_soon(gathering.write, b"he")
        loop.call_soon(gathering.write_last, b"llo")
        loop.call_soon(gathering.close)


async def said(lose: bool, troubles: list[str]) -> bytes:
    """What a client reads."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: troubles.append(str(context)))
    server = await loop.create_server(lambda: Server(lose), "127.0.0.1", 0)
    async with server, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        found = await reader.read()
        writer.close()
        await asyncio.sleep(0.05)
    return found


def test_what_is_written_in_one_turn_arrives_before_the_end() -> None:
    troubles: list[str] = []
    assert uvloop.run(said(False, troubles)) == b"hello"
    assert troubles == []


def test_a_connection_that_is_lost_in_the_same_turn_makes_no_noise() -> None:
    troubles: list[str] = []
    assert uvloop.run(said(True, troubles)) == b""
    assert troubles == []
