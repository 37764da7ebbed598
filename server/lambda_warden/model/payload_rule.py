"""What a rule lets through: to a function, from it, and of its log."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue

from lambda_warden.errors import ArgumentError, shown
from lambda_warden.jsontools.pointer import Pointer, parse_pointer
from lambda_warden.model.quotas import SYNC_PAYLOAD_LIMIT
from lambda_warden.model.strict import Strict, Unique

RESULT_BYTES_DEFAULT = 16 * 1024
RESULT_BYTES_LIMIT = 1024 * 1024
LOG_GROUP = re.compile(r"[A-Za-z0-9_./#-]{1,512}", re.ASCII)
"""The name of a log group (CloudWatch Logs API reference, CreateLogGroup)."""


def _check_schema_kind(value: object) -> object:
    if not isinstance(value, str | dict | None):
        raise ValueError("is no schema. Expected a JSON Schema, or the path of one in quotes")
    return value


def _check_pointer(text: str) -> str:
    parse_pointer(text)
    return text


def _check_log_group(text: str) -> str:
    if not LOG_GROUP.fullmatch(text):
        raise ArgumentError(
            "log_group", f"{shown(text)} is not a log group", "1 to 512 letters, digits and . _ / # -, without wildcard"
        )
    return text


class PayloadRule(Strict):
    """What may be sent to a function."""

    schema_: Annotated[str | dict[str, JsonValue] | None, BeforeValidator(_check_schema_kind)] = Field(
        default=None,
        alias="schema",
        description="A JSON Schema (2020-12) that the payload has to fit: written out here, or a path relative "
        "to the manifest. Without it any JSON value may be sent.",
    )
    max_bytes: int = Field(
        default=SYNC_PAYLOAD_LIMIT, ge=0, le=SYNC_PAYLOAD_LIMIT, description="The largest payload, in bytes."
    )


class ResultRule(Strict):
    """What may come back from a function to the model."""

    max_bytes: int = Field(
        default=RESULT_BYTES_DEFAULT,
        ge=256,
        le=RESULT_BYTES_LIMIT,
        description="How many bytes of the function's answer reach the model; the rest is cut and said to be cut.",
    )
    redact: Annotated[list[Annotated[str, AfterValidator(_check_pointer)]], Unique] = Field(
        default_factory=list,
        description="Places of the answer that never reach the model: JSON pointers, in which a token * stands for "
        "every member or item, such as /card/number or /items/*/ssn.",
    )

    @property
    def pointers(self) -> tuple[Pointer, ...]:
        """`redact`, read."""
        return tuple(map(parse_pointer, self.redact))


class LogsRule(Strict):
    """Whose logs may be read, in CloudWatch Logs, one invocation at a time."""

    read: Literal["own", "any"] = Field(
        default="own",
        description="own: of invocations that the same principal made through lambda-warden, as its records know them. "
        "any: of any invocation of the function, whoever made it; failed ones can be searched for.",
    )
    log_group: Annotated[str, AfterValidator(_check_log_group)] | None = Field(
        default=None,
        description="The log group, where the function does not log to /aws/lambda/NAME. A function that logs to any "
        "other one is not read.",
    )
    max_bytes: int = Field(
        default=RESULT_BYTES_DEFAULT,
        ge=256,
        le=RESULT_BYTES_LIMIT,
        description="How many bytes of a log reach the model at once; the rest comes page by page.",
    )

    def group_of(self, name: str) -> str:
        """The log group in which the log of a function with this name has to be."""
        return self.log_group or f"/aws/lambda/{name}"
