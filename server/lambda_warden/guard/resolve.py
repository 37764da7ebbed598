"""Resolves the name, alias or ARN that somebody wrote to the one canonical reference, or to an error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from lambda_warden.errors import ArgumentError
from lambda_warden.model.function_ref import (
    LATEST,
    FunctionRef,
    parse_function,
    parse_qualifier,
    partition_of,
)
from lambda_warden.model.target import Target


def resolve(
    function: str,
    qualifier: str | None,
    targets: Sequence[Target],
    default_region: str | None = None,
    known: Callable[[], Iterable[str]] = tuple,
) -> FunctionRef:
    """Resolve a request to one canonical reference.

    What a name or a partial ARN leaves open (account, region) is filled in from the manifest's targets, and only
    where that gives one answer. `default_region` chooses among several regions; it adds none.
    Unqualified means `$LATEST`, as for AWS.

    Args:
        function: a function name, partial ARN or full ARN, with or without qualifier.
        qualifier: an alias or version, or None.
        targets: the manifest's targets.
        default_region: the region of the settings or of the AWS configuration.
        known: gives the functions' ARNs that the caller may be told of, where the name alone could mean several.

    Raises:
        ArgumentError: if the name is malformed, contradicts `qualifier`, or could mean several functions.

    >>> targets = [Target(account="123456789012", regions=["us-east-1"])]
    >>> resolve("orders", "live", targets).qualified_arn
    'arn:aws:lambda:us-east-1:123456789012:function:orders:live'
    >>> resolve("123456789012:function:orders", None, targets).qualifier
    '$LATEST'
    """
    spelling = parse_function(function)

    def named() -> list[str]:
        return [arn for arn in known() if arn.endswith(f":function:{spelling.name}")]

    return FunctionRef(
        *_place(spelling.partition, spelling.account, spelling.region, targets, default_region, named),
        name=spelling.name,
        qualifier=_one_qualifier(spelling.qualifier, qualifier),
    )


def _one_qualifier(in_name: str | None, argument: str | None) -> str:
    if argument is None:
        return in_name if in_name is not None else LATEST
    parse_qualifier(argument)
    if in_name is not None and in_name != argument:
        raise ArgumentError(
            "qualifier",
            f"{argument!r} contradicts {in_name!r}, which `function` ends in",
            "the qualifier in one of the two places, or the same in both",
        )
    return argument


def _place(
    partition: str | None,
    account: str | None,
    region: str | None,
    targets: Sequence[Target],
    default_region: str | None,
    named: Callable[[], Sequence[str]],
) -> tuple[str, str, str]:
    if partition is not None and region is not None and account is not None:
        return partition, region, account
    places = [(t.account, r) for t in targets if account in (None, t.account) for r in t.regions]
    if not places:
        which = "" if account is None else f" with account {account}"
        raise ArgumentError("function", f"the manifest has no target{which}", "a function that list_functions shows")
    if len(places) > 1 and default_region is not None:
        places = [place for place in places if place[1] == default_region] or places
    if len(places) > 1:
        among = ", ".join(f"{a} in {r}" for a, r in places[:5]) + (", …" if len(places) > 5 else "")
        raise ArgumentError(
            "function",
            f"the name alone could mean several functions (accounts and regions here: {among})",
            arns[0] if len(arns := named()) == 1 else "the full ARN, as list_functions shows it",
        )
    (account, region) = places[0]
    partition = partition_of(region)
    assert partition is not None, "the manifest's regions are checked when it is loaded"  # noqa: S101
    return partition, region, account
