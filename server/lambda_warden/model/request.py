"""What the tools take: the arguments of `aws lambda invoke`, checked before anything looks at them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema

from lambda_warden.model.manifest import WAIT_LIMIT, Effect

RequestedInvocationType = Literal["RequestResponse", "Event", "DryRun"]

QUERY_LIMIT = 1000
"""Characters of a JMESPath expression."""
CLIENT_CONTEXT_LIMIT = 3583
"""Bytes of base64 that Invoke's ClientContext may have (Lambda API reference, Invoke)."""


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InvokeArguments(_Arguments):
    """The arguments of `invoke_function` and `dry_run`."""

    function: Annotated[
        str,
        Field(
            min_length=1,
            description="Function name (orders-refund), partial ARN (123456789012:function:orders-refund) or "
            "full ARN, as list_functions shows it. May end in :ALIAS or :VERSION.",
        ),
    ]
    qualifier: Annotated[
        str | None,
        Field(
            description="Alias or version to run, if `function` does not name it. Without one, Lambda runs the "
            "unpublished code, $LATEST, which most functions here do not allow."
        ),
    ] = None
    payload: Annotated[
        JsonValue,
        # Named types, not `{}`: hosts send JSON text in a string where a schema leaves the type open.
        WithJsonSchema({"type": ["object", "array", "string", "number", "boolean", "null"]}),
        Field(
            description="The event: any JSON value, given as JSON and not as a string of JSON text. Absent or "
            "null sends no payload."
        ),
    ] = None
    payload_base64: Annotated[
        str | None,
        Field(description="Instead of `payload`: the exact bytes to send, in base64. Only for what is not JSON."),
    ] = None
    invocation_type: Annotated[
        RequestedInvocationType,
        Field(
            description="RequestResponse waits for the answer. Event queues the call and gives no answer. DryRun "
            "only asks AWS whether the call would be permitted."
        ),
    ] = "RequestResponse"
    log_type: Annotated[
        Literal["Tail", "None"],
        Field(description="Tail returns the last 4 KB of the function's log (RequestResponse only)."),
    ] = "Tail"
    client_context: Annotated[
        Annotated[dict[str, JsonValue], WithJsonSchema({"type": "object"})] | None,
        Field(description="Data for the function's context object, up to 3,583 bytes encoded. Not with Event."),
    ] = None
    tenant_id: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=256,
            pattern=r"^[a-zA-Z0-9._:/=+\-@ ]+$",
            description="Tenant, for functions with tenant isolation.",
        ),
    ] = None
    durable_execution_name: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=64,
            pattern=r"^[a-zA-Z0-9_-]+$",
            description="For durable functions: AWS runs one execution for each name.",
        ),
    ] = None
    timeout_seconds: Annotated[
        int | None,
        Field(
            ge=1,
            le=WAIT_LIMIT,
            description="How long to wait for the answer. A function that takes longer is not stopped: its "
            "outcome is then unknown.",
        ),
    ] = None
    query: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=QUERY_LIMIT,
            description="JMESPath, as --query of the AWS CLI: what to show of a JSON answer. Applied to the whole "
            "answer, before anything is cut.",
        ),
    ] = None
    idempotency_key: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=128,
            pattern=r"^[A-Za-z0-9._:/=+@-]+$",
            description="A name of your own for this call, such as an order number. Another call with the same key and "
            "the same arguments starts nothing and gets the result of the first.",
        ),
    ] = None


class ListArguments(_Arguments):
    """The arguments of `list_functions`."""

    name_contains: Annotated[str | None, Field(max_length=64, description="Part of the function's name.")] = None
    account: Annotated[str | None, Field(pattern=r"^[0-9]{12}$", description="AWS account id, 12 digits.")] = None
    region: Annotated[
        str | None, Field(pattern=r"^[a-z]+(-[a-z]+)+-[0-9]+$", description="AWS region, for example us-east-1.")
    ] = None
    effect: Annotated[Effect | None, Field(description="Only functions with this effect.")] = None
    limit: Annotated[int, Field(ge=1, le=50, description="Functions a page.")] = 20
    cursor: Annotated[str | None, Field(description="next_cursor of the page before, to get the next one.")] = None


LOG_WAIT_LIMIT = 60
"""Seconds that a read waits for a log to be complete."""
HOURS_BACK_LIMIT = 168
REQUEST_ID_PATTERN = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
"""A request id as AWS writes it: a UUID in lower case."""


class ReadLogsArguments(_Arguments):
    """The arguments of `read_logs`: `invocation_id`, or else `function` and `request_id`."""

    invocation_id: Annotated[
        str | None,
        Field(
            pattern="^[0-9a-f]{32}$",
            description="Of a call made here: the invocation_id that invoke_function gave. It is enough.",
        ),
    ] = None
    function: Annotated[
        str | None,
        Field(
            min_length=1,
            description="Instead of invocation_id, where the operator allows the logs of any invocation: the function, "
            "as for invoke_function.",
        ),
    ] = None
    qualifier: Annotated[str | None, Field(description="The alias or version, if `function` does not name it.")] = None
    request_id: Annotated[
        str | None, Field(pattern=REQUEST_ID_PATTERN, description="With `function`: the AWS request id, a UUID.")
    ] = None
    hours_back: Annotated[
        int, Field(ge=1, le=HOURS_BACK_LIMIT, description="With `request_id`: how long ago it may have begun.")
    ] = 3
    wait_seconds: Annotated[
        int,
        Field(
            ge=0,
            le=LOG_WAIT_LIMIT,
            description="How long to wait for the end of the log: logs come some seconds late, and an Event when it is "
            "its turn. Not with `cursor`.",
        ),
    ] = 10
    max_bytes: Annotated[
        int | None, Field(ge=256, description="How much to give at once, at most what the operator allows.")
    ] = None
    cursor: Annotated[str | None, Field(description="next_cursor of the page before, to get the next one.")] = None


@dataclass(frozen=True, slots=True)
class EncodedRequest:
    """An invocation's parameters as AWS takes them. What is decided on is what is sent.

    `payload` is None where none is sent; `client_context` is base64 of JSON; `log_tail` asks for LogType=Tail;
    `response_stream` sends it as InvokeWithResponseStream.
    """

    invocation_type: RequestedInvocationType
    payload: bytes | None
    client_context: str | None
    log_tail: bool
    tenant_id: str | None
    durable_execution_name: str | None
    timeout_seconds: int | None
    response_stream: bool = False


class ReadResultArguments(_Arguments):
    """The arguments of `read_result`."""

    invocation_id: Annotated[str, Field(min_length=1, description="invocation_id of the call, as its result gave it.")]
    part: Annotated[
        Literal["payload", "log"],
        Field(description="payload: what the function returned. log: the end of its log, up to 4 KB."),
    ] = "payload"
    query: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=QUERY_LIMIT,
            description="JMESPath expression, as --query of the AWS CLI, over the whole payload, which must be JSON: "
            "items[?price > `10`].id. Gives `value` instead of a page.",
        ),
    ] = None
    cursor: Annotated[str | None, Field(description="next_cursor of the page before, to get the next one.")] = None
    max_bytes: Annotated[
        int, Field(ge=256, le=1024 * 1024, description="Size of a page, or of what is shown of a query's value.")
    ] = 16384
