"""Reads whose credentials a target is reached with, until when they are good, and how far the clock is off here."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError

from lambda_warden.aws.advice import advice_for
from lambda_warden.aws.answer import refusal_of, text, token
from lambda_warden.aws.clients import Clients
from lambda_warden.model.outcome import Refused


@dataclass(frozen=True, slots=True)
class AwsIdentity:
    """What AWS says of the credentials of one target.

    Attributes:
        arn: whose they are; None where AWS did not say, and `refusal` says why.
        account: that of this identity.
        expires: when they have to be renewed; None where that is not known, as of keys that don't expire.
        clock_seconds: how far this machine's clock is ahead of AWS's; None where AWS did not answer.
        refusal: what came instead.
    """

    arn: str | None = None
    account: str | None = None
    expires: datetime | None = None
    clock_seconds: float | None = None
    refusal: Refused | None = None


def read_identity(clients: Clients, account: str, region: str) -> AwsIdentity:
    """Ask STS (GetCallerIdentity, which no policy can forbid). Raises nothing. Blocks for some seconds at the most."""
    try:
        with closing(clients.sts(account, region)) as client:
            answer = client.get_caller_identity()
        expires = clients.expiry(account, region)
    except ClientError as error:
        return AwsIdentity(clock_seconds=_clock(error.response.get("ResponseMetadata", {})), refusal=refusal_of(error))
    except Exception as error:  # noqa: BLE001 - whatever came instead of an answer
        code = type(error).__name__
        return AwsIdentity(refusal=Refused(code, text(error), advice=advice_for(code, text(error))))
    return AwsIdentity(
        token(answer.get("Arn"), 2048), token(answer.get("Account")), expires, _clock(answer["ResponseMetadata"])
    )


def _clock(metadata: Mapping[str, Any]) -> float | None:
    """By the Date of an answer, which has whole seconds."""
    try:
        theirs = parsedate_to_datetime(metadata["HTTPHeaders"]["date"])
    except (KeyError, TypeError, ValueError):
        return None
    return (datetime.now(UTC) - theirs.replace(tzinfo=theirs.tzinfo or UTC)).total_seconds()
