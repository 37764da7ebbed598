"""Serving a warden over streamable HTTP on this machine until a signal stops it, and ending gracefully."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Final

import anyio
import uvicorn
from mcp.server.transport_security import RequestBodyLimitMiddleware
from mcp.shared.dispatcher import coerce_request_id
from mcp.types import INVALID_REQUEST, JSONRPCMessage, JSONRPCRequest, RequestId
from sse_starlette.sse import AppStatus
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lambda_warden.transport.messages import MESSAGE_BYTES, UnreadableError, cancelled_id, read_message
from lambda_warden.transport.shutdown import end_at_once_by_signals

if TYPE_CHECKING:
    from lambda_warden.app import Warden

HOST: Final = "127.0.0.1"
"""HTTP has no authentication here, so it is for this machine alone."""
_STREAMS_SECONDS: Final = 1.0
"""For answers on their way over HTTP. Then the streams end that clients keep open, which never would by themselves."""
_CLOSE_SECONDS: Final = 3
"""When connections over HTTP are cut that have not ended by then."""


async def serve_http(warden: Warden, port: int) -> None:
    """Serve streamable HTTP on 127.0.0.1 until a signal comes; requests under way have their time to end.

    Args:
        warden: what is served.
        port: 0 for any that is free. The address is said on stderr.
    """
    # It would end the streams that answers go out by as soon as the signal comes.
    AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            for server in self.servers:
                for listener in server.sockets:
                    print(f"serving http://{HOST}:{listener.getsockname()[1]}/mcp", file=sys.stderr, flush=True)  # noqa: T201

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            end_at_once_by_signals()
            await warden.drain(warden.shutdown_grace)
            async with anyio.create_task_group() as group:
                group.start_soon(end_streams)
                await super().shutdown(sockets)
                group.cancel_scope.cancel()

    async def end_streams() -> None:
        await anyio.sleep(_STREAMS_SECONDS)
        AppStatus.should_exit = True

    app = warden.server.streamable_http_app(host=HOST, max_request_body_size=MESSAGE_BYTES)
    config = uvicorn.Config(
        RequestBodyLimitMiddleware(ReadableMessages(app), MESSAGE_BYTES),
        host=HOST,
        port=port,
        log_config=None,  # its lines go where all others go
        log_level=warden.log_level.lower(),
        access_log=warden.log_level in ("DEBUG", "INFO"),
        proxy_headers=False,
        timeout_graceful_shutdown=_CLOSE_SECONDS,
    )
    await Server(config).serve()


class ReadableMessages:
    """Answers what is posted and can't be served, and hands on the rest.

    In one session of the era of handshakes two requests with one id would share one stream, so that the first is never
    answered: the second is refused while the first is under way. Ids are one there if the SDK takes them for one
    number; a cancellation of exactly the id of none that is under way goes no further then.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._under_way: dict[tuple[str, RequestId], RequestId] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        body = await Request(scope, receive).body()
        try:
            message = read_message(body)
            session = Headers(scope=scope).get("mcp-session-id")
            key = self._begin(message, session)
        except UnreadableError as error:
            answer = error.answer.model_dump_json(by_alias=True, exclude_unset=True)
            await Response(answer, status_code=400, media_type="application/json")(scope, receive, send)
            return
        if self._cancels_another(message, session):
            await Response(status_code=202)(scope, receive, send)
            return
        try:
            await self._app(scope, _again(body, receive), send)
        finally:
            if key is not None:
                del self._under_way[key]

    def _cancels_another(self, message: JSONRPCMessage, session: str | None) -> bool:
        """Whether a cancellation would end another request than the one with exactly its id."""
        cancelled = cancelled_id(message)
        if cancelled is None or session is None:
            return False
        number = coerce_request_id(cancelled)
        # A request whose client has left may still run, and is not known here: by its number it can be cancelled.
        return self._under_way.get((session, number), number) != cancelled

    def _begin(self, message: JSONRPCMessage, session: str | None) -> tuple[str, RequestId] | None:
        if session is None or not isinstance(message, JSONRPCRequest):
            return None
        key = session, coerce_request_id(message.id)
        if key in self._under_way:
            raise UnreadableError(INVALID_REQUEST, "id: a request with this id is under way.", message.id)
        self._under_way[key] = message.id
        return key


def _again(body: bytes, receive: Receive) -> Receive:
    """What was received and read, and then whatever comes."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return first.pop() if first else await receive()

    return receive_again
