"""Reads which versions an alias leads to, for rules that expect certain ones."""

from __future__ import annotations

from botocore.exceptions import ClientError

from lambda_warden.aws.answer import token
from lambda_warden.aws.clients import Clients
from lambda_warden.model.function_ref import FunctionRef


def read_alias(clients: Clients, ref: FunctionRef) -> frozenset[str] | str:
    """Ask AWS (GetAlias) which versions a call of an alias may run: its own, and those it routes a share to.

    Raises nothing. Blocks for at most a few seconds.

    Returns:
        The versions, or why they are not known.
    """
    try:
        alias = clients.for_reading(ref.account, ref.region).get_alias(
            FunctionName=ref.function_arn, Name=ref.qualifier
        )
        routed = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        versions = [token(version) for version in (alias["FunctionVersion"], *routed)]
    except ClientError as error:
        return token(error.response.get("Error", {}).get("Code")) or "unknown error"
    except Exception as error:  # noqa: BLE001 - whatever came instead of an answer, the versions are not known
        return type(error).__name__
    known = frozenset(version for version in versions if version is not None)
    return known if len(known) == len(set(versions)) else "an answer that names no versions"
