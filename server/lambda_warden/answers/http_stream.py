"""Reads HTTP streaming answers (JSON head, eight NULs, body) as the API Gateway responses they stand for.

Source: "Response streaming for Lambda functions", and `awslambda.HttpResponseStream` of the Node.js runtime, which says
so by the Content-Type `application/vnd.awslambda.http-integration-response`. The form itself is as plain: JSON can't
hold a NUL.
"""

from __future__ import annotations

import base64
from typing import Final

from lambda_warden.jsontools.strict_json import json_bytes, parse_json
from lambda_warden.model.api_gateway import BODY, IS_BASE64, STATUS, is_http_status

_DELIMITER: Final = b"\0" * 8
_HEAD_LIMIT: Final = 1 << 16
_MEMBERS: Final = frozenset({STATUS, "headers", "multiValueHeaders", "cookies"})


def as_response(data: bytes, *, in_part: bool = False) -> bytes | None:
    """The API Gateway response, as JSON, that an HTTP streaming answer stands for; None if it is none.

    Args:
        data: what the function returned, or its beginning.
        in_part: whether it goes on. What is returned then breaks off in its body, too.
    """
    end = data.find(_DELIMITER, 0, _HEAD_LIMIT) if data[:1] == b"{" else -1
    if end < 0:
        return None
    try:
        head = parse_json(data[:end])
    except (ValueError, RecursionError):
        return None
    if not isinstance(head, dict) or not head.keys() <= _MEMBERS:
        return None
    head.setdefault(STATUS, 200)
    if not is_http_status(head[STATUS]):
        return None
    body = data[end + len(_DELIMITER) :]
    try:
        head[BODY] = body.decode(errors="ignore" if in_part else "strict")
    except UnicodeDecodeError:
        head |= {IS_BASE64: True, BODY: base64.b64encode(body).decode("ascii")}
    return json_bytes(head)[:-2] if in_part else json_bytes(head)
