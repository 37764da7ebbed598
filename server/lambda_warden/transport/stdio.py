"""Serving a warden over stdin and stdout until its client leaves or a signal stops it, and ending gracefully.

The SDK cancels whatever is under way as soon as its input ends. Here the requests that were read are answered first,
for as long as the settings allow: so that a client that closes its end, or an operator who stops the server, loses
nothing that could have been known. What has not ended then is given up, and that is its answer.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
from anyio.streams.memory import MemoryObjectSendStream
from mcp.shared.dispatcher import coerce_request_id
from mcp.shared.message import SessionMessage
from mcp.types import (
    INTERNAL_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCRequest,
    JSONRPCResponse,
    RequestId,
)

from lambda_warden.transport.messages import MESSAGE_BYTES, UnreadableError, cancelled_id, read_message
from lambda_warden.transport.shutdown import FLUSH_SECONDS, Stopping
from lambda_warden.transport.standard_streams import Reader, Writer, standard_streams

if TYPE_CHECKING:
    from lambda_warden.app import Warden

_POLL_SECONDS: Final = 0.02

_Self = TypeVar("_Self")

logger = logging.getLogger(__name__)


async def serve_stdio(warden: Warden) -> None:
    """Serve on stdin and stdout until stdin ends, or SIGTERM or SIGINT comes; a second signal ends it at once."""
    with standard_streams(MESSAGE_BYTES) as (reader, writer):
        unanswered = _Unanswered(warden)
        stopping = Stopping(unanswered.stop)
        async with anyio.create_task_group() as group:
            group.start_soon(stopping.wait)
            async with _written(writer, unanswered) as outgoing:
                # MCPServer.run_stdio_async does just this, and lets nobody put anything between it and its streams.
                server = warden.server._lowlevel_server
                incoming = _Incoming(reader, outgoing, unanswered)
                await server.run(incoming, outgoing, server.create_initialization_options())
            group.cancel_scope.cancel()
        await stopping.end()


class _Unanswered:
    """The requests that were read and not answered, and when to wait for them no longer."""

    def __init__(self, warden: Warden) -> None:
        self._ids: Counter[RequestId] = Counter()  # two requests may have one id, and each is answered
        self._warden = warden
        self._stopped = False
        self._reading: anyio.CancelScope | None = None

    def stop(self) -> None:
        """Read nothing more."""
        self._stopped = True
        if self._reading is not None:
            self._reading.cancel()

    def __contains__(self, request_id: RequestId) -> bool:
        return request_id in self._ids

    def cancels_another(self, message: JSONRPCMessage) -> bool:
        """Whether the SDK would end another request by a cancellation than the one with exactly its id."""
        cancelled = cancelled_id(message)
        if cancelled is None:
            return False
        meant = {each for each in self._ids if coerce_request_id(each) == coerce_request_id(cancelled)}
        return meant not in ({cancelled}, set())

    async def next_of(self, reader: Reader) -> bytes | None:
        """The next line, or None when there is none, or none is wanted."""
        with anyio.CancelScope() as self._reading:
            return None if self._stopped else await anext(reader, None)
        return None

    async def was_read(self, message: JSONRPCMessage) -> None:
        if isinstance(message, JSONRPCRequest):
            self._ids[message.id] += 1
        elif (cancelled := cancelled_id(message)) is not None:
            await self._warden.dropped(cancelled)  # before what is read next
            self._settle(cancelled)  # it gets no answer

    def was_written(self, message: JSONRPCMessage) -> None:
        if isinstance(message, JSONRPCResponse | JSONRPCError):
            self._settle(message.id)

    async def wait(self) -> None:
        """Until everything is answered: with what comes in time, and then with what is known."""
        self._warden.end_streams()
        with anyio.move_on_after(self._warden.shutdown_grace):
            await self._until_answered()
        if self._ids:
            await self._warden.drain(0)
            with anyio.move_on_after(FLUSH_SECONDS):
                await self._until_answered()

    def _settle(self, request_id: RequestId | None) -> None:
        if request_id is None:
            return
        if self._ids[request_id] > 1:
            self._ids[request_id] -= 1
        else:
            del self._ids[request_id]

    async def _until_answered(self) -> None:
        while self._ids:
            await anyio.sleep(_POLL_SECONDS)


class _Incoming:
    """The messages for the SDK. Ends when stdin ends or the server is stopped, and everything read was answered."""

    def __init__(
        self, reader: Reader, outgoing: MemoryObjectSendStream[SessionMessage], unanswered: _Unanswered
    ) -> None:
        self._reader = reader
        self._outgoing = outgoing
        self._unanswered = unanswered

    async def receive(self) -> SessionMessage | Exception:
        while (line := await self._unanswered.next_of(self._reader)) is not None:
            if not line.strip():
                continue
            try:
                message = read_message(line)
            except UnreadableError as error:
                logger.warning("a message could not be read: %s", error)
                await self._answer(error)
                continue
            if self._unanswered.cancels_another(message):
                continue
            await self._unanswered.was_read(message)
            return SessionMessage(message)
        await self._unanswered.wait()
        raise anyio.EndOfStream

    async def _answer(self, error: UnreadableError) -> None:
        if error.is_due:
            answer = error.answer
            # An error for a call that is under way would tell that it has ended.
            if answer.id is not None and answer.id in self._unanswered:
                answer = answer.model_copy(update={"id": None})
            await self._outgoing.send(SessionMessage(answer))

    def __aiter__(self) -> _Incoming:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        """The descriptor is closed by who opened it."""

    async def __aenter__(self: _Self) -> _Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


@asynccontextmanager
async def _written(writer: Writer, unanswered: _Unanswered) -> AsyncIterator[MemoryObjectSendStream[SessionMessage]]:
    """A stream of which everything is written, each message whole, whatever becomes of who sent it."""
    send, receive = anyio.create_memory_object_stream[SessionMessage](0)

    async def write_all() -> None:
        left = False
        async with receive:
            async for item in receive:
                try:
                    if not left:
                        await writer.write(_line(item.message))
                except OSError as error:
                    left = True
                    logger.warning("nobody reads stdout any more: %s", error)
                    unanswered.stop()
                unanswered.was_written(item.message)

    async with anyio.create_task_group() as group:
        group.start_soon(write_all)
        async with send:
            yield send


def _line(message: JSONRPCMessage) -> str:
    try:
        return message.model_dump_json(by_alias=True, exclude_unset=True) + "\n"
    except ValueError as error:  # what JSON in UTF-8 can't have must not end the server
        logger.error("an answer could not be written: %s", error)
        failed = JSONRPCError(
            jsonrpc="2.0",
            id=getattr(message, "id", None),
            error=ErrorData(code=INTERNAL_ERROR, message="The answer could not be written as JSON."),
        )
        return failed.model_dump_json(by_alias=True, exclude_unset=True) + "\n"
