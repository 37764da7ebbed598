"""Deciding on calls at a server over HTTP, with a person's own access token: its pages, for the command line."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import click
import httpx2

from lambda_warden.approvals.server_key import PATH
from lambda_warden.report.visible import inline
from lambda_warden.store.approvals import (
    ApprovalAsk,
    ApprovalRuling,
    ApprovalState,
    ApprovalVerdict,
    PendingApproval,
)
from lambda_warden.transport.authentication.keys import is_safe

_JSON: Final = "application/json"
_SECONDS: Final = 30.0


class RemoteApprovals:
    """An `ApprovalReader` of one server, which decides, too. Each method raises `click.ClickException`.

    Args:
        url: of the server: `https://warden.example.com`.
        token_file: holds the access token.
    """

    def __init__(self, url: str, token_file: Path) -> None:
        if not is_safe(url):
            raise click.ClickException("--url: expected https://…, or http:// on this machine")
        self._base = url.rstrip("/").removesuffix(PATH) + PATH
        try:
            self._token = token_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise click.ClickException(f"the access token can't be read: {error}") from None
        if not (self._token.isascii() and self._token.isprintable()):
            raise click.ClickException(f"{token_file} holds no access token")
        self._form_tokens: dict[str, str] = {}

    def approvals(self, states: Collection[ApprovalState] = (), limit: int = 50) -> list[PendingApproval]:
        """The newest requests that this person may see, the newest first."""
        found = [_read(each) for each in self._ask("GET", "/")["requests"]]
        return [each for each in found if each.state in states or not states][:limit]

    def find_approval(self, approval_id: str) -> PendingApproval | None:
        """One request. What is decided on it is bound to how it is now."""
        if not (approval_id.isascii() and approval_id.isalnum()):
            return None
        found = self._ask("GET", f"/requests/{approval_id}")
        self._form_tokens[approval_id] = found["form_token"]
        return _read(found["request"])

    def decide(self, pending: PendingApproval, verdict: ApprovalVerdict, note: str | None) -> PendingApproval:
        """Decide on a request that was found, and give it as it is then."""
        approval_id = pending.ask.approval_id
        decision = {"approved": "approve", "denied": "deny"}[verdict]
        form = {"form_token": self._form_tokens[approval_id], "decision": decision, "note": note or ""}
        return _read(self._ask("POST", f"/requests/{approval_id}", form)["request"])

    def _ask(self, method: str, path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
        headers = {"accept": _JSON, "authorization": f"Bearer {self._token}"}
        try:
            with httpx2.Client(follow_redirects=False, timeout=_SECONDS) as client:
                answer = client.request(method, f"{self._base}{path}", headers=headers, json=body)
            said = answer.json()
            problem = said.get("problem")
        except (httpx2.HTTPError, ValueError, AttributeError) as error:
            raise click.ClickException(
                f"{self._base} gave no answer that can be read: {type(error).__name__}"
            ) from None
        if problem is not None or answer.status_code != 200 or not isinstance(said, dict):
            raise click.ClickException(inline(str(problem or f"{self._base} answered HTTP {answer.status_code}")))
        return said


def _read(said: dict[str, Any]) -> PendingApproval:
    try:
        ask = ApprovalAsk(**said.pop("ask"))
        rulings = tuple(ApprovalRuling(**each) for each in said.pop("rulings"))
        return PendingApproval(ask, **said, rulings=rulings)
    except (TypeError, LookupError, AttributeError):
        raise click.ClickException("the server's answer is none of this version") from None
