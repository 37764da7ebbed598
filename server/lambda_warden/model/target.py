"""The AWS accounts and regions that a manifest reaches."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from lambda_warden.errors import ArgumentError, shown
from lambda_warden.model.function_ref import is_account, partition_of
from lambda_warden.model.strict import Strict, Unique

ENDPOINT_URL: Final = r"^https?://[^\s]+$"
"""What the URL of an endpoint looks like, as a regular expression that JSON Schema takes, too."""
_ROLE_ARN = re.compile(r"arn:(?P<partition>aws[a-z-]*):iam::(?P<account>[0-9]{12}):role/[\w+=,.@/-]{1,512}", re.ASCII)


def _check_account(text: str) -> str:
    if not is_account(text):
        raise ArgumentError("account", f"{shown(text)} is not an AWS account id", "12 digits, in quotes")
    return text


def _check_region(text: str) -> str:
    if partition_of(text) is None:
        raise ArgumentError("region", f"unknown region {shown(text)}", "an AWS region such as us-east-1")
    return text


def _check_role_arn(text: str) -> str:
    if not _ROLE_ARN.fullmatch(text):
        raise ArgumentError("role_arn", f"{shown(text)} is not the ARN of a role", "arn:aws:iam::ACCOUNT:role/NAME")
    return text


Account = Annotated[str, AfterValidator(_check_account)]
"""The id of an AWS account."""
Region = Annotated[str, AfterValidator(_check_region)]
"""An AWS region that is known."""


class Target(Strict):
    """How to reach one AWS account. Credentials never stand here: boto3 finds them as it always does."""

    account: Account = Field(
        description="The AWS account id, 12 digits, in quotes.",
        examples=["123456789012"],
        json_schema_extra={"pattern": "^[0-9]{12}$"},
    )
    regions: Annotated[list[Region], Unique] = Field(
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
    endpoint_url: Annotated[str, StringConstraints(pattern=ENDPOINT_URL)] | None = Field(
        default=None, description="Another endpoint than AWS's own, for example a VPC endpoint or an emulator."
    )
    concurrency: int | None = Field(
        default=None, ge=1, le=1024, description="How many calls may be under way at once in each region of it."
    )
    logs_endpoint_url: Annotated[str, StringConstraints(pattern=ENDPOINT_URL)] | None = Field(
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
