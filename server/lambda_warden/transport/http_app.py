"""What is served over HTTP, and to whom: MCP to who is authenticated, and to anybody whether it is served."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend, RequireAuthMiddleware
from mcp.server.auth.provider import TokenVerifier
from mcp.server.auth.routes import build_resource_metadata_url, create_protected_resource_routes
from mcp.server.auth.settings import AuthSettings
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from lambda_warden.approvals.server_key import PATH as APPROVALS
from lambda_warden.settings import Settings
from lambda_warden.transport.authentication.keys import RETRY_SECONDS
from lambda_warden.transport.http_connections import HEADER_BYTES
from lambda_warden.transport.http_messages import ReadableMessages
from lambda_warden.transport.messages import MESSAGE_BYTES
from lambda_warden.transport.readiness import Readiness

if TYPE_CHECKING:
    from lambda_warden.app import Warden

PATH: Final = "/mcp"
_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")


def make_app(
    warden: Warden,
    settings: Settings,
    readiness: Readiness,
    verifier: TokenVerifier,
    auth: AuthSettings | None = None,
    hosts: Sequence[str] = (),
    approvals: ASGIApp | None = None,
) -> ASGIApp:
    """The application.

    Args:
        warden: what is served.
        settings: bounds of sessions, and by which names the server may be called.
        readiness: answers for it.
        verifier: tells whose a token is. A session is that of whom it was opened by, and for others there is none.
        auth: the identity provider's side, if there is one.
        hosts: further names that the server may be called by, as they stand in URLs.
        approvals: the pages of approvers, which see to it themselves who comes.
    """
    resource = auth.resource_server_url if auth else None
    manager = StreamableHTTPSessionManager(
        warden.server._lowlevel_server,
        security_settings=_named([*hosts, *settings.http_allowed_hosts]),
        session_idle_timeout=settings.session_idle,
        max_sessions=settings.session_limit,
        max_request_body_size=MESSAGE_BYTES,
    )
    # Who is not authenticated has nothing read of what they send.
    served = RequireAuthMiddleware(
        ReadableMessages(manager.handle_request, readiness),
        (auth.required_scopes if auth else None) or [],
        build_resource_metadata_url(resource) if resource else None,
    )
    routes = [Route(PATH, served), Route("/health", readiness.health), Route("/ready", readiness.ready)]
    if approvals is not None:
        routes.append(Route(f"{APPROVALS}{{rest:path}}", approvals))
    if auth and resource:
        routes += create_protected_resource_routes(resource, [auth.issuer_url], auth.required_scopes)
    backend = BearerAuthBackend(
        verifier, resource_server_url=resource if auth and auth.validate_token_resource else None
    )
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(AuthenticationMiddleware, backend=backend, on_error=_unavailable),
            Middleware(AuthContextMiddleware),
        ],
        lifespan=lambda _: manager.run(),
    )
    return _Unambiguous(app)


def _unavailable(_: HTTPConnection, error: Exception) -> Response:
    """Tokens can't be checked now: 401 would have clients log in again, which would not help."""
    retry = {"retry-after": f"{RETRY_SECONDS:.0f}"}
    return PlainTextResponse(f"Nobody can be authenticated now: {error}.\n", status_code=503, headers=retry)


class _Unambiguous:
    """Refuses requests that a proxy could read in another way, and too many headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["query_string"] = b""  # no page has one, and a token in it would stand in the access log
            names = {name for name, _ in scope["headers"]}
            status = 200
            if sum(len(name) + len(value) + len(": \r\n") for name, value in scope["headers"]) > HEADER_BYTES:
                status = 431
            elif {b"transfer-encoding", b"content-length"} <= names:
                status = 400
            if status != 200:
                refusal = PlainTextResponse("Refused.\n", status_code=status, headers={"connection": "close"})
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _named(names: Sequence[str]) -> TransportSecuritySettings:
    """Where requests may say that they go to (Host), and which site's pages may send them (Origin), under any port."""

    def any_port(values: Sequence[str]) -> list[str]:
        return [each for value in values for each in (value, f"{value}:*")]

    return TransportSecuritySettings(
        allowed_hosts=any_port([*_LOOPBACK, *names]),
        allowed_origins=any_port([f"http://{name}" for name in _LOOPBACK] + [f"https://{name}" for name in names]),
    )
