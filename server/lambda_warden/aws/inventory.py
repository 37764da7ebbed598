"""Reads which functions accounts have, for `init` and `lock`: names, aliases, tags, roles' policies; nothing else.

What AWS refuses is left out and said; nothing is changed. Requests slow down by themselves where AWS throttles.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from botocore.config import Config

from lambda_warden.aws.catalog import refusal_reason
from lambda_warden.aws.clients import READ_SECONDS
from lambda_warden.aws.role_sessions import role_session
from lambda_warden.aws_session import new_session
from lambda_warden.errors import ArgumentError
from lambda_warden.model.found_function import FoundFunction, Inventory, Place
from lambda_warden.model.function_ref import parse_qualifier
from lambda_warden.model.rule_arn import parse_rule_arn
from lambda_warden.model.schema_ref import SchemaRef, parse_schema_arn
from lambda_warden.model.selector import Selector
from lambda_warden.model.target import Target

_AT_ONCE = 8
_ATTEMPTS = 8

_T = TypeVar("_T")
_R = TypeVar("_R")

Progress = Callable[[str], None]
"""Told what is being read, now and then."""


def find_targets(
    profiles: Sequence[str | None],
    roles: Sequence[str],
    account: str | None,
    regions: Sequence[str],
    endpoint_url: str | None,
) -> tuple[list[Target], list[str]]:
    """The account behind each profile, or of each role that the profiles' credentials assume, and what went wrong.

    Args:
        profiles: of the AWS config files; None is the default.
        roles: their ARNs.
        account: that of the one profile, where STS can't be asked; without it and roles, STS is.
        regions: to read; the profile's own where none is given.
        endpoint_url: another endpoint than AWS's own.
    """
    targets: dict[str, Target] = {}
    problems: list[str] = []
    for profile in profiles:
        named = f"profile {profile}" if profile else "the default credentials"
        try:
            session = new_session(profile)
            read = list(dict.fromkeys(regions or filter(None, [session.region_name])))
            if not read:
                problems.append(f"{named}: no region is configured. Expected --region")
                continue
            accounts: dict[str, str | None] = {role.split(":")[4]: role for role in roles}
            if account is not None:
                accounts.setdefault(account, None)
            if not accounts:
                accounts[_client(session, "sts", read[0], endpoint_url).get_caller_identity()["Account"]] = None
            for each, role in accounts.items():
                if each in targets:
                    problems.append(f"{named}: account {each} is read by {targets[each].profile or 'another'} already")
                    continue
                targets[each] = Target(
                    account=each, regions=read, profile=profile, role_arn=role, endpoint_url=endpoint_url
                )
        except Exception as error:  # noqa: BLE001 - an answer of another shape is a problem of this profile alone, too
            problems.append(f"{named}: sts:GetCallerIdentity: {refusal_reason(error)}")
    return list(targets.values()), problems


def read_inventory(
    targets: Sequence[Target], prefixes: Sequence[str], tags: Mapping[str, str], progress: Progress
) -> Inventory:
    """Read the functions of accounts. Raises nothing: what could not be read is among the `problems`.

    Args:
        targets: the accounts and regions.
        prefixes: the functions asked for begin with one of these; all if there are none.
        tags: and have all of these.
        progress: told how far it is, from a second on.
    """
    return _Reading(targets, progress).inventory(prefixes, tags)


def read_policies(
    targets: Sequence[Target], functions: Sequence[FoundFunction], progress: Progress
) -> tuple[list[FoundFunction], tuple[str, ...]]:
    """The functions with the policies of their roles, where these may be read, and what went wrong, a line each."""
    reading = _Reading(targets, progress)
    return reading.with_policies(functions), reading.said()


def select_functions(
    targets: Sequence[Target], selectors: Sequence[Selector], progress: Progress
) -> tuple[list[list[str]], tuple[str, ...]]:
    """The ARNs that each selector selects now, sorted, and what could not be read, a line each.

    Where anything could not be read, it is not known what is selected.
    """
    reading = _Reading(targets, progress)
    return reading.selected(selectors), reading.said()


def read_schemas(
    targets: Sequence[Target], functions: Sequence[FoundFunction], tag: str, progress: Progress
) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """What the EventBridge schema registry says of the payloads of functions, and what went wrong, a line each.

    Args:
        targets: the accounts and regions.
        functions: of these.
        tag: of a function, that holds its schema's ARN.
        progress: told how far it is, from a second on.

    Returns:
        Names of functions, and the schema of each as text: JSON Schema of Draft 4.
    """
    reading = _Reading(targets, progress)
    return reading.schemas(functions, tag), reading.said()


class _Reading:
    """The clients of one run, and its problems, each counted once a function."""

    def __init__(self, targets: Sequence[Target], progress: Progress) -> None:
        self._targets = targets
        self._progress = progress
        self._problems: Counter[str] = Counter()
        self._clients: dict[tuple[str, str, str], Any] = {}

    def inventory(self, prefixes: Sequence[str], tags: Mapping[str, str]) -> Inventory:
        places = [(target.account, region) for target in self._targets for region in target.regions]
        for target in self._targets:
            for region in target.regions:
                self._make_client(target, "lambda", region)
        complete: set[Place] = set()
        every: dict[str, FoundFunction] = {}
        for place, (listed, whole) in zip(places, self._each(self._list, places, "functions listed"), strict=True):
            every |= {each.arn: each for each in listed}
            complete |= {place} if whole else set()
        asked = [each for each in every.values() if not prefixes or each.name.startswith(tuple(prefixes))]
        if tags:
            tagged = self._each(lambda each: tags.items() <= self._tags(each).items(), asked, "functions' tags read")
            asked = [each for each, fits in zip(asked, tagged, strict=True) if fits]
        found = tuple(self._each(self._with_aliases, asked, "functions' aliases read"))
        return Inventory(tuple(self._targets), found, frozenset(every), frozenset(complete), self.said())

    def selected(self, selectors: Sequence[Selector]) -> list[list[str]]:
        places = sorted({place for select in selectors for place in select.places})
        for target in self._targets:
            for region in target.regions:
                if (target.account, region) in places:
                    self._make_client(target, "lambda", region)
        listed = [each for found, _ in self._each(self._list, places, "places listed") for each in found]
        candidates = [[each for each in listed if select.may_select(parse_rule_arn(each.arn))] for select in selectors]
        asked = {
            each.arn: each
            for select, found in zip(selectors, candidates, strict=True)
            if select.tags is not None
            for each in found
        }
        tags = dict(zip(asked, self._each(self._tags, list(asked.values()), "functions' tags read"), strict=True))
        return [
            sorted(each.arn for each in found if (select.tags or {}).items() <= tags.get(each.arn, {}).items())
            for select, found in zip(selectors, candidates, strict=True)
        ]

    def schemas(self, functions: Sequence[FoundFunction], tag: str) -> list[tuple[str, str]]:
        targets = {target.account: target for target in self._targets}
        for place in dict.fromkeys(each.place for each in functions):
            self._make_client(targets[place[0]], "lambda", place[1])
        wanted: list[tuple[FoundFunction, SchemaRef]] = []
        for each, tags in zip(functions, self._each(self._tags, functions, "functions' tags read"), strict=True):
            if (named := tags.get(tag)) is None:
                continue
            if (ref := parse_schema_arn(named)) is None:
                self._problems[f"no schema for {each.name}: its tag {tag} is no ARN of a schema"] += 1
            elif self._make_client(targets[each.place[0]], "schemas", ref.region) is not None:
                wanted.append((each, ref))
        read = self._each(self._schema, wanted, "schemas read")
        return [(each.name, text) for (each, _), text in zip(wanted, read, strict=True) if text is not None]

    def _schema(self, wanted: tuple[FoundFunction, SchemaRef]) -> str | None:
        function, ref = wanted
        client = self._clients["schemas", function.place[0], ref.region]
        named = {"RegistryName": ref.registry, "SchemaName": ref.name}

        def read() -> str:
            described = client.describe_schema(**named)
            if described["Type"] != "JSONSchemaDraft4":
                described = client.export_schema(**named, Type="JSONSchemaDraft4")
            return str(described["Content"])

        return self._attempt("schemas:DescribeSchema, schemas:ExportSchema", function.place, read)

    def said(self) -> tuple[str, ...]:
        """The problems, one line each."""
        return tuple(
            f"{problem}{f' ({count} times)' if count > 1 else ''}" for problem, count in self._problems.items()
        )

    def _make_client(self, target: Target, service: str, region: str) -> Any:
        # In the first thread, since making clients is not thread-safe in boto3; using them is.
        key = (service, target.account, region)
        if key not in self._clients:
            try:
                session = new_session(target.profile, region)
                if target.role_arn is not None:
                    session = role_session(session, target, region)
                self._clients[key] = _client(session, service, region, target.endpoint_url)
            except Exception as error:  # noqa: BLE001 - as above
                self._problems[f"{service} in account {target.account}, {region}: {refusal_reason(error)}"] += 1
        return self._clients.get(key)

    def _attempt(self, action: str, place: Place, read: Callable[[], _T]) -> _T | None:
        try:
            return read()
        except Exception as error:  # noqa: BLE001 - as above
            self._problems[f"{action} in account {place[0]}, {place[1]}: {refusal_reason(error)}"] += 1
            return None

    def _each(self, read: Callable[[_T], _R], items: Sequence[_T], what: str) -> list[_R]:
        """Read all at once, as many as are good for AWS, and say how far it is each second."""
        done: list[_R] = []
        told = time.monotonic()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for result in pool.map(read, items):
                done.append(result)
                if time.monotonic() - told > 1:
                    told = time.monotonic()
                    self._progress(f"{len(done)} of {len(items)} {what}")
        return done

    def _list(self, place: Place) -> tuple[list[FoundFunction], bool]:
        found: list[FoundFunction] = []
        client: Any = self._clients.get(("lambda", *place))

        def read() -> bool:
            for page in client.get_paginator("list_functions").paginate():
                found.extend(_found(page["Functions"], place))
            return True

        return found, client is not None and self._attempt("lambda:ListFunctions", place, read) is True

    def _with_aliases(self, function: FoundFunction) -> FoundFunction:
        client = self._clients["lambda", *function.place]

        def read() -> tuple[str, ...]:
            pages = client.get_paginator("list_aliases").paginate(FunctionName=function.arn)
            return tuple(parse_qualifier(alias["Name"]) for page in pages for alias in page["Aliases"])

        return replace(function, aliases=self._attempt("lambda:ListAliases", function.place, read))

    def _tags(self, function: FoundFunction) -> dict[str, str]:
        client = self._clients["lambda", *function.place]
        read = self._attempt("lambda:ListTags", function.place, lambda: client.list_tags(Resource=function.arn)["Tags"])
        return dict(read or {})

    def with_policies(self, functions: Sequence[FoundFunction]) -> list[FoundFunction]:
        roles = {each.role: each.place for each in functions if each.role is not None}
        targets = {target.account: target for target in self._targets}
        clients = {place[0]: self._make_client(targets[place[0]], "iam", place[1]) for place in roles.values()}
        policies: dict[str, Any] = {}

        def read(role: tuple[str, Place]) -> tuple[Mapping[str, Any], ...] | None:
            arn, place = role
            client = clients[place[0]]
            if client is None or arn.split(":")[4:5] != [place[0]]:
                return None
            return self._attempt("iam: policies of roles", place, lambda: tuple(_documents(client, arn, policies)))

        found = dict(zip(roles, self._each(read, list(roles.items()), "roles read"), strict=True))
        return [replace(each, policies=found.get(each.role) if each.role else None) for each in functions]


def _found(configurations: Iterable[Mapping[str, Any]], place: Place) -> Iterator[FoundFunction]:
    for configuration in configurations:
        arn = parse_rule_arn(configuration["FunctionArn"])
        if (arn.account, arn.region) != place or arn.is_pattern:
            raise ArgumentError("FunctionArn", "is of another place", "one of the account and region that was asked")
        yield FoundFunction(str(arn), configuration.get("Description") or None, None, configuration.get("Role"))


def _documents(client: Any, role: str, managed: dict[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The policies of a role. `managed` keeps those that roles share."""
    name = role.rsplit("/", 1)[-1]
    for page in client.get_paginator("list_attached_role_policies").paginate(RoleName=name):
        for arn in (policy["PolicyArn"] for policy in page["AttachedPolicies"]):
            if arn not in managed:
                version = client.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
                read = client.get_policy_version(PolicyArn=arn, VersionId=version)
                managed[arn] = read["PolicyVersion"]["Document"]
            yield managed[arn]
    for page in client.get_paginator("list_role_policies").paginate(RoleName=name):
        for inline in page["PolicyNames"]:
            yield client.get_role_policy(RoleName=name, PolicyName=inline)["PolicyDocument"]


def _client(session: Any, service: str, region: str, endpoint_url: str | None) -> Any:
    # Adaptive: after AWS has throttled, all threads together send no more than it takes.
    config = Config(
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": _ATTEMPTS, "mode": "adaptive"},
        max_pool_connections=_AT_ONCE,
    )
    return session.client(service, region_name=region, endpoint_url=endpoint_url, config=config)
