"""The operator's manifest: what may be invoked. Everything that it does not allow is denied.

The JSON Schema of these models is published as `manifests/manifest.schema.json`, so each description is
written for the person who types a manifest into an editor.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    StringConstraints,
    Tag,
    WithJsonSchema,
    model_validator,
)

from lambda_warden.errors import ArgumentError, shown
from lambda_warden.jsontools.pointer import Pointer, parse_pointer
from lambda_warden.model.function_ref import (
    NAME_LIMIT,
    PARTITIONS,
    check_arn_kind,
    is_account,
    is_name,
    parse_arn_prefix,
    parse_qualifier,
    partition_of,
)

SYNC_PAYLOAD_LIMIT = 6 * 1024 * 1024
"""Bytes of a synchronous invocation's request or response (Lambda quotas: 6 MB each)."""
ASYNC_PAYLOAD_LIMIT = 1024 * 1024
"""Bytes of an asynchronous invocation's request (Lambda quotas: 1 MB)."""
FUNCTION_TIMEOUT_LIMIT = 900
"""Seconds a function may run (Lambda quotas: 15 minutes), unless it runs on Lambda Managed Instances."""
MANAGED_TIMEOUT_LIMIT = 5400
"""Seconds a function on Lambda Managed Instances may run, when it is invoked as an Event (Lambda API reference,
CreateFunction: Timeout)."""
WAIT_LIMIT = MANAGED_TIMEOUT_LIMIT + 60
"""Seconds that an answer can be asked to be waited for: as long as a function may run, and its start before that."""
RESULT_BYTES_DEFAULT = 16 * 1024
RESULT_BYTES_LIMIT = 1024 * 1024
LOG_GROUP = re.compile(r"[A-Za-z0-9_./#-]{1,512}", re.ASCII)
"""The name of a log group (CloudWatch Logs API reference, CreateLogGroup)."""

DURATION = r"^([0-9]{1,6})([smh])$"

InvocationType = Literal["RequestResponse", "Event"]
Effect = Literal["read", "write", "destructive"]

TENANT_ID_PATTERN = r"^[a-zA-Z0-9._:/=+\-@]+( +[a-zA-Z0-9._:/=+\-@]+)*$"
TENANT_ID_LIMIT = 256
"""What a tenant id may be (Lambda API reference, Invoke: TenantId), but for spaces at its ends, which HTTP drops."""
ANY_TENANT = "*"
"""In `tenants`: whichever is named. It is no tenant id itself."""
COOL_DOWN_LIMIT = 86_400
"""Seconds that a function can be stopped for after failures."""

PRINCIPAL = re.compile(r"[A-Za-z0-9._@+-]{1,64}", re.ASCII)
"""A name that a server is given. It never is one that a token gives, which holds a `:`."""
SUBJECT = re.compile(r"[!-~]{1,255}", re.ASCII)
"""Names of subjects, agents and clients (OpenID Connect Core 1.0, section 2: `sub`), without space."""
SCOPE = re.compile(r"[!#-\[\]-~]{1,255}", re.ASCII)
"""A scope (RFC 6749, section 3.3)."""
GROUP_LIMIT = 255
TAG = "kind:"
"""Begins what pydantic puts into the place of a problem to say which of several kinds of value it took it for."""

_ANY = "[A-Za-z0-9_-]"
_KIND = re.compile(r"[a-z]+(?:-[a-z]+){0,5}", re.ASCII)
_ALPHABET = re.compile(r"(?:A-Z|a-z|0-9|a-f|A-F|[A-Za-z0-9_.+/=~%]){1,64}-?", re.ASCII)
_LEAST_SECRET, _MOST_SECRET = 8, 4096
_ROLE_ARN = re.compile(r"arn:(?P<partition>aws[a-z-]*):iam::(?P<account>[0-9]{12}):role/[\w+=,.@/-]{1,512}", re.ASCII)


