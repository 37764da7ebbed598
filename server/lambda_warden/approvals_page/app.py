"""The pages: a login, the list of requests, one request with its decision."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

from anyio.to_thread import run_sync
from mcp.server.transport_security import RequestBodyLimitMiddleware
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from lambda_warden.approvals.secret import ApproverKey, SecretError
from lambda_warden.approvals_page.guards import Guarded, own_site_only
from lambda_warden.approvals_page.requests import BODY_BYTES, NOTE_CHARACTERS, OVER, VERDICTS, form_of, style
from lambda_warden.approvals_page.sessions import Session, Sessions
from lambda_warden.approvals_page.views import render
from lambda_warden.store.approvals import ApprovalState, ApprovalStore
from lambda_warden.store.audit_log import RecordError

COOKIE: Final = "lambda_warden_approvals"
_OPEN_SHOWN: Final = 200
_OVER_SHOWN: Final = 10
_OPEN: Final[tuple[ApprovalState, ...]] = ("pending",)

_Page = Callable[[Request, Session], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class ApprovalPages:
    """The pages of one process.

    Attributes:
        store: where requests are kept and decided on.
        unlock: makes the key that decides of the approver's secret. Raises `SecretError` if it is wrong, or may not be
            tried now. Blocks.
        by: who decides, for the records.
        sessions: who may see the pages.
        base: the path that everything lies below, such as `/x3k…`. Nobody else knows it: a cookie goes to every port
            of a host, and so to any other server on this machine, but to no other path than its own.
    """

    store: ApprovalStore
    unlock: Callable[[str], ApproverKey]
    by: str
    sessions: Sessions
    base: str

    def app(self, hosts: Collection[str]) -> ASGIApp:
        """The pages as an application.

        Args:
            hosts: HOST:PORT, as browsers may call it.
        """
        one = f"{self.base}/requests/{{approval_id}}"
        routes = [
            Route(f"{self.base}/", self._signed_in(self._list)),
            Route(f"{self.base}/login", self._login_form, methods=["GET"]),
            Route(f"{self.base}/login", self._login, methods=["POST"]),
            Route(f"{self.base}/style.css", style),
            Route(one, self._signed_in(self._show), methods=["GET"]),
            Route(one, self._signed_in(self._decide), methods=["POST"]),
        ]
        pages = Starlette(routes=routes, exception_handlers={RecordError: self._records_failed})
        pages.router.redirect_slashes = False
        return Guarded(RequestBodyLimitMiddleware(pages, BODY_BYTES), own_site_only(hosts))

    async def _login_form(self, request: Request) -> Response:
        token = request.query_params.get("token", "")
        return self._html("login", token=token) if self.sessions.is_link(token) else self._signed_out()

    async def _login(self, request: Request) -> Response:
        session_id = self.sessions.open((await form_of(request)).get("token", ""))
        if session_id is None:
            return self._signed_out()
        answer = RedirectResponse(f"{self.base}/", status_code=303)
        answer.set_cookie(COOKIE, session_id, path=self.base, httponly=True, samesite="strict")
        return answer

    async def _list(self, _request: Request, _session: Session) -> Response:
        waiting = await run_sync(self.store.approvals, _OPEN, _OPEN_SHOWN)
        over = await run_sync(self.store.approvals, OVER, _OVER_SHOWN)
        return self._html("list", waiting=waiting, over=over, more=len(waiting) == _OPEN_SHOWN)

    async def _show(self, request: Request, session: Session) -> Response:
        return await self._one(request, session, late="late" in request.query_params)

    async def _decide(self, request: Request, session: Session) -> Response:
        form = await form_of(request)
        if not session.sent_by(form.get("form_token", "")):
            return self._html("problem", 403, problem="This form is not of this session. Open the request again.")
        verdict, note = VERDICTS.get(form.get("decision", "")), form.get("note", "").strip()
        if verdict is None or len(note) > NOTE_CHARACTERS:
            return self._html("problem", 400, problem="This form can't be read. Nothing was decided.")
        pending = await run_sync(self.store.find_approval, request.path_params["approval_id"])
        if pending is None or pending.state != "pending":
            return await self._one(request, session, late=True)
        try:
            key = await run_sync(self.unlock, form.get("secret", ""))
        except SecretError as error:
            return await self._one(request, session, 403, problem=str(error), note=note)
        counts = await run_sync(
            lambda: key.decide(self.store, pending, verdict, by=self.by, how="page", note=note or None)
        )
        return RedirectResponse(f"{request.url.path}{'' if counts else '?late'}", status_code=303)

    async def _one(
        self,
        request: Request,
        session: Session,
        status: int = 200,
        *,
        late: bool = False,
        problem: str = "",
        note: str = "",
    ) -> Response:
        pending = await run_sync(self.store.find_approval, request.path_params["approval_id"])
        if pending is None:
            return self._html("problem", 404, problem="There is no such request, or it is long over.")
        values = {
            "late": late,
            "problem": problem,
            "note": note,
            "note_characters": NOTE_CHARACTERS,
            "by_secret": True,
            "own": False,
            "approved": False,
        }
        return self._html("request", status, pending=pending, form_token=session.form_token, **values)

    def _signed_in(self, page: _Page) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            by_person = "auto" not in request.query_params
            session = self.sessions.find(request.cookies.get(COOKIE, ""), by_person=by_person)
            return self._signed_out() if session is None else await page(request, session)

        return guarded

    def _signed_out(self) -> Response:
        return self._html("signed_out", 403)

    async def _records_failed(self, _: Request, error: Exception) -> Response:
        problem = f"The records can't be used now. Open it again to see whether it is decided: {error}"
        return self._html("problem", 500, problem=problem)

    def _html(self, template: str, status: int = 200, **values: Any) -> Response:
        return HTMLResponse(render(template, base=self.base, **values), status_code=status)
