"""Reads the configuration of one version or alias of a function, as far as a call or its log depends on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambda_warden.aws.advice import advice_for
from lambda_warden.aws.answer import refusal_of
from lambda_warden.aws.clients import Clients
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.outcome import Refused
from lambda_warden.model.payload_rule import LOG_GROUP

if TYPE_CHECKING:
    from mypy_boto3_lambda.type_defs import FunctionConfigurationResponseTypeDef


@dataclass(frozen=True, slots=True)
class Configuration:
    """One function's configuration behind one qualifier.

    Attributes:
        timeout_seconds: how long AWS lets it run: up to 900, or up to 5,400 on Lambda Managed Instances.
        durable: whether it runs as a durable execution, so that AWS runs one for each DurableExecutionName.
        log_group: the CloudWatch Logs group that it logs to.
        concurrent: whether one environment runs several invocations at a time (Lambda Managed Instances).
    """

    timeout_seconds: int | None = None
    durable: bool = False
    log_group: str | None = None
    concurrent: bool = False


def read_configuration(clients: Clients, ref: FunctionRef) -> Configuration | Refused:
    """Ask AWS (GetFunctionConfiguration, with the qualifier). Environment variables are dropped where they arrive.

    Raises nothing. Blocks for at most a few seconds.

    Returns:
        The configuration, or why it is not known.
    """
    try:
        client = clients.for_reading(ref.account, ref.region)
        return _configuration(
            ref, client.get_function_configuration(FunctionName=ref.function_arn, Qualifier=ref.qualifier)
        )
    except ClientError as error:
        refusal = refusal_of(error)
        return replace(refusal, message=f"GetFunctionConfiguration: {refusal.message}")
    except Exception as error:  # noqa: BLE001 - whatever came instead of an answer, it is not known
        return Refused(
            type(error).__name__, "GetFunctionConfiguration failed", advice=advice_for(type(error).__name__, "")
        )


def _configuration(ref: FunctionRef, answer: FunctionConfigurationResponseTypeDef) -> Configuration:
    timeout: object = answer.get("Timeout")
    group = answer.get("LoggingConfig", {}).get("LogGroup", f"/aws/lambda/{ref.name}")
    return Configuration(
        timeout_seconds=timeout if isinstance(timeout, int) and timeout > 0 else None,
        durable=bool(answer.get("DurableConfig")),
        log_group=group if LOG_GROUP.fullmatch(group) else None,
        concurrent=answer.get("CapacityProviderConfig") is not None,
    )
