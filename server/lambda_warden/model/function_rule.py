"""A rule of a manifest: what may be invoked, and how."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, StringConstraints, Tag, model_validator

from lambda_warden.errors import ArgumentError, shown
from lambda_warden.model.approval_rule import ApprovalRule
from lambda_warden.model.expose import ExposeRule
from lambda_warden.model.function_ref import parse_qualifier
from lambda_warden.model.limits import Limits, StopRule
from lambda_warden.model.payload_rule import LogsRule, PayloadRule, ResultRule
from lambda_warden.model.principal import ClientId, Member, Scope
from lambda_warden.model.quotas import WAIT_LIMIT
from lambda_warden.model.rule_arn import AllowedArn
from lambda_warden.model.strict import TAG, Strict, Unique
from lambda_warden.model.tenant import ANY_TENANT, Tenant

InvocationType = Literal["RequestResponse", "Event"]
Effect = Literal["read", "write", "destructive"]


def _check_qualifier(text: str) -> str:
    return parse_qualifier(text, "qualifier")


Qualifier = Annotated[str, AfterValidator(_check_qualifier)]
"""An alias, a version or $LATEST."""


def _check_version_number(text: str) -> str:
    if not text.isascii() or not text.isdigit():
        raise ArgumentError(
            "expect_version", f"{shown(text)} is not a version", 'version numbers in quotes, such as "7"'
        )
    return parse_qualifier(text, "expect_version")


Qualifiers = Annotated[list[Qualifier], Unique]
QUALIFIERS_MEANING = (
    "The aliases and versions allowed, each exactly, in quotes. List $LATEST to allow unpublished code, which is also "
    "what a call without qualifier runs."
)


class RuleOptions(Strict):
    """What a rule may say itself or take from `defaults`, beside its qualifiers."""

    invocation_types: Annotated[list[InvocationType], Unique] = Field(
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
    principals: Annotated[list[Member], Unique] | None = Field(
        default=None,
        min_length=1,
        description="Who may call under this rule: user:SUBJECT, group:NAME, client:ID for a client that acts for "
        "nobody, or the name that a server was given (--principal). Everybody if not given.",
        examples=[["group:sre", "user:ann@example.com", "client:nightly-report"]],
    )
    scopes: Annotated[list[Scope], Unique] = Field(
        default_factory=list, description="Scopes that the caller's token has to have, all of them."
    )
    clients: Annotated[list[ClientId], Unique] | None = Field(
        default=None,
        min_length=1,
        description="Through whom: ids of the OAuth clients that the caller's token may be issued to. Where it "
        "says that an agent acts for the caller (`act`), that agent has to be here, too. Any if not given.",
    )
    limits: Limits = Field(
        default_factory=Limits,
        description="How often calls may be made under this rule: of each ARN of several, or of what is selected, by "
        "itself; of the functions of a pattern together.",
    )
    stop_after_failures: StopRule | None = Field(
        default=None,
        description="After how many failures in a row calls are denied for a while, counted for each function and "
        "qualifier; never if not given.",
    )
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


class RuleDetails(RuleOptions):
    """What each rule says itself, and no `defaults`, beside what it is for."""

    expect_version: Annotated[list[Annotated[str, AfterValidator(_check_version_number)]], Unique] | None = Field(
        default=None,
        min_length=1,
        description="The versions that may run behind the aliases of this rule. An alias that leads elsewhere, also "
        "for a share of the calls, is denied; a version that ran all the same is reported and recorded.",
    )
    tenants: Annotated[list[Tenant], Field(min_length=1), Unique] | Literal["caller"] | None = Field(
        default=None,
        description="For a function with tenant isolation: the tenant ids that calls may name, each exactly; every "
        'call has to name one. ["*"] allows any; caller alone that of the caller, as its token says. If not given, a '
        "call that names a tenant is denied.",
    )
    payload: PayloadRule = Field(default_factory=PayloadRule, description="What may be sent.")
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
    expose: (
        Annotated[
            Annotated[Literal["tool"], Tag(f"{TAG}word")] | Annotated[ExposeRule, Tag(f"{TAG}keys")],
            Discriminator(lambda value: f"{TAG}keys" if isinstance(value, dict | ExposeRule) else f"{TAG}word"),
        ]
        | None
    ) = Field(
        default=None,
        description="Whether hosts see the function as a tool of its own, beside invoke_function: tool, or {tool: "
        "NAME, qualifier: QUALIFIER}. Each takes room in a model's context. Only for one function, without `*`.",
    )

    @model_validator(mode="after")
    def _check_tenants(self) -> RuleDetails:
        if isinstance(self.tenants, list) and ANY_TENANT in self.tenants and len(self.tenants) > 1:
            raise ValueError('tenants has "*" beside tenant ids. Expected ["*"] for any, or the ids alone')
        return self


class FunctionRule(RuleDetails):
    """One allowed function, or a family of functions: nothing else is invoked."""

    arn: AllowedArn
    qualifiers: Qualifiers = Field(min_length=1, description=QUALIFIERS_MEANING)

    @model_validator(mode="after")
    def _check_expected(self) -> FunctionRule:
        fixed = {qualifier for qualifier in self.qualifiers if qualifier.isdigit() or qualifier.startswith("$")}
        if self.expect_version is not None and (others := sorted(fixed - set(self.expect_version))):
            raise ValueError(
                f"qualifiers allow {', '.join(others)}, which expect_version does not. Expected it in both"
            )
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
    def exposed(self) -> ExposeRule | None:
        """How the function is a tool of its own, if it is."""
        return self.expose if self.expose is None or isinstance(self.expose, ExposeRule) else ExposeRule()

    @property
    def asked(self) -> ApprovalRule:
        """How, where somebody is."""
        return self.approval if isinstance(self.approval, ApprovalRule) else ApprovalRule()