@dataclass(frozen=True, slots=True)
class RuleArn:
    """The `arn` of a rule: one function, or, with `*` in its name, a family of functions.

    In a `deny` entry, partition, region and account may each be `*`, too.
    """

    partition: str
    region: str
    account: str
    name: str

    @property
    def is_pattern(self) -> bool:
        """Whether the name holds a `*`."""
        return "*" in self.name

    def name_regex(self) -> re.Pattern[str]:
        """What a name has to match whole: `*` stands for any characters of a name, also none.

        Atomic groups: each part between two `*` is looked for once, so that no name makes the match take long.
        """
        first, *rest = map(re.escape, self.name.split("*"))
        if not rest:
            return re.compile(first)
        between = "".join(f"(?>{_ANY}*?{part})" for part in rest[:-1])
        return re.compile(f"{first}{between}{_ANY}*{rest[-1]}")

    def __str__(self) -> str:
        return f"arn:{self.partition}:lambda:{self.region}:{self.account}:function:{self.name}"


def parse_rule_arn(text: str) -> RuleArn:
    """Read the `arn` of a rule.

    Raises:
        ArgumentError: if it is not an unqualified function ARN, or has a wildcard outside the function's name.
    """
    check_arn_kind(text, "arn")
    expected = "arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME, with the qualifiers in `qualifiers`"
    match text.split(":"):
        case ["arn", partition, service, region, account, "function", name]:
            if "*" in partition + service + region + account:
                raise ArgumentError("arn", "a `*` may stand in the function's name alone", expected)
            parse_arn_prefix(partition, service, region, account, "arn")
            fixed = name.replace("*", "")
            if name and not fixed:
                raise ArgumentError("arn", "the pattern would allow every function", "a pattern with a fixed part")
            if not is_name(fixed) or len(name) > NAME_LIMIT:
                raise ArgumentError("arn", f"{shown(name)} is not a function name or a pattern of one", expected)
            return RuleArn(partition, region, account, name)
        case ["arn", _, _, _, _, "function", _, _]:
            raise ArgumentError("arn", "has a qualifier", expected)
        case _:
            raise ArgumentError("arn", f"{shown(text)} is not the ARN of a function", expected)


def parse_deny_arn(text: str) -> RuleArn:
    """Read the `arn` of a `deny` entry: as that of a rule, and with `*` for any partition, region, account or name.

    Raises:
        ArgumentError: if it is not an unqualified function ARN.
    """
    expected = "arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME, where each word in capitals may be *"
    match text.split(":"):
        case ["arn", partition, "lambda", region, account, "function", name]:
            if partition not in ("*", *PARTITIONS):
                raise ArgumentError("arn", f"unknown partition {shown(partition)}", expected)
            homes = PARTITIONS if partition == "*" else (partition,)
            if region != "*" and partition_of(region) not in homes:
                raise ArgumentError("arn", f"unknown region {shown(region)} in partition {partition!r}", expected)
            if account != "*" and not is_account(account):
                raise ArgumentError("arn", f"{shown(account)} is not an AWS account id", expected)
            if not name or not is_name(name.replace("*", "") or "x") or len(name) > NAME_LIMIT:
                raise ArgumentError("arn", f"{shown(name)} is not a function name or a pattern of one", expected)
            return RuleArn(partition, region, account, name)
        case _:
            raise ArgumentError("arn", f"{shown(text)} is not the ARN of a function without qualifier", expected)


def _check_deny_arn(text: str) -> str:
    parse_deny_arn(text)
    return text


def _check_rule_arn(text: str) -> str:
    parse_rule_arn(text)
    return text


def _check_qualifier(text: str) -> str:
    return parse_qualifier(text, "qualifier")


def _check_account(text: str) -> str:
    if not is_account(text):
        raise ArgumentError("account", f"{shown(text)} is not an AWS account id", "12 digits, in quotes")
    return text


def _check_region(text: str) -> str:
    if partition_of(text) is None:
        raise ArgumentError("region", f"unknown region {shown(text)}", "an AWS region such as us-east-1")
    return text


def _check_version(version: object) -> object:
    if type(version) is not int:  # true and 1.0 are equal to 1
        raise ValueError("is no whole number. Expected 1")
    return version


def _seconds(value: object) -> object:
    if isinstance(value, str):
        if (said := re.fullmatch(DURATION, value)) is None:
            raise ValueError("is no duration. Expected seconds, or as 90s, 15m or 2h")
        return int(said[1]) * {"s": 1, "m": 60, "h": 3600}[said[2]]
    return value


def _empty_if_none(value: object) -> object:
    return [] if value is None else value  # a key below which everything is commented out


def _check_schema_kind(value: object) -> object:
    if not isinstance(value, str | dict | None):
        raise ValueError("is no schema. Expected a JSON Schema, or the path of one in quotes")
    return value


