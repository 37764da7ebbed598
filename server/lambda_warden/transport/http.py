"""Serving a warden over streamable HTTP until a signal stops it, and ending gracefully."""

from __future__ import annotations

import ipaddress
import shlex
import socket
import sys
from typing import TYPE_CHECKING, Final

import anyio
import uvicorn
from sse_starlette.sse import AppStatus
from starlette.types import ASGIApp

from lambda_warden.errors import SettingsError
from lambda_warden.settings import Settings, identity_provider_configured
from lambda_warden.transport.http_app import PATH, make_app
from lambda_warden.transport.http_connections import HEADER_BYTES, BoundedConnection, connection_limit
from lambda_warden.transport.local_token import LocalToken, read_or_make_token
from lambda_warden.transport.readiness import Readiness
from lambda_warden.transport.shutdown import end_at_once_by_signals

if TYPE_CHECKING:
    from lambda_warden.app import Warden

_KEEP_ALIVE_SECONDS: Final = 75
"""Longer than load balancers keep an idle connection (60 s): they would send a request into one that just ends."""
_BACKLOG: Final = 2_048
_LAST_PORT: Final = 65_535
_STREAMS_SECONDS: Final = 1.0
"""For answers on their way over HTTP. Then the streams end that clients keep open, which never would by themselves."""
_CLOSE_SECONDS: Final = 3
"""When connections over HTTP are cut that have not ended by then."""


def listen(settings: Settings) -> socket.socket:
    """The socket that `--http` names.

    Raises:
        SettingsError: if it can't be had, or others than this machine could reach it without an identity provider.
    """
    host, _, port = (settings.http or "").rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    if not (_is_loopback(host) or identity_provider_configured(settings)):
        raise SettingsError(
            f"--http {settings.http}: another address than this machine's own (127.0.0.1, [::1]) is served only with "
            "authentication by an identity provider"
        )
    try:
        if int(port) > _LAST_PORT:
            raise OSError(f"ports are 0 to {_LAST_PORT}")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, int(port)), family=family, backlog=_BACKLOG)
        # Connections inherit it. Without, the body of an answer waits 40 ms for the client to acknowledge its headers;
        # asyncio sets it only where the socket names its protocol.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        raise SettingsError(f"--http {settings.http} can't be served: {error}") from error


async def serve_http(
    warden: Warden, settings: Settings, listener: socket.socket, approvals: ASGIApp | None = None
) -> None:
    """Serve streamable HTTP until a signal comes; requests under way have their time to end.

    Args:
        warden: what is served.
        settings: the operator's.
        listener: where. The address is said on stderr.
        approvals: the pages of approvers, if there are any.

    Raises:
        SettingsError: if the token that clients have to send can't be read or made.
    """
    auth, verifier = warden.server.settings.auth, warden.server._token_verifier
    url = f"http://{_authority(listener)}{PATH}"
    said = f"serving {url}"
    if auth is None or verifier is None:
        verifier = LocalToken(read_or_make_token(settings.http_token_file))
        said += f"\n{_for_clients(url, settings)}"
    hosts = [_authority(listener).rpartition(":")[0]]
    if auth and auth.resource_server_url and auth.resource_server_url.host:
        hosts.append(auth.resource_server_url.host)
    readiness = Readiness(warden)
    app = make_app(warden, settings, readiness, verifier, auth, hosts, approvals)
    await HttpServer(warden, app, readiness, said).serve([listener])


class HttpServer(uvicorn.Server):
    """Serves an application of `make_app`.

    Args:
        warden: whose calls have their time to end.
        app: what is served.
        readiness: is told when the server ends.
        said: what stderr says once it listens.
    """

    def __init__(self, warden: Warden, app: ASGIApp, readiness: Readiness, said: str = "") -> None:
        # It would end the streams that answers go out by as soon as the signal comes.
        AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]
        config = uvicorn.Config(
            app,
            http=BoundedConnection,
            ws="none",
            lifespan="on",
            log_config=None,
            log_level=warden.log_level.lower(),
            access_log=warden.log_level in ("DEBUG", "INFO"),
            proxy_headers=False,
            server_header=False,
            limit_concurrency=connection_limit(),
            h11_max_incomplete_event_size=HEADER_BYTES,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_CLOSE_SECONDS,
        )
        super().__init__(config)
        self._warden = warden
        self._readiness = readiness
        self._said = said

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        if self._said:
            print(self._said, file=sys.stderr, flush=True)  # noqa: T201

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no new calls, let those under way end, and close."""
        self._readiness.draining = True
        end_at_once_by_signals()
        await self._warden.drain(self._warden.shutdown_grace)
        async with anyio.create_task_group() as group:
            group.start_soon(_end_streams)
            await super().shutdown(sockets)
            group.cancel_scope.cancel()


async def _end_streams() -> None:
    await anyio.sleep(_STREAMS_SECONDS)
    AppStatus.should_exit = True


def _for_clients(url: str, settings: Settings) -> str:
    """How a client is told of the token. It does not stand there itself: what goes to stderr is often kept."""
    file = shlex.quote(str(settings.http_token_file))
    return (
        f"Clients have to send the token in {file}, such as by\n"
        f'  claude mcp add --transport http lambda-warden {url} --header "Authorization: Bearer $(cat {file})"'
    )


def _authority(listener: socket.socket) -> str:
    """HOST:PORT, as URLs have it."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
