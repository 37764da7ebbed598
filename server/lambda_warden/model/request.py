"""What the tools take: the arguments of `aws lambda invoke`, checked before anything looks at them.

The descriptions are all that a model reads of an argument besides its type, so they name its default, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema, field_validator

from lambda_warden.jsontools.strict_json import parse_json
from lambda_warden.model.function_rule import Effect
from lambda_warden.model.quotas import WAIT_LIMIT
from lambda_warden.model.tenant import TENANT_ID_LIMIT, TENANT_ID_PATTERN

RequestedInvocationType = Literal["RequestResponse", "Event", "DryRun"]

QUERY_LIMIT = 1000
"""Characters of a JMESPath expression."""
REASON_LIMIT = 1000
CLIENT_CONTEXT_LIMIT = 3583
"""Bytes of base64 that Invoke's ClientContext may have (Lambda API reference, Invoke)."""

_Cursor = Annotated[str | None, Field(description="next_cursor of the page before.")]
_OBJECT = WithJsonSchema({"type": "object"})


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InvokeArguments(_Arguments):
    """The arguments of `invoke_function` and `dry_run`."""

    function: Annotated[
        str,
        Field(min_length=1, description="Name (orders-refund), partial or full ARN; may end in :ALIAS or :VERSION."),
    ]
    qualifier: Annotated[
        str | None,
        Field(
            description="Alias or version. Without one, Lambda runs unpublished code, $LATEST, which most functions "
            "here do not allow."
        ),
    ] = None
    payload: Annotated[
        JsonValue,
        # A type that every host takes: some fail on several types, some on none. Other values are taken all the same.
        _OBJECT,
        Field(description="The event, an object. Without one, no payload is sent."),
    ] = None
    payload_json: Annotated[
        str | None, Field(description="Instead of payload, for any other JSON value: its JSON text.")
    ] = None
    payload_base64: Annotated[
        str | None, Field(description="Instead of payload, for what is not JSON: its bytes in base64.")
    ] = None
    invocation_type: Annotated[
        RequestedInvocationType,
        Field(
            description="RequestResponse (default) waits for the answer. Event queues the call and gives none. DryRun "
            "only asks AWS whether it would be permitted."
        ),
    ] = "RequestResponse"
    log_type: Annotated[
        Literal["Tail", "None"],
        Field(description="Tail (default) gives the last 4 KB of the log; RequestResponse only."),
    ] = "Tail"
    client_context: Annotated[
        dict[str, JsonValue] | None,
        _OBJECT,
        Field(description="For the function's context object, up to 3,583 bytes encoded. Not with Event."),
    ] = None
    tenant_id: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=TENANT_ID_LIMIT,
            pattern=TENANT_ID_PATTERN,
            description="For functions with tenant isolation.",
        ),
    ] = None
    durable_execution_name: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=64,
            pattern=r"^[a-zA-Z0-9_-]+$",
            description="For durable functions: AWS runs one execution a name.",
        ),
    ] = None
    wait_seconds: Annotated[
        int | None,
        Field(
            ge=0,
            le=WAIT_LIMIT,
            description="How long to wait (45); 0: not at all. Then the call goes on, and read_result has its answer.",
        ),
    ] = None
    timeout_seconds: Annotated[int | None, Field(ge=1, le=WAIT_LIMIT, description="The same.")] = None
    query: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=QUERY_LIMIT,
            description="JMESPath, as --query of the AWS CLI: what to show of a JSON answer. Applied to the whole, "
            "before anything is cut.",
        ),
    ] = None
    idempotency_key: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=128,
            pattern=r"^[A-Za-z0-9._:/=+@-]+$",
            description="Your name for this call, such as an order number. The same key and arguments again start "
            "nothing and give the first call's result.",
        ),
    ] = None
    after_unknown: Annotated[
        str | None,
        Field(
            pattern="^[0-9a-f]{32}$",
            description="To run it again although an earlier same call may have run: that one's invocation_id.",
        ),
    ] = None
    reason: Annotated[str | None, Field(max_length=REASON_LIMIT, description="Why, for who approves it.")] = None

    @field_validator("client_context", mode="before")
    @classmethod
    def _read_text(cls, given: object) -> object:
        """The object, where a host sends it as JSON text."""
        try:
            return parse_json(given.encode()) if isinstance(given, str) else given
        except ValueError:
            return given