def _check_version_number(text: str) -> str:
    if not text.isascii() or not text.isdigit():
        raise ArgumentError(
            "expect_version", f"{shown(text)} is not a version", 'version numbers in quotes, such as "7"'
        )
    return parse_qualifier(text, "expect_version")


def _check_pointer(text: str) -> str:
    parse_pointer(text)
    return text


def _check_log_group(text: str) -> str:
    if not LOG_GROUP.fullmatch(text):
        raise ArgumentError(
            "log_group", f"{shown(text)} is not a log group", "1 to 512 letters, digits and . _ / # -, without wildcard"
        )
    return text


def check_principal(text: str) -> str:
    """A principal: a name that a server is given, `user:SUBJECT` or `client:ID`.

    Raises:
        ArgumentError: if it is none.
    """
    kind, colon, name = text.partition(":")
    if not (SUBJECT.fullmatch(name) and kind in ("user", "client") if colon else PRINCIPAL.fullmatch(text)):
        expected = "user:SUBJECT, client:ID, or 1 to 64 letters, digits and . _ @ + -"
        raise ArgumentError("principal", f"{shown(text)} is not a name", expected)
    return text


def is_group(name: str) -> bool:
    """Whether a group may have this name: whatever can be printed, without space at its ends."""
    return 0 < len(name) <= GROUP_LIMIT and name.isprintable() and name.strip() == name


def _check_member(text: str) -> str:
    if text.startswith("group:"):
        if not is_group(text.removeprefix("group:")):
            raise ArgumentError("principals", f"{shown(text)} is not a group", "group: and the name of one")
        return text
    return check_principal(text)


def _check_approver(text: str) -> str:
    if not text.startswith(("group:", "user:")):
        raise ArgumentError("approvers", f"{shown(text)} is no person", "group:NAME or user:SUBJECT")
    return _check_member(text)


def _check_scope(text: str) -> str:
    if not SCOPE.fullmatch(text):
        raise ArgumentError("scopes", f"{shown(text)} is not a scope", "one scope, without space, quote or backslash")
    return text


def _check_client(text: str) -> str:
    if not SUBJECT.fullmatch(text):
        raise ArgumentError("clients", f"{shown(text)} is not the id of a client", "1 to 255 characters without space")
    return text


def is_tenant_id(text: str) -> bool:
    """Whether a tenant may have this id."""
    return len(text) <= TENANT_ID_LIMIT and re.fullmatch(TENANT_ID_PATTERN[1:-1], text) is not None


def _check_tenant(text: str) -> str:
    if text != ANY_TENANT and not is_tenant_id(text):
        expected = f"1 to {TENANT_ID_LIMIT} letters, digits, spaces and . _ : / = + - @, or * alone for any"
        raise ArgumentError("tenants", f"{shown(text)} is not a tenant id", expected)
    return text


def _check_role_arn(text: str) -> str:
    if not _ROLE_ARN.fullmatch(text):
        raise ArgumentError("role_arn", f"{shown(text)} is not the ARN of a role", "arn:aws:iam::ACCOUNT:role/NAME")
    return text


