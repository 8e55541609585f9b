"""A connection: uvicorn's HTTP/1.1, and what that leaves open.

An upgrade that is offered is not taken, and the request is answered as it stands (RFC 9110, 7.8);
the parser alone would drop its body. Fields behind a body are no headers (RFC 9110, 6.5). What is
no request is refused as all else is: by a problem document, counted and in the log. A small request
that comes as a whole, in one piece, is answered without a cycle of uvicorn's.
"""

import asyncio
import re

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.http.gateway import BodyRoute, Gateway
from serving.http.loop_turn import CoalescingTransport
from serving.http.refusal import REFUSAL, Refusal
from serving.http.small_request import HeldRequest, SmallCycle, closes, written
from serving.requests.errors import Headers, Problem
from serving.requests.request import CLOSE

WORDS = re.compile(r"[A-Za-z][A-Za-z ,'/-]{1,80}")  # of the parser, without a byte of the caller
LINE = re.compile(rb"([A-Za-z-]{1,40}) [^ \r\n]+ HTTP/\d\.\d\r?\n")
METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE", b"CONNECT")
NoMethod = httptools.HttpParserInvalidMethodError
UPGRADE = b"upgrade"
SMALL_BYTES = 16 * 1024  # of a piece that waits for the end of the turn


class Connection(HttpToolsProtocol):
    """One connection of a caller; `app` of its configuration is the gateway."""

    _lost = False  # the caller has gone away
    _over = False  # nothing more is read, for what came last was no request
    _waiting: Problem | None = None  # is said once what came before is answered
    _first = False  # no message of what is read now has begun
    _held: HeldRequest | None = None
    _taking = False  # what came is being read, and perhaps answered

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a new connection."""
        self._turn = self._gateway.turn
        self._out = CoalescingTransport(transport, self._turn)
        self._small = SmallCycle()
        self._idle_from: float | None = None  # by the loop's clock, after a small request
        self._watch: asyncio.TimerHandle | None = None
        super().connection_made(self._out)  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        """Take what came: a small piece together with those of other connections."""
        if len(self.connections) > 1 and len(data) <= SMALL_BYTES:
            self._end_wait()
            self._turn.came(self, data)
        else:  # alone; or of a large body, which may be asked to wait before more of it comes
            self._turn.run()
            self.take(data)

    def take(self, data: bytes) -> None:
        """Read what came; what is no request ends the connection."""
        if self._lost:
            return
        self._end_wait()  # an answer of this turn may have begun to wait
        self._first = self._taking = True
        while data and not self._over:
            data = self._read(data)
        self._let_go()
        self._taking = False

    def abort(self) -> None:
        """End at once."""
        self.transport.abort()

    def shutdown(self) -> None:
        """End once what came is answered."""
        self._turn.run()
        super().shutdown()

    def _read(self, data: bytes) -> bytes:
        """Read, to the end or to an offered upgrade; what is to be read next."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offered:
            return self._without_upgrade() + data[offered.args[0] :]
        except httptools.HttpParserError as error:
            self._let_go()
            self._refuse(problem_of(error, data))
        return b""

    def on_message_begin(self) -> None:
        """Begin to read a request; its scope is made where uvicorn's cycle needs it."""
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_headers_complete(self) -> None:
        """Begin to answer, unless that may be done without a cycle once all of it is here."""
        if self.parser.should_upgrade():
            return  # it comes once more, without the offer
        route = self._route() if self._first else None
        headers, self.headers = self.headers, []  # anew for what comes behind the body
        self._first = False
        if route is None:
            self._begin(headers)
        else:
            self._held = HeldRequest(route, headers)

    def _route(self) -> BodyRoute | None:
        """Where the request goes if it may be answered without a cycle."""
        parser, cycle = self.parser, self.cycle
        waits = self.expect_100_continue or self.flow.write_paused
        if waits or (cycle is not None and not cycle.response_complete):
            return None
        if parser.get_method() != b"POST" or parser.get_http_version() != "1.1":
            return None
        return self._gateway.route_of(self.url) if parser.should_keep_alive() else None

    def _begin(self, headers: Headers) -> None:
        """Begin a cycle of uvicorn's for the head that was read."""
        url, expected = self.url, self.expect_100_continue
        super().on_message_begin()
        self.url = url if url != b"*" else b"/*"  # OPTIONS for all: uvicorn wants a path
        self.headers += headers
        self.expect_100_continue = expected
        super().on_headers_complete()
        self.headers = []

    def _let_go(self) -> None:
        """Begin a cycle for what was held, and hand on what came of its body."""
        held, self._held = self._held, None
        if held:
            self._begin(held.headers)
            super().on_body(held.body)

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        if self._held:
            self._held.body += body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Take the end of a body, and answer it without a cycle where that can be."""
        if self._held and self._answer(self._held):
            self._held = None
            return
        self._let_go()
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _answer(self, held: HeldRequest) -> bool:
        """Whether what was held is answered without a cycle, now or later."""
        self.cycle, self._small.response_complete = self._small, False  # type: ignore[assignment]
        head = {"method": "POST", "path": self.url.decode(), "headers": held.headers}
        head["http_version"] = "1.1"
        taken = self._gateway.answer_small(head, held.route, held.body, self._write)
        self._small.response_complete |= not taken
        return taken

    def _write(self, status: int, headers: Headers, body: bytes) -> None:
        """Write the answer to a small request, and go on."""
        small, common = self._small, self.server_state.default_headers
        small.response_complete = True
        if not self._out.is_closing():
            last = closes(common, headers)
            if not small.keep_alive and not last:
                headers = [*headers, *CLOSE]
            # With others that were asked in this turn: together they wake up their callers once.
            write = self._out.write if self._taking else self._out.write_last
            write(written(status, common, headers, body))
            if last or not small.keep_alive:
                self._out.close()
        if self.pipeline or self._waiting:
            self.on_response_complete()
        else:
            self.server_state.total_requests += 1
            if not self._out.is_closing():
                self._idle()

    def _idle(self) -> None:
        """Wait for another request, not forever.

        One timer looks again when it fires: another for each request costs 8 µs.
        """
        self._idle_from = self.loop.time()
        if self._watch is None:
            self._watch = self.loop.call_later(self.timeout_keep_alive, self._end_if_idle)

    def _end_wait(self) -> None:
        self._unset_keepalive_if_required()
        self._idle_from = None

    def _end_if_idle(self) -> None:
        self._watch = None
        if self._idle_from is None:
            return  # it is not idle, or uvicorn's own timer runs
        left = self._idle_from + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._watch = self.loop.call_later(left, self._end_if_idle)
        else:
            self.timeout_keep_alive_handler()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        self._lost = True
        if self._watch:
            self._watch.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Go on with the next request, or say what was wrong with it."""
        if self._waiting and not self.pipeline:
            problem, self._waiting = self._waiting, None
            self._gateway.refuse(problem, self._write_last)
        else:
            super().on_response_complete()

    @property
    def _gateway(self) -> Gateway:
        gateway: Gateway = self.config.app  # type: ignore[assignment]
        return gateway

    def _without_upgrade(self) -> bytes:
        """The head that was read as one that offers no upgrade, and a new parser for it."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            allow = (b"allow", b"GET, HEAD, POST, OPTIONS")
            self._refuse(Problem("method", "This is no proxy.", headers=[allow, *CLOSE]))
            return b""
        head = [method, b" ", self.url, b" HTTP/", self.parser.get_http_version().encode(), b"\r\n"]
        for name, value in self.headers:
            options = value.split(b",") if name == b"connection" else [value]
            kept = b",".join(option for option in options if option.strip().lower() != UPGRADE)
            if name != UPGRADE:
                head += [name, b": ", kept, b"\r\n"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
        return b"".join([*head, b"\r\n"])

    def _refuse(self, problem: Problem) -> None:
        """Say what is wrong in its turn: after the answers to what came before."""
        self._over = True
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            self._gateway.refuse(problem, self._write_last)
        elif cycle.more_body:  # it is the body of a request that is being answered
            cycle.scope["state"][REFUSAL] = Refusal(problem, self._write_last)
            cycle.disconnected = True
            cycle.message_event.set()
        else:
            self._waiting = problem

    def _write_last(self, status: int, headers: Headers, body: bytes) -> None:
        """Write an answer that no cycle of uvicorn writes, and close."""
        if self.transport.is_closing():
            return
        self.transport.write(written(status, self.server_state.default_headers, headers, body))
        self.transport.close()


def problem_of(error: httptools.HttpParserError, data: bytes) -> Problem:
    """What the parser did not take, in a sentence that holds nothing of the caller's."""
    said = str(error)
    line = LINE.match(data)
    if line and line[1] not in METHODS and isinstance(error, NoMethod):
        sentence = "The service does not know this method."
        return Problem("not_implemented", sentence, headers=[*CLOSE])
    if "version" in said.lower() or "PRI/SM" in said or "HTTP/2" in said:
        return Problem("http_version", "HTTP/1.1 or 1.0 is needed.", headers=[*CLOSE])
    ours = type(error) is not httptools.HttpParserError  # it may hold what an error of ours says
    what = f" ({said})" if not ours and WORDS.fullmatch(said) else ""
    return Problem("bad_http", f"This is no valid HTTP/1.1 request{what}.", headers=[*CLOSE])
