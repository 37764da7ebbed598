"""Asking a person through the client: MCP elicitation, in both protocol eras.

Until revision 2025-11-25 the question is a request to the client in the middle of the call. From 2026-07-28 on it is
the call's result (`input_required`), and the client calls again with the answer. The SDK's resolvers do that too, but
let one answer be used for as many calls as arrive before its state expires. Here an answer is good for one call: the
state names a question in the store, which is used up when it is answered.
"""

from __future__ import annotations

import json
import uuid
from contextlib import suppress
from typing import Any, Final

import anyio
import anyio.to_thread
from mcp.server.elicitation import render_elicitation_schema
from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from mcp.types import (
    ElicitationCapability,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitRequestParams,
    ElicitRequestURLParams,
    ElicitResult,
    InputRequiredResult,
)
from mcp_types.version import is_version_at_least
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lambda_warden.approvals.approver import ApprovalPending
from lambda_warden.approvals.request import ApprovalRequest
from lambda_warden.model.approval import ApprovalDecision
from lambda_warden.store.audit_log import AuditLog

_KEY: Final = "approval"
_INPUT_REQUIRED: Final = "2026-07-28"


class Approval(BaseModel):
    """The form that the person fills in. Accepting it is not enough: some hosts accept forms with their defaults."""

    model_config = ConfigDict(strict=True)

    approve: bool = Field(description="Run it, exactly as shown.")


class ApprovalInputRequired(ApprovalPending):
    """Raised to send the question as the result of the call (MCP's `input_required`)."""

    def __init__(self, result: InputRequiredResult) -> None:
        self.result = result


class ClientApprover:
    """Asks the person at the client of one call, by MCP elicitation.

    Args:
        context: the call's.
        records: where open questions are kept.
        timeout_seconds: how long an answer is waited for, in either era.
        authentic: whether it is known who the client is. Else any process could give the person's answer.
    """

    def __init__(
        self, context: Context[Any, Any], records: AuditLog, timeout_seconds: float, *, authentic: bool
    ) -> None:
        self._authentic = authentic
        self._context = context
        self._records = records
        self._timeout = timeout_seconds

    @property
    def unable(self) -> ApprovalDecision | None:
        """Why nobody can be asked: the client has to be known, and say that it can put a form to a person."""
        if not self._authentic:
            return "unauthenticated"
        elicitation = self._elicitation
        if elicitation is not None and (elicitation.form is not None or elicitation.url is None):
            return None
        return "unavailable"

    async def ask(self, question: ApprovalRequest) -> ApprovalDecision:
        """Get an answer for exactly this question.

        Raises:
            ApprovalInputRequired: if the question has to go out as the call's result.
            RecordError: if the question can't be kept, so that its answer could be used twice.
        """
        if unable := self.unable:
            return unable
        if self._asks_by_result:
            return await self._ask_by_result(question)
        return await self._ask_in_between(question)

    async def open_page(self, approval_id: str, message: str, url: str, *, is_new: bool) -> bool | None:
        """Bring a person to a page (MCP's URL mode of elicitation); see `Approver.open_page`.

        Who the client is does not matter here: it only opens the page, and the decision is made there.
        """
        elicitation = self._elicitation
        if elicitation is None or elicitation.url is None:
            return None
        if not self._asks_by_result:
            return await self._open_in_between(approval_id, message, url) if is_new else None
        answer = (self._context.input_responses or {}).get(_KEY)
        if isinstance(answer, ElicitResult) and _asked(self._context.request_state) == approval_id:
            return answer.action == "accept"
        if is_new:
            raise ApprovalInputRequired(_input_required(ElicitRequestURLParams(message=message, url=url), approval_id))
        return None

    async def _open_in_between(self, approval_id: str, message: str, url: str) -> bool | None:
        with anyio.move_on_after(self._timeout), suppress(MCPError):
            return (await self._context.elicit_url(message, url, approval_id)).action == "accept"
        return None

    @property
    def _elicitation(self) -> ElicitationCapability | None:
        capabilities = self._context.client_capabilities
        return capabilities.elicitation if capabilities is not None else None

    @property
    def _asks_by_result(self) -> bool:
        version = self._context.protocol_version
        return version is not None and is_version_at_least(version, _INPUT_REQUIRED)

    async def _ask_in_between(self, question: ApprovalRequest) -> ApprovalDecision:
        try:
            with anyio.move_on_after(self._timeout):
                result = await self._context.elicit(question.text, Approval)
                return _answer(result.action, getattr(result, "data", None))
        except ValueError:  # accepted without the field
            return "declined"
        except MCPError:
            return "unavailable"
        return "timed_out"

    async def _ask_by_result(self, question: ApprovalRequest) -> ApprovalDecision:
        answer = (self._context.input_responses or {}).get(_KEY)
        asked = _asked(self._context.request_state)
        if answer is None or asked is None:
            raise ApprovalInputRequired(await self._new_question(question))
        verdict = await anyio.to_thread.run_sync(self._records.answer, asked, question.request_digest)
        match verdict:
            case "valid":
                return _result_of(answer)
            case "used":
                return "replayed"
            case "expired":
                return "timed_out"
            case _:  # an answer to another question, or to one that this store never asked
                raise ApprovalInputRequired(await self._new_question(question))

    async def _new_question(self, question: ApprovalRequest) -> InputRequiredResult:
        approval_id = uuid.uuid4().hex
        await anyio.to_thread.run_sync(self._records.ask, approval_id, question.request_digest, self._timeout)
        form = ElicitRequestFormParams(message=question.text, requested_schema=render_elicitation_schema(Approval))
        return _input_required(form, approval_id)


def _input_required(params: ElicitRequestParams, approval_id: str) -> InputRequiredResult:
    return InputRequiredResult(
        input_requests={_KEY: ElicitRequest(params=params)}, request_state=json.dumps({"approval_id": approval_id})
    )


def _asked(state: str | None) -> str | None:
    """The question that an answer is for. The SDK has sealed the state, so it is ours, or absent."""
    try:
        approval_id = json.loads(state or "")["approval_id"]
    except (ValueError, LookupError, TypeError):
        return None
    return approval_id if isinstance(approval_id, str) else None


def _result_of(answer: object) -> ApprovalDecision:
    if not isinstance(answer, ElicitResult):
        return "declined"
    if answer.action != "accept":
        return _answer(answer.action, None)
    try:
        return _answer("accept", Approval.model_validate(answer.content))
    except ValidationError:
        return "declined"


def _answer(action: str, form: object) -> ApprovalDecision:
    if action == "accept":
        return "approved" if isinstance(form, Approval) and form.approve is True else "declined"
    return "cancelled" if action == "cancel" else "declined"
