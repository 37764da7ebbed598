"""Messages as they are posted: each is read whole and strictly, or refused with an error that its sender can read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from mcp.shared.dispatcher import coerce_request_id
from mcp.types import INTERNAL_ERROR, INVALID_REQUEST, JSONRPCMessage, JSONRPCRequest, RequestId
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lambda_warden.transport.messages import MESSAGE_BYTES, UnreadableError, cancelled_id, read_message
from lambda_warden.transport.readiness import Readiness

HELD_BYTES: Final = 256 * 1024 * 1024
"""Of all messages under way together."""
_READ_BYTES: Final = 3 * MESSAGE_BYTES
"""So much of a message that is refused is read and dropped: a client that still sends would not see the answer."""
_RETRY_SECONDS: Final = "5"


class RefusedError(Exception):
    """A message that is not served.

    Attributes:
        response: what its sender is told.
    """

    def __init__(self, status: int, error: UnreadableError, **headers: str) -> None:
        super().__init__(str(error))
        answer = error.answer.model_dump_json(by_alias=True, exclude_unset=True)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.response = Response(answer, status, named, "application/json")


class ReadableMessages:
    """Answers what is posted and can't be served, and hands on the rest.

    In one session of the era of handshakes two requests with one id would share one stream, so that the first is never
    answered: the second is refused while the first is under way. Ids are one there if the SDK takes them for one
    number; a cancellation of exactly the id of none that is under way goes no further then.

    Args:
        app: what is handed on to.
        readiness: tells whether the server ends. Then it refuses requests; what belongs to those under way passes.
    """

    def __init__(self, app: ASGIApp, readiness: Readiness) -> None:
        self._app = app
        self._readiness = readiness
        self._held = 0
        self._under_way: dict[tuple[str, RequestId], RequestId] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        try:
            async with self._whole(receive) as body:
                await self._serve(body, scope, receive, send)
        except RefusedError as error:
            await error.response(scope, receive, send)
        except ClientDisconnect:
            return

    async def _serve(self, body: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            message = read_message(body)
            session = Headers(scope=scope).get("mcp-session-id")
            key = self._begin(message, session)
        except UnreadableError as error:
            raise RefusedError(400, error) from None
        if self._cancels_another(message, session):
            await Response(status_code=202)(scope, receive, send)
            return
        try:
            await self._app(scope, _again(body, receive), send)
        finally:
            if key is not None:
                del self._under_way[key]

    @asynccontextmanager
    async def _whole(self, receive: Receive) -> AsyncIterator[bytes]:
        """The whole of a message, which counts until it was answered.

        Raises:
            RefusedError: if it is too long, or there is no room for it now.
            ClientDisconnect: if its sender leaves before its end.
        """
        parts: list[bytes] = []
        size = held = 0
        refused: RefusedError | None = None
        more = True
        try:
            while more and size <= _READ_BYTES:
                part, more = await _next_of(receive)
                size += len(part)
                if refused is None and (refused := self._no_room(size, len(part))) is None:
                    parts.append(part)
                    held += len(part)
                    self._held += len(part)
            if refused is not None:
                raise refused
            body = b"".join(parts)
            parts.clear()
            yield body
        finally:
            self._held -= held

    def _no_room(self, size: int, added: int) -> RefusedError | None:
        if size > MESSAGE_BYTES:
            error = UnreadableError(INVALID_REQUEST, f"The message is over {MESSAGE_BYTES:,} bytes.", None)
            return RefusedError(413, error, connection="close")
        if self._held + added > HELD_BYTES:
            error = UnreadableError(INTERNAL_ERROR, "Too many large messages are under way. Send it later.", None)
            return RefusedError(503, error, connection="close", retry_after=_RETRY_SECONDS)
        return None

    def _cancels_another(self, message: JSONRPCMessage, session: str | None) -> bool:
        """Whether a cancellation would end another request than the one with exactly its id."""
        cancelled = cancelled_id(message)
        if cancelled is None or session is None:
            return False
        number = coerce_request_id(cancelled)
        # A request whose client has left may still run, and is not known here: by its number it can be cancelled.
        return self._under_way.get((session, number), number) != cancelled

    def _begin(self, message: JSONRPCMessage, session: str | None) -> tuple[str, RequestId] | None:
        if not isinstance(message, JSONRPCRequest):
            return None
        if self._readiness.draining:
            error = UnreadableError(INTERNAL_ERROR, "The server ends. Send it to another, or later.", message.id)
            raise RefusedError(503, error, connection="close", retry_after=_RETRY_SECONDS)
        if session is None:
            return None
        key = session, coerce_request_id(message.id)
        if key in self._under_way:
            raise UnreadableError(INVALID_REQUEST, "id: a request with this id is under way.", message.id)
        self._under_way[key] = message.id
        return key


async def _next_of(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] != "http.request":
        raise ClientDisconnect
    return message.get("body", b""), message.get("more_body", False)


def _again(body: bytes, receive: Receive) -> Receive:
    """What was received and read, and then whatever comes."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return first.pop() if first else await receive()

    return receive_again
