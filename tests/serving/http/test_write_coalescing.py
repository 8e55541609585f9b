"""What leaves in one write, and a connection that is lost before it does."""

import asyncio
from typing import cast

import uvloop

from serving.http.loop_turn import CoalescingTransport, LoopTurn


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
