"""A connection: its bytes in, and every byte and ending that goes out, at the level of asyncio's protocols."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import cast

from support import event_stream
from support.faulty.lambda_service import Action, Counts, LambdaService
from support.faulty.ledger import CLIENT_LEFT, NOTHING, PENDING
from support.faulty.message import Answer, Request, chunked, error, parse_head
from support.faulty.plan import BEFORE_BODY

_HEAD_LIMIT = 65_536
_PIECE = 65_536
_DRIPS = 40
_IN_A_ROW = 16
"""Pieces that are written before other connections have their turn, however fast the client takes them."""
_SEEN_SECONDS = 0.02
"""Between a part of an answer and a reset, so that the client gets to read the part."""
_DRAIN_SECONDS = 1.0
"""How long a client may take to close its end, where the endpoint closed its own without reading all."""

_ALERT = bytes.fromhex("15030300020228")  # TLS: alert, fatal, handshake_failure
_FORGED = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"forged":true}'
_LAST_CHUNK = b"0\r\n\r\n"
_GARBAGE = b"\x00\x01\xfe\xffno HTTP at all\r\n\r\n\x00"


class Connection(asyncio.Protocol):
    """Serves requests, one after another."""

    def __init__(self, service: LambdaService, counted: bool = True) -> None:
        self._service = service
        self._counted = counted
        self._counts: Counts | None = None
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._request: Request | None = None
        self._action: Action | None = None
        self._task: asyncio.Task[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._closing: asyncio.TimerHandle | None = None
        self._deaf = False
        self._doomed = False
        self._left = False
        self._lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._lost:  # while TLS was set up
            return
        self._transport = cast(asyncio.Transport, transport)
        if self._counted:
            counts = self._counts = self._service.counts
            counts.connections += 1
            counts.open += 1
            counts.most_open = max(counts.most_open, counts.open)
        self._advance()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        if self._doomed:
            self._reset()
            return
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        self._buffer += data
        # Behind TLS, the first bytes can be here before `connection_made`.
        if self._transport is not None and self._action is None:
            self._advance()

    def eof_received(self) -> bool:
        # A client that closed its socket looks like one that closed its sending half; what is written then meets RST.
        self._left = True
        return self._action is not None and self._action.manner == "answer_late" and not self._secure()

    def connection_lost(self, exc: Exception | None) -> None:
        self._left = self._lost = True
        if self._counts is not None:
            self._counts.open -= 1
        self.resume_writing()
        action = self._action
        if action is not None and action.manner == "answer_late":
            return
        if self._task is not None:
            self._task.cancel()
        if action is not None:
            self._note(CLIENT_LEFT)

    def pause_writing(self) -> None:
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def _advance(self) -> None:
        """Serve what is there whole."""
        while self._action is None and not (self._deaf or self._doomed or self._lost):
            if self._request is None:
                self._request = self._read_head()
                if self._request is None:
                    return
                if fault := self._service.early_fault(self._request):
                    self._end(fault)
                    return
            request = self._request
            if len(self._buffer) < request.length:
                return
            request.body = bytes(memoryview(self._buffer)[: request.length])
            del self._buffer[: request.length]
            self._request = None
            self._begin(self._service.decide(request))

    def _read_head(self) -> Request | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 and len(self._buffer) <= _HEAD_LIMIT:
            return None
        try:
            request = parse_head(bytes(self._buffer[: max(end, 0)]))
        except ValueError as problem:
            answer = error(400, "InvalidRequestContentException", str(problem))
            self._write(answer.head() + answer.beginning(_PIECE))
            self._end("close_after_body")
            return None
        del self._buffer[: end + 4]
        return request

    def _begin(self, action: Action) -> None:
        """Act, at once where nothing has to be waited for."""
        self._action = action
        answer = action.answer
        if action.manner == "ok" and not action.wait_ms and action.ending is None and len(answer.body) <= _PIECE:
            self._write(answer.head() + answer.beginning(_PIECE))
            self._note(str(answer.status))
            self._action = None
        elif action.manner in BEFORE_BODY:
            self._end(action.manner)
        else:
            self._task = asyncio.get_running_loop().create_task(self._act(action))

    async def _act(self, action: Action) -> None:
        with suppress(ConnectionResetError):
            await asyncio.sleep(action.wait_ms / 1000)
            await self._perform(action)
        if self._left:
            self._note(CLIENT_LEFT)
            self._close()
        self._action = self._task = None
        self._advance()

    async def _perform(self, action: Action) -> None:
        answer, pause = action.answer, action.argument / 1000
        match action.manner:
            case "slow" | "answer_late":
                await asyncio.sleep(pause)
                await self._send(action)
            case "drip":
                await self._drip(action, pause)
            case "hang":
                await asyncio.Event().wait()
            case "hold":
                await self._service.released.wait()
                await self._send(action)
            case "stale":
                await self._send(action)
                self._closing = asyncio.get_running_loop().call_later(pause, self._close)
            case "stale_race":
                await self._send(action)
                self._doomed = True
            case "reset_after_body" | "close_after_body" as manner:
                self._end(manner)
            case "garbage":
                self._write(_GARBAGE)
                self._end("close_after_body")
            case "headers_only" | "headers_hang" as manner:
                self._write(answer.head() if action.ending is None else answer.head_of_chunks())
                self._note(f"part of {answer.status}")
                await (asyncio.sleep(pause) if manner == "headers_only" else asyncio.Event().wait())
                self._finish_sending()
            case "wrong_length" if action.ending is None:
                await self._send(action)
                self._write(_FORGED)
            case "short_length" if action.ending is None:
                self._write(answer.head(len(answer.body) // 2))
                await self._pump(answer.pieces(_PIECE), 0)
                self._note(f"part of {answer.status}")
            case "reset_mid_answer" | "truncated_body" as manner if action.ending is None:
                await self._send_half(answer)
                if manner == "reset_mid_answer":
                    await asyncio.sleep(_SEEN_SECONDS)
                    self._reset()
                else:
                    self._finish_sending()
            case _:
                await self._send(action)

    async def _send(self, action: Action) -> None:
        """The whole answer."""
        answer = action.answer
        if action.ending is not None:
            await self._stream(action, action.ending)
            return
        self._write(answer.head())
        await self._pump(answer.pieces(_PIECE), 0)
        self._note_whole(answer)

    async def _send_half(self, answer: Answer) -> None:
        head, half = answer.head(), len(answer.body) // 2
        if not half:
            self._write(head[: len(head) // 2])
        else:
            self._write(head)
            left = half
            for piece in answer.pieces(_PIECE):
                await self._pump(iter((piece[:left],)), 0)
                left -= len(piece)
                if left <= 0:
                    break
        self._note(f"part of {answer.status}")

    async def _drip(self, action: Action, pause: float) -> None:
        answer = action.answer
        if action.ending is not None:
            await self._stream(action, action.ending, pause)
            return
        head = answer.head()
        size = action.chunk or -(-(len(head) + len(answer.body)) // _DRIPS)
        await self._pump((head[start : start + size] for start in range(0, len(head), size)), pause)
        await self._pump(answer.pieces(size), pause)
        self._note_whole(answer)

    async def _stream(self, action: Action, ending: bytes, pause: float = 0.0) -> None:
        """Frames in chunks, the manner's fault in their middle, and the frame that ends them."""
        answer, manner = action.answer, action.manner
        self._write(answer.head_of_chunks())
        count = -(-len(answer.body) // action.chunk)
        pieces = answer.pieces(action.chunk)
        pause = action.argument / 1000 if manner == "stream_drip" else pause
        first = (chunked(event_stream.chunk(piece)) for _, piece in zip(range((count + 1) // 2), pieces, strict=False))
        await self._pump(first, pause)
        self._note(f"part of {answer.status}")
        frame = event_stream.chunk(b"the rest of this frame does not come")
        match manner:
            case "stream_cut" | "stream_cut_frame" | "reset_mid_answer":
                if manner != "stream_cut":
                    self._write(chunked(frame)[: len(frame) // 2])
                await asyncio.sleep(_SEEN_SECONDS)
                self._reset()
                return
            case "truncated_body":
                self._write(chunked(frame)[: len(frame) // 2])
                self._finish_sending()
                return
            case "stream_hang":
                await asyncio.Event().wait()
            case "stream_error":
                self._write(chunked(ending) + _LAST_CHUNK)
                self._note_whole(answer)
                return
            case "stream_exception" | "stream_unmodeled" | "stream_bad_crc" | "short_length":
                last = {
                    "stream_exception": event_stream.exception("ServiceException", "told to fail"),
                    "stream_unmodeled": event_stream.error("ServiceException", "told to fail"),
                    "stream_bad_crc": frame[:-1] + bytes([frame[-1] ^ 1]),
                    "short_length": frame[:-20],
                }
                self._write(chunked(last[manner]) + _LAST_CHUNK)
                return
            case "stream_no_complete":
                self._write(_LAST_CHUNK)
                return
        await self._pump((chunked(event_stream.chunk(piece)) for piece in pieces), pause)
        self._write(chunked(ending + b"more" if manner == "wrong_length" else ending) + _LAST_CHUNK)
        self._note_whole(answer)

    async def _pump(self, pieces: Iterator[bytes], pause: float) -> None:
        """Write pieces as fast as the client takes them, with a pause between two."""
        for number, piece in enumerate(pieces):
            if number and (pause or number % _IN_A_ROW == 0):
                await asyncio.sleep(pause)
            self._write(piece)
            if self._writable is not None:
                await self._writable
                if self._lost:
                    raise ConnectionResetError

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _note_whole(self, answer: Answer) -> None:
        self._note(f"{answer.status} after the client left" if self._left else str(answer.status))

    def _note(self, answered: str) -> None:
        entry = self._action.entry if self._action is not None else None
        if entry is None:
            return
        if answered != CLIENT_LEFT or entry.answered == PENDING:
            entry.answered = answered

    def _end(self, fault: str) -> None:
        if self._action is not None:
            self._note(NOTHING)
        if fault.startswith("reset"):
            self._reset()
        else:
            self._finish_sending()

    def _reset(self) -> None:
        self._deaf = True
        if self._transport is not None:
            reset(self._transport)

    def _close(self) -> None:
        self._deaf = True
        if self._transport is not None:
            self._transport.close()

    def _finish_sending(self) -> None:
        """An orderly end, which the kernel would make a reset of if the socket were closed with bytes unread."""
        self._deaf = True
        if self._transport is not None:
            finish_sending(self._transport)

    def _secure(self) -> bool:
        return self._transport is not None and self._transport.get_extra_info("sslcontext") is not None


class Gate(asyncio.Protocol):
    """Where a connection comes in: it meets a fault, or becomes a Connection, behind TLS if there is a context."""

    def __init__(
        self, service: LambdaService, tls: ssl.SSLContext | None, fault: str | None, *, told: bool, counted: bool
    ) -> None:
        self._service = service
        self._counted = counted
        self._tls = tls
        self._fault = fault
        self._told = told
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        raw = self._transport = cast(asyncio.Transport, transport)
        if self._told:
            self._fault = self._service.connection_fault()
        match self._fault:
            case None if self._tls is None:
                connection = Connection(self._service, self._counted)
                raw.set_protocol(connection)
                connection.connection_made(raw)
            case None:
                raw.pause_reading()
                self._task = asyncio.get_running_loop().create_task(self._handshake(raw))
            case "reset_before_reading":
                reset(raw)
            case "close_before_reading":
                finish_sending(raw)
            case "accept_hang":
                raw.pause_reading()

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        match self._fault:
            case "tls_refuse":
                reset(self._transport)
            case "tls_close":
                finish_sending(self._transport)
            case "tls_alert":
                self._transport.write(_ALERT)
                finish_sending(self._transport)

    async def _handshake(self, raw: asyncio.Transport) -> None:
        connection = Connection(self._service)
        with suppress(OSError):
            assert self._tls is not None
            secured = await asyncio.get_running_loop().start_tls(raw, connection, self._tls, server_side=True)
            if secured is not None:
                connection.connection_made(secured)


def reset(transport: asyncio.Transport) -> None:
    """Lingering for no time makes the kernel send a reset instead of an orderly end."""
    with suppress(OSError):
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def finish_sending(transport: asyncio.Transport) -> None:
    """Send what is left and FIN, and let the client close; not for longer than a second."""
    if transport.is_closing():
        return
    if not transport.can_write_eof():
        transport.close()
        return
    with suppress(OSError):
        transport.write_eof()
    asyncio.get_running_loop().call_later(_DRAIN_SECONDS, transport.close)