def _check_unique(values: list[str]) -> list[str]:
    if repeated := sorted({v for v in values if values.count(v) > 1}):
        raise ValueError(f"{', '.join(repeated)} listed twice")
    return values


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Target(_Strict):
    """How to reach one AWS account. Credentials never stand here: boto3 finds them as it always does."""

    account: Annotated[str, AfterValidator(_check_account)] = Field(
        description="The AWS account id, 12 digits, in quotes.",
        examples=["123456789012"],
        json_schema_extra={"pattern": "^[0-9]{12}$"},
    )
    regions: Annotated[list[Annotated[str, AfterValidator(_check_region)]], AfterValidator(_check_unique)] = Field(
        min_length=1, description="The regions in use, for example [us-east-1, eu-west-1]."
    )
    profile: Annotated[str, StringConstraints(min_length=1)] | None = Field(
        default=None, description="The profile of the AWS config files to use for this account."
    )
    role_arn: Annotated[str, AfterValidator(_check_role_arn)] | None = Field(
        default=None, description="A role of this account to assume, starting from the profile's credentials."
    )
    external_id: (
        Annotated[str, StringConstraints(min_length=2, max_length=1224, pattern=r"^[A-Za-z0-9_+=,.@:/-]+$")] | None
    ) = Field(default=None, description="The external id that the role asks for.")
    role_session_name: (
        Annotated[str, StringConstraints(min_length=2, max_length=64, pattern=r"^[A-Za-z0-9_+=,.@-]+$")] | None
    ) = Field(
        default=None,
        description="The session name that AWS records for the assumed role. If not given, the caller's, as user=NAME "
        "or client=ID, where access tokens say who calls; else lambda-warden.",
    )
    source_identity: bool = Field(
        default=False,
        description="Whether the caller is the session's source identity, too, which stays over further roles. The "
        "role's trust policy has to allow sts:SetSourceIdentity.",
    )
    session_tags: bool = Field(
        default=False,
        description="Whether the session is tagged lambda-warden:principal, lambda-warden:actor and "
        "lambda-warden:client. The role's trust policy has to allow sts:TagSession.",
    )
    endpoint_url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$")] | None = Field(
        default=None, description="Another endpoint than AWS's own, for example a VPC endpoint or an emulator."
    )
    concurrency: int | None = Field(
        default=None, ge=1, le=1024, description="How many calls may be under way at once in each region of it."
    )
    logs_endpoint_url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$")] | None = Field(
        default=None,
        description="The endpoint of CloudWatch Logs, where endpoint_url is one that serves Lambda alone, as VPC "
        "endpoints do.",
    )

    @model_validator(mode="after")
    def _check_role(self) -> Target:
        of_role = ("external_id", "role_session_name", "source_identity", "session_tags")
        if self.role_arn is None and (given := [name for name in of_role if getattr(self, name)]):
            raise ValueError(f"{' and '.join(given)} given without role_arn. Expected role_arn, too")
        if self.role_arn is not None and self.role_arn.split(":")[4] != self.account:
            raise ValueError(f"role_arn is of another account. Expected a role of account {self.account}")
        return self


class PayloadRule(_Strict):
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


class ResultRule(_Strict):
    """What may come back from a function to the model."""

    max_bytes: int = Field(
        default=RESULT_BYTES_DEFAULT,
        ge=256,
        le=RESULT_BYTES_LIMIT,
        description="How many bytes of the function's answer reach the model; the rest is cut and said to be cut.",
    )
    redact: Annotated[list[Annotated[str, AfterValidator(_check_pointer)]], AfterValidator(_check_unique)] = Field(
        default_factory=list,
        description="Places of the answer that never reach the model: JSON pointers, in which a token * stands for "
        "every member or item, such as /card/number or /items/*/ssn.",
    )

    @property
    def pointers(self) -> tuple[Pointer, ...]:
        """`redact`, read."""
        return tuple(map(parse_pointer, self.redact))


class LogsRule(_Strict):
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


class Limits(_Strict):
    """How often something may happen. A call that AWS refused before it ran does not count."""

    per_minute: int | None = Field(default=None, ge=1, description="Calls in any 60 seconds.")
    per_day: int | None = Field(default=None, ge=1, description="Calls in any 24 hours.")
    concurrent: int | None = Field(default=None, ge=1, description="Calls under way at once.")


class StopRule(_Strict):
    """When a function that fails again and again is not called any more. A success ends the run of failures."""

    count: int = Field(ge=1, description="Function errors and unknown outcomes in a row after which calls are denied.")
    cool_down_seconds: int = Field(
        default=900,
        ge=1,
        le=COOL_DOWN_LIMIT,
        description="How long after the last of them, unless a person resumes it. Then calls go through again; if the "
        "first one fails, they are denied again.",
    )


