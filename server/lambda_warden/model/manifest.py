"""The operator's manifest: what may be invoked. Everything that it does not allow is denied.

The JSON Schema of these models is published as `manifests/manifest.schema.json`, so each description is
written for the person who types a manifest into an editor.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from lambda_warden.model.function_rule import Qualifier
from lambda_warden.model.limits import Limits
from lambda_warden.model.principal import check_principal
from lambda_warden.model.redaction_rule import RedactionRule
from lambda_warden.model.rule_arn import DeniedArn
from lambda_warden.model.rule_entry import Defaults, RuleEntry
from lambda_warden.model.strict import Strict, Unique
from lambda_warden.model.target import Target


def _check_version(version: object) -> object:
    if type(version) is not int:  # true and 1.0 are equal to 1
        raise ValueError("is no whole number. Expected 1")
    return version


def _empty_if_none(value: object) -> object:
    return [] if value is None else value  # a key below which everything is commented out


def _default_if_none(value: object) -> object:
    return {} if value is None else value


class DenyRule(Strict):
    """What is never invoked, whatever is allowed anywhere."""

    arn: DeniedArn = Field(
        description="A function ARN without qualifier. Partition, region, account and name may each be *, and the name "
        "may hold *.",
        examples=["arn:aws:lambda:*:*:function:*-payroll"],
    )
    qualifiers: Annotated[list[Qualifier], Unique] | None = Field(
        default=None, min_length=1, description="The aliases and versions denied; all if not given."
    )
    reason: Annotated[str, StringConstraints(max_length=300)] | None = Field(
        default=None, description="Why, for whoever is denied."
    )


class PrincipalRule(Strict):
    """What holds for one principal, whatever it calls, agents that act for it included."""

    limits: Limits = Field(default_factory=Limits, description="How often this principal may call, all rules together.")


class Manifest(Strict):
    """One file of the allowlist. Several files are read as one: see `deny` and `docs/manifest.md`."""

    version: Annotated[Literal[1], BeforeValidator(_check_version)] = Field(description="The version of this format.")
    targets: list[Target] = Field(default_factory=list, description="The accounts and regions in use.")
    defaults: Annotated[Defaults, BeforeValidator(_default_if_none)] = Field(
        default_factory=Defaults,
        description="What rules of this file take for a key that they don't have. A rule's own value takes the place "
        "of the default whole: keys within it don't add up.",
    )
    functions: Annotated[list[RuleEntry], BeforeValidator(_empty_if_none)] = Field(
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
