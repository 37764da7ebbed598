"""The pages on which the people whom rules name decide, behind the company's proxy: each request says whose it is.

There is no session here: every request carries an access token, and what it may see and decide follows from that
alone. A program sends `Accept: application/json`, and decides by JSON.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from anyio.to_thread import run_sync
from mcp.server.transport_security import RequestBodyLimitMiddleware
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from lambda_warden.approvals.server_key import PATH as BASE
from lambda_warden.approvals.server_key import ServerKey
from lambda_warden.approvals_page.guards import Guarded, sent_by_another_site
from lambda_warden.approvals_page.requests import BODY_BYTES, NOTE_CHARACTERS, OVER, VERDICTS, form_of, style
from lambda_warden.approvals_page.views import render
from lambda_warden.guard.approvers import approver_of
from lambda_warden.model.caller import Caller
from lambda_warden.store.approvals import ApprovalState, ApprovalStore, PendingApproval, counts
from lambda_warden.store.audit_log import RecordError

_LOOKED_THROUGH: Final = 500
"""Requests, the newest, among which a person's are looked for."""
_SHOWN: Final = 200
_OVER_SHOWN: Final = 10
_JSON: Final = "application/json"

CallerOf = Callable[[Headers], Awaitable[Caller | None]]
_Page = Callable[[Request, Caller], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class TeamPages:
    """The pages of one server.

    Attributes:
        store: where requests are kept and decided on.
        key: signs what is decided.
        caller_of: whose a request is, by its headers; None if it has no token that is taken.
        origin: of the URL that browsers call them by: `https://HOST`.
    """

    store: ApprovalStore
    key: ServerKey
    caller_of: CallerOf
    origin: str

    def app(self) -> ASGIApp:
        """The pages as an application. Its paths begin with `BASE`."""
        one = f"{BASE}/requests/{{approval_id}}"
        routes = [
            Route(BASE, lambda _: RedirectResponse(f"{BASE}/", status_code=308)),
            Route(f"{BASE}/", self._of_a_person(self._list)),
            Route(f"{BASE}/style.css", style),
            Route(one, self._of_a_person(self._show), methods=["GET"]),
            Route(one, self._of_a_person(self._decide), methods=["POST"]),
        ]
        pages = Starlette(routes=routes, exception_handlers={RecordError: _records_failed})
        pages.router.redirect_slashes = False
        return Guarded(RequestBodyLimitMiddleware(pages, BODY_BYTES), self._refusal)

    def _refusal(self, method: str, headers: Headers) -> str | None:
        # A program has no origin, and says with its token that it is meant; a browser always says where a form is from.
        if "origin" not in headers and headers.get("content-type") == _JSON:
            return None
        return sent_by_another_site(method, headers, self.origin)

    def _of_a_person(self, page: _Page) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            caller = await self.caller_of(request.headers)
            if caller is None:
                problem = "Who you are is not known: this request has no access token that is taken."
                return _problem(request, 401, problem, {"WWW-Authenticate": "Bearer"})
            if not caller.answers_for_a_person:
                return _problem(request, 403, "An agent decides on nothing, for whomever it acts.")
            return await page(request, caller)

        return guarded

    async def _list(self, request: Request, caller: Caller) -> Response:
        waiting = await self._theirs(caller, ("pending",), _SHOWN)
        over = await self._theirs(caller, OVER, _OVER_SHOWN)
        if _wants_json(request):
            return _json({"requests": [_as_json(each) for each in (*waiting, *over)]})
        return _html("list", waiting=waiting, over=over, more=len(waiting) == _SHOWN)

    async def _theirs(self, caller: Caller, states: tuple[ApprovalState, ...], limit: int) -> list[PendingApproval]:
        found = await run_sync(self.store.approvals, states, _LOOKED_THROUGH)
        return [each for each in found if approver_of(caller, each.ask.approvers)][:limit]

    async def _find(self, request: Request, caller: Caller) -> PendingApproval | None:
        """The request, for its approvers: for all others there is none."""
        pending = await run_sync(self.store.find_approval, request.path_params["approval_id"])
        return pending if pending is not None and approver_of(caller, pending.ask.approvers) else None

    async def _show(self, request: Request, caller: Caller) -> Response:
        pending = await self._find(request, caller)
        return self._one(request, caller, pending)

    async def _decide(self, request: Request, caller: Caller) -> Response:
        form = await _sent(request)
        pending = await self._find(request, caller)
        if pending is None:
            return self._one(request, caller, None)
        token = self.key.form_token(caller.principal, pending)
        if not hmac.compare_digest(token.encode(), form.get("form_token", "").encode(errors="replace")):
            return _problem(request, 403, "This form is not yours, or the request was changed. Open it again.")
        verdict, note = VERDICTS.get(form.get("decision", "")), form.get("note", "").strip()
        if verdict is None or len(note) > NOTE_CHARACTERS:
            return _problem(request, 400, "This form can't be read. Nothing was decided.")
        taken = await run_sync(
            lambda: self.key.rulings.decide(
                self.store,
                pending,
                verdict,
                by=caller.principal,
                how="token" if _wants_json(request) else "page",
                note=note or None,
                approver=approver_of(caller, pending.ask.approvers),
            )
        )
        now = await self._find(request, caller)
        if taken and not _wants_json(request):
            return RedirectResponse(request.url.path, status_code=303)
        return self._one(request, caller, now, 200 if taken else 409, late=not taken)

    def _one(
        self,
        request: Request,
        caller: Caller,
        pending: PendingApproval | None,
        status: int = 200,
        *,
        late: bool = False,
    ) -> Response:
        if pending is None:
            return _problem(request, 404, "There is no such request for you, or it is long over.")
        token = self.key.form_token(caller.principal, pending)
        if _wants_json(request):
            if late:
                return _problem(request, status, "It was decided already, it is over, or it is not yours to decide on.")
            return _json({"request": _as_json(pending), "form_token": token}, status)
        approver = approver_of(caller, pending.ask.approvers)
        return _html(
            "request",
            status,
            pending=pending,
            form_token=token,
            late=late,
            problem="",
            note="",
            note_characters=NOTE_CHARACTERS,
            by_secret=False,
            own=not counts(pending.ask, caller.principal, approver),
            approved=any(each.by == caller.principal for each in pending.rulings),
        )


async def _sent(request: Request) -> dict[str, str]:
    if request.headers.get("content-type") != _JSON:
        return await form_of(request)
    try:
        said = json.loads(await request.body())
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) and all(isinstance(value, str) for value in said.values()) else {}


def _wants_json(request: Request) -> bool:
    return request.headers.get("accept") == _JSON


def _as_json(pending: PendingApproval) -> dict[str, Any]:
    """A request for a program, which has no use for signatures."""
    return asdict(replace(pending, rulings=tuple(replace(each, signature="") for each in pending.rulings)))


def _json(value: dict[str, Any], status: int = 200) -> Response:
    # As ASCII: a text may hold half a surrogate pair, which UTF-8 has no bytes for.
    return Response(json.dumps(value), status, media_type=_JSON)


async def _records_failed(request: Request, error: Exception) -> Response:
    return _problem(request, 500, f"The records can't be used now. Open it again to see whether it is decided: {error}")


def _problem(request: Request, status: int, problem: str, headers: dict[str, str] | None = None) -> Response:
    answer = _json({"problem": problem}, status) if _wants_json(request) else _html("problem", status, problem=problem)
    answer.headers.update(headers or {})
    return answer


def _html(template: str, status: int = 200, **values: Any) -> Response:
    return HTMLResponse(render(template, base=BASE, **values), status_code=status)