class ApprovalRule(_Strict):
    """How a person is asked before each call."""

    by: Literal["client", "operator"] | None = Field(
        default=None,
        description="client: through the MCP client alone. operator: out of band alone, by the approvers, or, if there "
        "are none, by whoever knows the approver's secret. If not given, out of band if there are approvers; else "
        "through the client where it can ask, out of band where it can't.",
    )
    expires: Annotated[
        int | None, BeforeValidator(_seconds), WithJsonSchema({"type": ["integer", "string"], "pattern": DURATION})
    ] = Field(
        default=None,
        ge=10,
        le=86_400,
        description="How long a request out of band can be decided on and used: seconds, or as 90s, 15m or 2h; "
        "--approval-expires if not given.",
        examples=["15m"],
    )
    approvers: Annotated[list[Annotated[str, AfterValidator(_check_approver)]], AfterValidator(_check_unique)] = Field(
        default=[],
        min_length=1,
        description="Who may decide, by their own access token: group:NAME or user:SUBJECT. An agent never may. The "
        "approver's secret does not count then.",
        examples=[["group:sre", "user:ann@example.com"]],
    )
    count: int = Field(
        default=1, ge=1, le=20, description="How many different approvers have to approve. One denial denies."
    )
    not_requester: bool = Field(
        default=False,
        description="Whether the person who asks, also through an agent, may not be among those who approve.",
    )

    @property
    def way(self) -> Literal["client", "operator"] | None:
        """How a person has to be asked; None if either way will do."""
        return "operator" if self.approvers else self.by

    @model_validator(mode="after")
    def _check_fit(self) -> ApprovalRule:
        out_of_band = self.model_fields_set & {"expires", "approvers"}
        if self.by == "client" and out_of_band:
            raise ValueError(f"{min(out_of_band)} is for requests out of band. Expected it without `by: client`")
        if not self.approvers and (alone := self.model_fields_set & {"count", "not_requester"}):
            raise ValueError(f"{min(alone)} is for approvers. Expected `approvers` beside it")
        people = len([each for each in self.approvers if each.startswith("user:")])
        if self.approvers and people == len(self.approvers) < self.count:
            raise ValueError(f"count: {self.count} can't be reached by {people} approvers. Expected more of them")
        return self


