"""A rule as it stands in a manifest: for one ARN, for several, or for what a selector selects; and what rules share."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from lambda_warden.model.approval_rule import ApprovalRule
from lambda_warden.model.function_rule import QUALIFIERS_MEANING, Qualifiers, RuleDetails, RuleOptions
from lambda_warden.model.rule_arn import AllowedArn
from lambda_warden.model.selector import Selector
from lambda_warden.model.strict import TAG, Strict, Unique

_ARN_SCHEMA = {"pattern": "^arn:[^:*]+:lambda:[^:*]+:[0-9]{12}:function:[A-Za-z0-9_*-]{1,64}$"}
_Arn = Annotated[AllowedArn, Field(json_schema_extra=_ARN_SCHEMA)]


class _Functions(Strict):
    """What a rule is for: the first of its keys."""

    arn: (
        Annotated[
            Annotated[_Arn, Tag(f"{TAG}one")]
            | Annotated[list[_Arn], Unique, Field(min_length=1), Tag(f"{TAG}several")],
            Discriminator(lambda value: f"{TAG}several" if isinstance(value, list) else f"{TAG}one"),
        ]
        | None
    ) = Field(
        default=None,
        description="The function's ARN without qualifier, or a list of them, in several accounts and regions. A `*` "
        "may stand in a function's name alone.",
        examples=["arn:aws:lambda:us-east-1:123456789012:function:orders-refund"],
    )
    select: Selector | None = Field(
        default=None,
        description="Instead of `arn`: what to select functions by. Those that `lambda-warden lock` wrote to the lock "
        "file beside the manifest may be called, and no others.",
    )
    qualifiers: Qualifiers | None = Field(default=None, min_length=1, description=QUALIFIERS_MEANING)


class RuleEntry(RuleDetails, _Functions):
    """Allowed functions: nothing else is invoked. A rule of several ARNs is as many rules that say the same."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["arn"]}, {"required": ["select"]}]})

    @model_validator(mode="after")
    def _check_functions(self) -> RuleEntry:
        if self.arn is None and self.select is None:
            raise ValueError("arn is missing. Expected `arn`, or `select` instead")
        if self.arn is not None and self.select is not None:
            raise ValueError("has arn and select. Expected one of them")
        return self

    @property
    def arns(self) -> list[str]:
        """The ARNs that it names itself."""
        return self.arn if isinstance(self.arn, list) else [] if self.arn is None else [self.arn]


class Defaults(RuleOptions):
    """What holds for the rules of this file that don't say their own."""

    qualifiers: Qualifiers | None = Field(default=None, min_length=1, description=QUALIFIERS_MEANING)

    @field_validator("approval")
    @classmethod
    def _check_approval(cls, approval: str | ApprovalRule | None) -> str | ApprovalRule | None:
        if approval == "never":  # for others than destructive functions it says nothing
            raise ValueError("never can't be a default. Expected it in each destructive rule that nobody is asked for")
        return approval
