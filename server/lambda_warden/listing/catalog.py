"""`list_functions`: the manifest's rules joined with what AWS knows. The manifest decides what is listed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import anyio
import anyio.to_thread

from lambda_warden.answers.bounded import cut
from lambda_warden.guard.arguments import parse_arguments
from lambda_warden.guard.callers import refusal_of, tenants_of
from lambda_warden.guard.rules import Rule, Rules
from lambda_warden.model.approval import why
from lambda_warden.model.caller import Caller
from lambda_warden.model.found_function import Place
from lambda_warden.model.function_info import FunctionDetails, FunctionInfo, FunctionList
from lambda_warden.model.function_ref import LATEST, FunctionRef
from lambda_warden.model.limits import Limits
from lambda_warden.model.request import ListArguments
from lambda_warden.model.result import AWS_OUTSIDE_DATA, FunctionEntry, ListResult, QualifierEntry
from lambda_warden.policy import Policy
from lambda_warden.redaction.policy import Detectors
from lambda_warden.redaction.text import redact_text
from lambda_warden.report.fit import fit
from lambda_warden.report.listing import distinct, page_of, read_cursor
from lambda_warden.report.text import list_text

_NO_APPROVALS: Final = f"Functions that need approval can't be invoked here: {why('unauthenticated')}."

_TOLD_CHARACTERS: Final = 256
"""Lambda's own limit of a description (API reference, CreateFunction)."""
_LISTED_TENANTS: Final = 50


@dataclass(frozen=True, slots=True)
class _Item:
    """One function under one rule; for a pattern that AWS can't expand, the pattern."""

    function: str
    rule: Rule
    info: FunctionInfo | None
    qualifiers: tuple[str, ...]
    detectors: Detectors

    @property
    def description(self) -> str | None:
        """The operator's, or else what AWS says, redacted."""
        return self.rule.spec.description or self.told(self.info.description if self.info else None)

    def told(self, text: str | None) -> str | None:
        """What AWS says of the function, redacted and cut."""
        return None if text is None else cut(redact_text(text, detectors=self.detectors).text, _TOLD_CHARACTERS)

    @property
    def key(self) -> str:
        """Sorts the list. The first qualifier tells two rules of one function apart."""
        return f"{self.function}:{self.qualifiers[0]}"