class FunctionRule(_Strict):
    """One allowed function, or a family of functions: nothing else is invoked."""

    arn: Annotated[str, AfterValidator(_check_rule_arn)] = Field(
        description="The function's ARN without qualifier. A `*` may stand in the function's name alone.",
        examples=["arn:aws:lambda:us-east-1:123456789012:function:orders-refund"],
        json_schema_extra={"pattern": "^arn:[^:*]+:lambda:[^:*]+:[0-9]{12}:function:[A-Za-z0-9_*-]{1,64}$"},
    )
    qualifiers: Annotated[list[Annotated[str, AfterValidator(_check_qualifier)]], AfterValidator(_check_unique)] = (
        Field(
            min_length=1,
            description="The aliases and versions allowed, each exactly, in quotes. List $LATEST to allow unpublished "
            "code, which is also what a call without qualifier runs.",
        )
    )
    invocation_types: Annotated[list[InvocationType], AfterValidator(_check_unique)] = Field(
        default=["RequestResponse"],
        min_length=1,
        description="RequestResponse waits for the answer; Event queues the call and returns at once. "
        "A DryRun starts nothing and is always allowed beside them.",
    )
    effect: Effect = Field(
        default="write",
        description="What an invocation does: read changes nothing, write changes something, destructive "
        "changes what can't be put back.",
    )
    approval: (
        Annotated[
            Annotated[Literal["always", "never"], Tag(f"{TAG}word")] | Annotated[ApprovalRule, Tag(f"{TAG}keys")],
            # The problems of the one that was meant are told, and not those of both.
            Discriminator(lambda value: f"{TAG}keys" if isinstance(value, dict | ApprovalRule) else f"{TAG}word"),
        ]
        | None
    ) = Field(
        default=None,
        description="Whether a person is asked before each call, and how: always, never, or, which is always, too, "
        "{by: client}, {by: operator} or {approvers: [group:sre]}. If not given, destructive functions are asked for, "
        "others not.",
    )
    expect_version: (
        Annotated[list[Annotated[str, AfterValidator(_check_version_number)]], AfterValidator(_check_unique)] | None
    ) = Field(
        default=None,
        min_length=1,
        description="The versions that may run behind the aliases of this rule. An alias that leads elsewhere, also "
        "for a share of the calls, is denied; a version that ran all the same is reported and recorded.",
    )
    principals: Annotated[list[Annotated[str, AfterValidator(_check_member)]], AfterValidator(_check_unique)] | None = (
        Field(
            default=None,
            min_length=1,
            description="Who may call under this rule: user:SUBJECT, group:NAME, client:ID for a client that acts for "
            "nobody, or the name that a server was given (--principal). Everybody if not given.",
            examples=[["group:sre", "user:ann@example.com", "client:nightly-report"]],
        )
    )
    scopes: Annotated[list[Annotated[str, AfterValidator(_check_scope)]], AfterValidator(_check_unique)] = Field(
        default_factory=list, description="Scopes that the caller's token has to have, all of them."
    )
    clients: Annotated[list[Annotated[str, AfterValidator(_check_client)]], AfterValidator(_check_unique)] | None = (
        Field(
            default=None,
            min_length=1,
            description="Through whom: ids of the OAuth clients that the caller's token may be issued to. Where it "
            "says that an agent acts for the caller (`act`), that agent has to be here, too. Any if not given.",
        )
    )
    tenants: (
        Annotated[
            list[Annotated[str, AfterValidator(_check_tenant)]], Field(min_length=1), AfterValidator(_check_unique)
        ]
        | Literal["caller"]
        | None
    ) = Field(
        default=None,
        description="For a function with tenant isolation: the tenant ids that calls may name, each exactly; every "
        'call has to name one. ["*"] allows any; caller alone that of the caller, as its token says. If not given, a '
        "call that names a tenant is denied.",
    )
    limits: Limits = Field(default_factory=Limits, description="How often calls may be made under this rule.")
    stop_after_failures: StopRule | None = Field(
        default=None,
        description="After how many failures in a row calls are denied for a while, counted for each function and "
        "qualifier; never if not given.",
    )
    payload: PayloadRule = Field(default_factory=PayloadRule, description="What may be sent.")
    result: ResultRule = Field(default_factory=ResultRule, description="What may come back.")
    logs: LogsRule | None = Field(
        default=None, description="Whose logs may be read with read_logs; nobody's if not given. `{}` is `read: own`."
    )
    timeout_seconds: int | None = Field(
        default=None,
        ge=1,
        le=WAIT_LIMIT,
        description="How long to wait for the answer, in seconds. If not given, the function's own timeout, as AWS "
        "tells it, and half a minute. Set it above the function's own timeout.",
    )
    max_attempts: int = Field(
        default=3,
        ge=1,
        le=10,
        description="How many attempts a call may take. There is another one only where it is certain that the one "
        "before started nothing: throttling, no connection. 1 turns that off.",
    )
    invoke_mode: Literal["BUFFERED", "RESPONSE_STREAM"] = Field(
        default="BUFFERED",
        description="RESPONSE_STREAM calls it with InvokeWithResponseStream, for functions that stream answers over "
        "6 MB. It holds for RequestResponse.",
    )
    description: Annotated[str, StringConstraints(max_length=1000)] | None = Field(
        default=None, description="What the function does, for the model that chooses. Shown instead of AWS's."
    )
    examples: list[Any] = Field(
        default_factory=list, max_length=10, description="Payloads that work, for the model to learn from."
    )

    @model_validator(mode="after")
    def _check_expected(self) -> FunctionRule:
        fixed = {qualifier for qualifier in self.qualifiers if qualifier.isdigit() or qualifier.startswith("$")}
        if self.expect_version is not None and (others := sorted(fixed - set(self.expect_version))):
            raise ValueError(
                f"qualifiers allow {', '.join(others)}, which expect_version does not. Expected it in both"
            )
        return self

    @model_validator(mode="after")
    def _check_tenants(self) -> FunctionRule:
        if isinstance(self.tenants, list) and ANY_TENANT in self.tenants and len(self.tenants) > 1:
            raise ValueError('tenants has "*" beside tenant ids. Expected ["*"] for any, or the ids alone')
        return self

    @property
    def key(self) -> str:
        """Names this rule where its limits are kept, so that they outlive a restart and a new order of the file."""
        return f"{self.arn} {','.join(sorted(self.qualifiers))}"

    @property
    def asks(self) -> bool:
        """Whether a person is asked before each call."""
        return self.effect == "destructive" if self.approval is None else self.approval != "never"

    @property
    def asked(self) -> ApprovalRule:
        """How, where somebody is."""
        return self.approval if isinstance(self.approval, ApprovalRule) else ApprovalRule()


