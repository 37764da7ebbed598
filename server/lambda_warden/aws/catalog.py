"""Reads what AWS says of functions, for `list_functions`: configuration, never environment variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from lambda_warden.aws.answer import token
from lambda_warden.aws.clients import Clients
from lambda_warden.model.function_info import AliasInfo, FunctionDetails, FunctionInfo, FunctionList

if TYPE_CHECKING:
    from mypy_boto3_lambda.type_defs import FunctionConfigurationResponseTypeDef, FunctionConfigurationTypeDef

LIST_LIMIT = 10_000
"""Functions read of one account and region. What lies behind is described from the manifest alone."""

_T = TypeVar("_T")


def list_functions(clients: Clients, account: str, region: str) -> FunctionList:
    """Read one account and region with ListFunctions. Raises nothing: a denial becomes the listing's `problem`."""
    found: dict[str, FunctionInfo] = {}
    try:
        pages = clients.for_reading(account, region).get_paginator("list_functions").paginate()
        for page in pages:
            for configuration in page["Functions"]:
                info = _function_info(configuration)
                found[info.function_arn] = info
            if len(found) >= LIST_LIMIT:
                return FunctionList(found, f"account {account} in {region} has over {LIST_LIMIT:,} functions")
    except Exception as error:  # noqa: BLE001 - an answer of another shape is a problem of the listing, too
        return FunctionList(found, f"lambda:ListFunctions in account {account}, {region}: {refusal_reason(error)}")
    return FunctionList(found)


def describe(clients: Clients, account: str, region: str, function_arn: str, qualifier: str) -> FunctionDetails:
    """Read one function's aliases and versions, and the state behind one qualifier.

    Raises nothing: denials are the `problems`.
    """
    problems: list[str] = []

    def attempt(action: str, read: Callable[[], _T]) -> _T | None:
        try:
            return read()
        except Exception as error:  # noqa: BLE001 - as above
            problems.append(f"lambda:{action} in account {account}, {region}: {refusal_reason(error)}")
            return None

    def read_aliases() -> dict[str, AliasInfo]:
        pages = client.get_paginator("list_aliases").paginate(FunctionName=function_arn)
        return {
            alias["Name"]: AliasInfo(
                alias["FunctionVersion"], dict(alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}))
            )
            for page in pages
            for alias in page["Aliases"]
        }

    def read_versions() -> frozenset[str]:
        pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=function_arn)
        return frozenset(version["Version"] for page in pages for version in page["Versions"])

    try:
        client = clients.for_reading(account, region)
    except BotoCoreError as error:
        return FunctionDetails(problems=(refusal_reason(error),))
    state = attempt(
        "GetFunctionConfiguration",
        lambda: client.get_function_configuration(FunctionName=function_arn, Qualifier=qualifier).get("State"),
    )
    aliases = attempt("ListAliases", read_aliases)
    versions = attempt("ListVersionsByFunction", read_versions)
    return FunctionDetails(state, aliases, versions, tuple(problems))


def _function_info(configuration: FunctionConfigurationTypeDef | FunctionConfigurationResponseTypeDef) -> FunctionInfo:
    return FunctionInfo(
        function_arn=configuration["FunctionArn"],
        description=configuration.get("Description") or None,
        runtime=configuration.get("Runtime"),
        handler=configuration.get("Handler"),
        memory_mb=configuration.get("MemorySize"),
        timeout_seconds=configuration.get("Timeout"),
        last_modified=configuration.get("LastModified"),
    )


def refusal_reason(error: Exception) -> str:
    """Why a read failed, in one word: AWS's code, or what happened before AWS was reached."""
    if isinstance(error, ClientError):
        return token(error.response.get("Error", {}).get("Code")) or "unknown error"
    return type(error).__name__