class Catalog:
    """Lists what may be invoked.

    Args:
        policy: gives what is in force.
        output_bytes: of a result and its text together.
        approvals: tells whether a person can be asked for a caller.
        pause: says that a person has stopped all calls, if one has. It may block.
    """

    def __init__(
        self,
        policy: Callable[[], Policy],
        output_bytes: int,
        *,
        approvals: Callable[[Caller], bool] = lambda _: True,
        pause: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._approvals = approvals
        self._pause = pause
        self._output_bytes = output_bytes
        self._policy = policy

    async def list_functions(self, arguments: Mapping[str, Any], caller: Caller) -> ListResult:
        """One page of the functions that the manifest allows.

        Raises:
            ArgumentError: for an argument that is unknown or of the wrong form.
        """
        wanted = parse_arguments(ListArguments, arguments)
        after = read_cursor(wanted.cursor) if wanted.cursor is not None else None
        policy = self._policy()
        rules = [
            rule for rule in policy.rules.all if _may_match(rule, wanted) and refusal_of(caller, rule.spec) is None
        ]
        listings = await _list_places(policy, {(rule.arn.account, rule.arn.region) for rule in rules})
        items = sorted(
            (
                item
                for rule in rules
                for item in expand(rule, listings[rule.arn.account, rule.arn.region], policy.rules)
                if _is_wanted(item, wanted.name_contains)
            ),
            key=lambda item: item.key,
        )
        indexes, cursor = page_of([item.key for item in items], wanted.limit, after)
        page = [items[i] for i in indexes]
        details = await _describe(policy, page)
        paused = await anyio.to_thread.run_sync(self._pause)
        entries = [
            _entry(
                item,
                caller,
                listings[item.rule.arn.account, item.rule.arn.region],
                details.get(item.function, FunctionDetails()),
            )
            for item in page
        ]
        notes = distinct(
            [
                *([] if paused is None else [f"No call is sent now: {paused}."]),
                *([_NO_APPROVALS] if any(item.rule.spec.asks for item in page) and not self._approvals(caller) else []),
                *(_listing_note(listing.problem) for listing in listings.values() if listing.problem),
                *(problem for detail in details.values() for problem in detail.problems),
            ]
        )

        def make(count: int) -> ListResult:
            shown = max(1, count)
            next_cursor = cursor if shown >= len(page) else page_of([item.key for item in items], shown, after)[1]
            # The schema and examples of one function can be too large to show.
            shown_entries = entries[:count] if count or not entries else [_without_schema(entries[0])]
            from_aws = any(entry.description_from == "aws" for entry in shown_entries)
            return ListResult(
                outside_data=AWS_OUTSIDE_DATA if from_aws else None,
                functions=shown_entries,
                total=len({item.function for item in items}),
                next_cursor=next_cursor,
                notes=notes,
                next_step=_next_step(items, next_cursor),
            )

        return fit(make, list_text, len(page), self._output_bytes, least=0)


def _list_place(policy: Policy, place: Place) -> FunctionList:
    return policy.aws.list_functions(*place)


def _describe_item(policy: Policy, item: _Item) -> FunctionDetails:
    return policy.aws.describe(item.rule.arn.account, item.rule.arn.region, item.function, item.qualifiers[0])


async def _list_places(policy: Policy, places: set[Place]) -> dict[Place, FunctionList]:
    listings: dict[Place, FunctionList] = {}

    async def read(place: Place) -> None:
        listings[place] = checked(place, await anyio.to_thread.run_sync(_list_place, policy, place))

    async with anyio.create_task_group() as group:
        for place in sorted(places):
            group.start_soon(read, place)
    return dict(sorted(listings.items()))


async def _describe(policy: Policy, page: list[_Item]) -> dict[str, FunctionDetails]:
    """Read the details of the functions that AWS has; the others have none."""
    details: dict[str, FunctionDetails] = {}

    async def read(item: _Item) -> None:
        details[item.function] = await anyio.to_thread.run_sync(_describe_item, policy, item)

    async with anyio.create_task_group() as group:
        for item in {item.function: item for item in page if item.info is not None}.values():
            group.start_soon(read, item)
    return dict(sorted(details.items()))


def _may_match(rule: Rule, wanted: ListArguments) -> bool:
    return (
        wanted.account in (None, rule.arn.account)
        and wanted.region in (None, rule.arn.region)
        and wanted.effect in (None, rule.spec.effect)
    )


def expand(rule: Rule, listing: FunctionList, rules: Rules) -> list[_Item]:
    """The functions of one rule, without what is denied all the same, and so as `decide` sees them: a function with
    a rule of its own is not under a pattern."""
    if not rule.arn.is_pattern:
        return _items(rule.spec.arn, rule, listing.functions.get(rule.spec.arn), rules)
    regex, prefix = rule.arn.name_regex(), rule.spec.arn.removesuffix(rule.arn.name)
    matching = [
        item
        for arn, info in listing.functions.items()
        if arn.startswith(prefix) and regex.fullmatch(arn.removeprefix(prefix)) and not rules.names_exactly(arn)
        for item in _items(arn, rule, info, rules)
    ]
    if listing.problem is None:
        return matching
    return [_Item(rule.spec.arn, rule, None, tuple(rule.spec.qualifiers), rules.detectors), *matching]


def _items(function: str, rule: Rule, info: FunctionInfo | None, rules: Rules) -> list[_Item]:
    name, arn = function.rsplit(":", 1)[-1], rule.arn
    allowed = tuple(
        qualifier
        for qualifier in rule.spec.qualifiers
        if not rules.denial_of(FunctionRef(arn.partition, arn.region, arn.account, name, qualifier))
    )
    return [_Item(function, rule, info, allowed, rules.detectors)] if allowed else []


def _entry(item: _Item, caller: Caller, listing: FunctionList, details: FunctionDetails) -> FunctionEntry:
    spec, info = item.rule.spec, item.info
    is_pattern = item.function == spec.arn and item.rule.arn.is_pattern
    description = item.description
    tenants = tenants_of(caller, spec)
    return FunctionEntry(
        function=item.function,
        is_pattern=is_pattern,
        qualifiers=[_qualifier(qualifier, details) for qualifier in item.qualifiers],
        approval=spec.asks,
        approval_by=spec.asked.way if spec.asks else None,
        tenants=None if tenants is None else tenants[:_LISTED_TENANTS],
        invocation_types=list(spec.invocation_types),
        effect=spec.effect,
        description=description,
        description_from=None if description is None else "manifest" if spec.description else "aws",
        payload_schema=item.rule.schema.schema if item.rule.schema else None,
        payload_max_bytes=spec.payload.max_bytes,
        examples=list(spec.examples),
        limits=spec.limits if spec.limits != Limits() else None,
        logs=spec.logs.read if spec.logs else None,
        answer_timeout_seconds=spec.timeout_seconds,
        exists=True if info else None if listing.problem or is_pattern else False,
        runtime=item.told(info.runtime) if info else None,
        handler=item.told(info.handler) if info else None,
        memory_mb=info.memory_mb if info else None,
        timeout_seconds=info.timeout_seconds if info else None,
        last_modified=item.told(info.last_modified) if info else None,
        state=item.told(details.state),
    )


def _without_schema(entry: FunctionEntry) -> FunctionEntry:
    about = f"{entry.description or ''} (Its payload schema and examples are too large to be shown here.)".strip()
    return entry.model_copy(update={"payload_schema": None, "examples": [], "description": about})


def _qualifier(qualifier: str, details: FunctionDetails) -> QualifierEntry:
    if qualifier.startswith("$"):
        known = None if details.versions is None else qualifier in details.versions or qualifier != LATEST
        return QualifierEntry(qualifier=qualifier, kind="latest", exists=known)
    if qualifier.isdigit():
        known = None if details.versions is None else qualifier in details.versions
        return QualifierEntry(qualifier=qualifier, kind="version", exists=known)
    if details.aliases is None:
        return QualifierEntry(qualifier=qualifier, kind="alias")
    alias = details.aliases.get(qualifier)
    return QualifierEntry(
        qualifier=qualifier,
        kind="alias",
        exists=alias is not None,
        function_version=alias.function_version if alias else None,
        routing=alias.routing or None if alias else None,
    )


def _is_wanted(item: _Item, words: str | None) -> bool:
    """Whether the function's name holds the words, or its description does in any case."""
    if words is None or words in item.function.rsplit(":", 1)[-1]:
        return True
    # As it is shown, so that nobody finds out letter by letter what is not.
    return item.description is not None and words.casefold() in item.description.casefold()


def checked(place: Place, listing: FunctionList) -> FunctionList:
    """A listing, without the functions of another account: the ARNs that AWS answers with tell whose they are."""
    account, region = place
    others = sorted({arn.split(":")[4] for arn in listing.functions if arn.count(":") >= 6} - {account})
    if not others:
        return listing
    problem = f"the target for account {account} in {region} reaches account {', '.join(others[:3])} instead"
    return FunctionList({arn: info for arn, info in listing.functions.items() if f":{account}:" in arn}, problem)


def _listing_note(problem: str) -> str:
    if problem.startswith("the target for"):
        return f"{problem}: its credentials are those of another account. Tell the operator."
    return f"{problem}. What AWS did not tell is left out; what may be invoked comes from the manifest alone."


def _next_step(items: list[_Item], cursor: str | None) -> str:
    if not items:
        return "Nothing that may be invoked matches. Use fewer filters; only the operator can allow more."
    if cursor:
        return "Pass next_cursor as cursor for more, or narrow with name_contains."
    return "Use dry_run to check a call, or invoke_function with one of the qualifiers to run it."