class DenyRule(_Strict):
    """What is never invoked, whatever is allowed anywhere."""

    arn: Annotated[str, AfterValidator(_check_deny_arn)] = Field(
        description="A function ARN without qualifier. Partition, region, account and name may each be *, and the name "
        "may hold *.",
        examples=["arn:aws:lambda:*:*:function:*-payroll"],
    )
    qualifiers: (
        Annotated[list[Annotated[str, AfterValidator(_check_qualifier)]], AfterValidator(_check_unique)] | None
    ) = Field(default=None, min_length=1, description="The aliases and versions denied; all if not given.")
    reason: Annotated[str, StringConstraints(max_length=300)] | None = Field(
        default=None, description="Why, for whoever is denied."
    )


class PrincipalRule(_Strict):
    """What holds for one principal, whatever it calls, agents that act for it included."""

    limits: Limits = Field(default_factory=Limits, description="How often this principal may call, all rules together.")


def _check_kind(text: str) -> str:
    if not _KIND.fullmatch(text):
        raise ArgumentError("kind", f"{shown(text)} is no kind of secret", "lower-case letters and hyphens: acme-key")
    return text


def _check_alphabet(text: str) -> str:
    if not _ALPHABET.fullmatch(text):
        raise ArgumentError(
            "alphabet",
            f"{shown(text)} is no set of characters",
            "ranges such as A-Za-z0-9 and the characters _ . + / = ~ %, with a - at its end",
        )
    return text


def _check_length(length: int | list[int]) -> int | list[int]:
    least, most = (length, length) if isinstance(length, int) else (length[0], length[-1])
    if not _LEAST_SECRET <= least <= most <= _MOST_SECRET:
        problem = f"{length} is no length of a secret behind its prefix"
        raise ArgumentError("length", problem, f"a number or [least, most], from {_LEAST_SECRET} to {_MOST_SECRET}")
    return length


class DetectorRule(_Strict):
    """A kind of secret that begins with a literal."""

    kind: Annotated[str, AfterValidator(_check_kind)] = Field(
        description="What stands in its place: [redacted:KIND].", examples=["acme-key"]
    )
    prefix: Annotated[str, StringConstraints(min_length=2, max_length=64, pattern=r"^[!-~]+$")] = Field(
        description="The literal that it begins with, as it is written.", examples=["acme_"]
    )
    alphabet: Annotated[str, AfterValidator(_check_alphabet)] = Field(
        default="A-Za-z0-9_-", description="The characters behind it, as ranges.", examples=["A-Za-z0-9"]
    )
    length: Annotated[int | Annotated[list[int], Field(min_length=2, max_length=2)], AfterValidator(_check_length)] = (
        Field(description="How many of them: a number, or [least, most].", examples=[32, [20, 64]])
    )
    entropy: Annotated[float, Field(strict=False, ge=0, le=6)] = Field(
        default=2.0,
        description="Bits a character that they have at least (Shannon); from 3 on also digits and letters.",
    )


class RedactionRule(_Strict):
    """What is secret here besides what is always redacted."""

    detectors: list[DetectorRule] = Field(default_factory=list, description="Secrets that have a shape of their own.")
    names: list[Annotated[str, StringConstraints(min_length=2, max_length=64, pattern=r"[A-Za-z]")]] = Field(
        default_factory=list,
        description="Names whose values are secrets, alone or as the last words of a name, however they are written.",
        examples=[["customer number"]],
    )
    allow: list[Annotated[str, StringConstraints(min_length=1, max_length=512)]] = Field(
        default_factory=list,
        description="Names and values that are no secrets here, though they look so: exactly as they are written.",
        examples=[["orderToken"]],
    )


class Manifest(_Strict):
    """One file of the allowlist. Several files are read as one: see `deny` and `docs/manifest.md`."""

    version: Annotated[Literal[1], BeforeValidator(_check_version)] = Field(description="The version of this format.")
    targets: list[Target] = Field(default_factory=list, description="The accounts and regions in use.")
    functions: Annotated[list[FunctionRule], BeforeValidator(_empty_if_none)] = Field(
        default_factory=list, description="The functions that may be invoked; none if all of them are commented out."
    )
    deny: list[DenyRule] = Field(
        default_factory=list, description="What is never invoked: these win over every rule, of this file or another."
    )
    principals: dict[Annotated[str, AfterValidator(check_principal)], PrincipalRule] = Field(
        default_factory=dict,
        description="What holds for a principal, by its name: user:SUBJECT, client:ID, or as a server was given it.",
    )
    redaction: RedactionRule = Field(
        default_factory=RedactionRule, description="What is redacted besides what always is; files add up."
    )