class ListArguments(_Arguments):
    """The arguments of `list_functions`."""

    name_contains: Annotated[str | None, Field(max_length=64, description="Part of the function's name.")] = None
    account: Annotated[str | None, Field(pattern=r"^[0-9]{12}$", description="AWS account id, 12 digits.")] = None
    region: Annotated[
        str | None, Field(pattern=r"^[a-z]+(-[a-z]+)+-[0-9]+$", description="AWS region, such as us-east-1.")
    ] = None
    effect: Annotated[Effect | None, Field(description="Only functions with this effect.")] = None
    limit: Annotated[int, Field(ge=1, le=50, description="Functions a page (20).")] = 20
    cursor: _Cursor = None


LOG_WAIT_LIMIT = 60
"""Seconds that a read waits for a log to be complete."""
HOURS_BACK_LIMIT = 168
REQUEST_ID_PATTERN = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
"""A request id as AWS writes it: a UUID in lower case."""


def is_request_id(text: str) -> bool:
    """Whether a text is one."""
    return re.fullmatch(REQUEST_ID_PATTERN.strip("^$"), text, re.ASCII) is not None


class ReadLogsArguments(_Arguments):
    """The arguments of `read_logs`: `invocation_id`, or else `function`, with `request_id` for one invocation."""

    invocation_id: Annotated[
        str | None,
        Field(pattern="^[0-9a-f]{32}$", description="Of a call made here, as invoke_function gave it. It is enough."),
    ] = None
    function: Annotated[
        str | None,
        Field(
            min_length=1,
            description="Instead, where the operator allows any invocation's log: as for invoke_function.",
        ),
    ] = None
    qualifier: Annotated[str | None, Field(description="If function does not name it.")] = None
    request_id: Annotated[
        str | None, Field(pattern=REQUEST_ID_PATTERN, description="With function: the AWS request id, a UUID.")
    ] = None
    hours_back: Annotated[
        int, Field(ge=1, le=HOURS_BACK_LIMIT, description="With function: how long ago at most (3).")
    ] = 3
    wait_seconds: Annotated[
        int,
        Field(
            ge=0,
            le=LOG_WAIT_LIMIT,
            description="How long to wait for the log's end (10): logs come late, and an Event has its turn. Not with "
            "cursor.",
        ),
    ] = 10
    max_bytes: Annotated[int | None, Field(ge=256, description="Of a page; at most what the operator allows.")] = None
    cursor: _Cursor = None


@dataclass(frozen=True, slots=True)
class EncodedRequest:
    """An invocation's parameters as AWS takes them. What is decided on is what is sent.

    `payload` is None where none is sent; `client_context` is base64 of JSON; `log_tail` asks for LogType=Tail;
    `response_stream` sends it as InvokeWithResponseStream. `payload_text` is there while it is in doubt whether the
    payload is a string or the JSON that it holds: see `guard/encode.py`. `reason` is why, in the caller's words, for
    the person who approves it.
    """

    invocation_type: RequestedInvocationType
    payload: bytes | None
    client_context: str | None
    log_tail: bool
    tenant_id: str | None
    durable_execution_name: str | None
    wait_seconds: int | None
    response_stream: bool = False
    payload_text: bytes | None = None
    reason: str | None = None


class ReadResultArguments(_Arguments):
    """The arguments of `read_result`."""

    invocation_id: Annotated[str, Field(min_length=1, description="Of the call, as its result gave it.")]
    wait_seconds: Annotated[
        int, Field(ge=0, le=WAIT_LIMIT, description="How long to wait for the end of a running call (30).")
    ] = 30
    part: Annotated[
        Literal["payload", "log"],
        Field(description="payload (default): what the function returned. log: the end of its log, up to 4 KB."),
    ] = "payload"
    query: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=QUERY_LIMIT,
            description="JMESPath over the whole payload, which must be JSON: items[?price > `10`].id. Gives `value` "
            "instead of a page.",
        ),
    ] = None
    cursor: _Cursor = None
    max_bytes: Annotated[
        int, Field(ge=256, le=1024 * 1024, description="Of a page, or of what is shown of `value` (16384).")
    ] = 16384

    @property
    def is_whole(self) -> bool:
        """Whether the whole result of the call is wanted, if it has none yet, rather than a page of it."""
        return self.model_fields_set.isdisjoint(("part", "query", "cursor"))
