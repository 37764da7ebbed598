"""What stands before every page: requests of other sites are refused, and answers are kept from them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS: Final = {
    # No script, no picture, no frame; forms go nowhere else.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not no-referrer: browsers then send `Origin: null` with a form, which can't be told from another site's.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guarded:
    """Refuses what a page of another site could send, and gives each answer the headers that keep it to itself.

    Args:
        app: what is guarded.
        refusal: why a request with a method and headers is not served, or None.
    """

    def __init__(self, app: ASGIApp, refusal: Callable[[str, Headers], str | None]) -> None:
        self._app = app
        self._refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        problem = self._refusal(scope["method"], Headers(scope=scope))
        app = self._app if problem is None else PlainTextResponse(problem, status_code=403)
        await app(scope, receive, send_guarded)


def own_site_only(hosts: Collection[str]) -> Callable[[str, Headers], str | None]:
    """Refuses what is not sent by a page of this server's own.

    Args:
        hosts: HOST:PORT, as browsers may call this server. Any other name is one that somebody points here, so that
            their page counts as ours (DNS rebinding).
    """

    def refusal(method: str, headers: Headers) -> str | None:
        host = headers.get("host")
        if host not in hosts or len(headers.getlist("host")) > 1:
            return "This server is called by another name."
        return sent_by_another_site(method, headers, f"http://{host}")

    return refusal


def sent_by_another_site(method: str, headers: Headers, origin: str) -> str | None:
    """Why a request is refused that changes something, and was not sent by a page of an origin; None if it isn't."""
    if method in ("GET", "HEAD"):  # which change nothing
        return None
    if headers.get("origin") != origin or headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return "This was sent by a page of another site."
    return None
