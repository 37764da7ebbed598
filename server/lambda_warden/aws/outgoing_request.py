"""What an Invoke request is made of, down to its headers, whatever instruments botocore."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from lambda_warden.aws.invocation_handle import current
from lambda_warden.telemetry.spans import trace_header

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


def fix_requests(client: LambdaClient) -> None:
    """Have a client send what was decided on and nothing else, and the header of the call's trace.

    Libraries that trace botocore write into its parameters: OpenTelemetry's puts `headers` into the payload.
    """
    for operation in ("Invoke", "InvokeWithResponseStream"):
        client.meta.events.register_first(f"provide-client-params.lambda.{operation}", cast("Any", _as_decided))
        client.meta.events.register(f"before-call.lambda.{operation}", _with_trace)


def _as_decided(**_: object) -> Mapping[str, object] | None:
    handle = current()
    return handle.parameters if handle else None


def _with_trace(params: dict[str, Any], **_: object) -> None:
    if header := trace_header():
        params["headers"]["X-Amzn-Trace-Id"] = header
