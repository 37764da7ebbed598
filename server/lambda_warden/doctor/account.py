"""AWS against the manifests: whose credentials, what is there, and what they may do. Nothing is started: a DryRun is
all that is sent to a function."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from lambda_warden.doctor.finding import Finding, State, step_of, told
from lambda_warden.errors import SettingsError
from lambda_warden.guard.alias import check_alias, is_alias
from lambda_warden.guard.rules import Rule, Rules
from lambda_warden.listing.catalog import checked, expand
from lambda_warden.model.found_function import Place
from lambda_warden.model.function_info import FunctionList
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.log_event import Span
from lambda_warden.model.outcome import Refused, Returned, Unknown
from lambda_warden.model.request import EncodedRequest
from lambda_warden.model.tenant import ANY_TENANT
from lambda_warden.policy import Policy, make_policy
from lambda_warden.report.visible import inline
from lambda_warden.report.words import plural
from lambda_warden.settings import Settings

if TYPE_CHECKING:
    from lambda_warden.aws.identity import AwsIdentity

CLOCK_SECONDS: Final = 300
"""A signature's time may be off by so much (IAM User Guide, "AWS Signature Version 4 for API requests")."""
_CLOCK_WARNING: Final = 30
_EXPIRES_SOON: Final = 900
_AT_ONCE: Final = 8
_PROBE_SECONDS: Final = 30
_NOT_THERE: Final = "ResourceNotFoundException"
_UNREACHABLE: Final = (
    "look at the network from here to AWS: DNS, proxy (HTTPS_PROXY), the target's endpoint_url, and whether the region "
    "is one that the account has switched on"
)


@dataclass(frozen=True, slots=True)
class _Called:
    """A function with one qualifier that a rule allows."""

    rule: Rule
    ref: FunctionRef
    first: bool
    """Whether it is the first of the function's qualifiers: logs are looked at once for all of them."""

    @property
    def subject(self) -> str:
        return self.ref.qualified_arn.partition(":function:")[2]

    def found(self, state: State, check: str, detail: str, step: str | None = None) -> Finding:
        return Finding(state, check, self.subject, detail, step, self.rule.source)


def look_at_aws(rules: Rules, settings: Settings) -> Iterator[Finding]:
    """`look_at_accounts`, by the rules and settings of a server. A setting that does not fit is a finding, too."""
    try:
        policy = make_policy(settings, rules)
        yield from look_at_accounts(policy, signed=settings.sign_requests)
        policy.close()
    except SettingsError as error:
        step = "correct the option, the target's profile, or the AWS config file that it names"
        yield Finding("problem", "settings", "AWS", inline(str(error)), step)


def look_at_accounts(policy: Policy, *, signed: bool) -> Iterator[Finding]:
    """What is found of each account and region that a rule stands in. Blocks until AWS has answered, or is given up.

    Args:
        policy: the manifests, in force.
        signed: whether requests are signed.
    """
    places = sorted({(rule.arn.account, rule.arn.region) for rule in policy.rules.all})
    if len({region for _, region in places}) > 1:
        default = policy.default_region
        detail = f"mean {default}" if default else "are refused: there are several regions, and no --region"
        yield Finding("ok", "region", "names without a region", detail)
    for place in places:
        needs = next(rule.source for rule in policy.rules.all if (rule.arn.account, rule.arn.region) == place)
        for finding in _look_at(policy, place, signed=signed):
            is_well = finding.state == "ok" or finding.source is not None
            yield finding if is_well else replace(finding, source=needs)


def _look_at(policy: Policy, place: Place, *, signed: bool) -> Iterator[Finding]:
    subject = " ".join(place)
    if signed:
        identity = policy.aws.read_identity(*place)
        yield from identity_findings(identity, place, datetime.now(UTC))
        if identity.refusal is not None and _is_refused(identity.refusal):
            yield Finding("warning", "functions", subject, "not looked at, without credentials", "see `credentials`")
            return
    else:
        yield Finding("ok", "credentials", subject, "requests are not signed: they are nobody's")
    listing = checked(place, policy.aws.list_functions(*place))
    reached = _reached(listing, place)
    yield reached
    if reached.state == "problem":
        return
    called: list[_Called] = []
    for rule in policy.rules.all:
        if (rule.arn.account, rule.arn.region) == place:
            found = list(_called(rule, listing, policy))
            called += found
            if not found:
                yield _nothing(rule, listing)
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        findings = [
            each for found in threads.map(partial(_look_at_function, policy, listing), called) for each in found
        ]
    yield from _summed(findings, subject)


def identity_findings(identity: AwsIdentity, place: Place, now: datetime) -> Iterator[Finding]:
    """Whose credentials they are, until when, and the clock."""
    yield _credentials(identity, place, now)
    if identity.clock_seconds is None:
        return
    off = abs(identity.clock_seconds)
    state: State = "problem" if off > CLOCK_SECONDS else "warning" if off > _CLOCK_WARNING else "ok"
    detail = f"{off:.0f} s {'ahead of' if identity.clock_seconds > 0 else 'behind'} AWS's" if off > 1 else "as AWS's"
    step = None if state == "ok" else "have this machine's clock set, by NTP"
    yield Finding(state, "clock", " ".join(place), detail, step)


def _credentials(identity: AwsIdentity, place: Place, now: datetime) -> Finding:
    subject, check = " ".join(place), "credentials"
    if (refusal := identity.refusal) is not None:
        if _is_refused(refusal):
            step = step_of(refusal, "see that the trust policy of the target's role allows sts:AssumeRole to them")
            return Finding("problem", check, subject, told(refusal), step)
        return Finding("warning", check, subject, f"STS does not answer: {told(refusal)}", _UNREACHABLE)
    if identity.account != place[0]:
        step = f"name a profile, or a role_arn, of account {place[0]} in its target"
        return Finding("problem", check, subject, f"they are of another account: {identity.arn}", step)
    if identity.expires is None:
        return Finding("ok", check, subject, str(identity.arn))
    detail = f"{identity.arn}, until {identity.expires.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
    if (identity.expires - now).total_seconds() < _EXPIRES_SOON:
        return Finding("warning", check, subject, detail, "renew them (`aws sso login`), unless that happens by itself")
    return Finding("ok", check, subject, detail)


def _is_refused(refusal: Refused) -> bool:
    """Whether the credentials are at fault, and not the way to STS, which a target need not have."""
    return refusal.advice is not None or refusal.status_code is not None


def _reached(listing: FunctionList, place: Place) -> Finding:
    subject = " ".join(place)
    if listing.problem is None:
        return Finding("ok", "region", subject, f"AWS answers, and has {plural(len(listing.functions), 'function')}")
    reason = listing.problem.rpartition(": ")[2]
    refusal = Refused(reason, "")
    if reason.endswith(("Error", "Timeout", "Exception")) and not reason.startswith("AccessDenied"):
        return Finding("problem", "region", subject, inline(listing.problem), step_of(refusal, _UNREACHABLE))
    if listing.problem.startswith("the target for"):
        step = "name a profile, or a role_arn, of that account in the target"
        return Finding("problem", "region", subject, inline(listing.problem), step)
    return Finding(
        "warning", "region", subject, f"{inline(listing.problem)}: patterns can't be expanded", _policy(place[0])
    )


def _called(rule: Rule, listing: FunctionList, policy: Policy) -> Iterator[_Called]:
    """What a rule allows of what is there; of a pattern that can't be expanded, nothing."""
    for item in expand(rule, listing, policy.rules):
        name, arn = item.function.rpartition(":")[2], rule.arn
        if "*" in name:
            continue
        for number, qualifier in enumerate(item.qualifiers):
            yield _Called(rule, FunctionRef(arn.partition, arn.region, arn.account, name, qualifier), number == 0)


def _nothing(rule: Rule, listing: FunctionList) -> Finding:
    if not rule.arn.is_pattern:
        detail, step = "all that its rule allows is denied by `deny`", "take it out of the manifest, or out of `deny`"
    elif listing.problem is not None:
        step = "allow lambda:ListFunctions (`lambda-warden iam-policy`), so that it can be expanded"
        detail = "which functions fit can't be told"
    else:
        detail, step = "no function fits this pattern", "correct the pattern, or take it out of the manifest"
    return Finding("warning", "functions", rule.arn.name, detail, step, rule.source)


def _look_at_function(policy: Policy, listing: FunctionList, called: _Called) -> list[Finding]:
    configuration = policy.aws.read_configuration(called.ref)
    if isinstance(configuration, Refused):
        if configuration.code == _NOT_THERE:
            return [_missing(called, listing)]
        step = step_of(configuration, _policy(called.ref.account))
        found = [called.found("warning", "configuration", told(configuration), step)]
        group = None
    else:
        found = [called.found("ok", "configuration", "can be read")]
        group = configuration.log_group
    found.append(_invoke(policy, called, listing))
    return [*found, *_alias(policy, called), *_logs(policy, called, group)]


def _missing(called: _Called, listing: FunctionList) -> Finding:
    ref = called.ref
    if listing.problem is None and ref.function_arn not in listing.functions:
        return called.found(
            "problem", "functions", f"there is no function {ref.name}", "deploy it, or correct the manifest"
        )
    kind, step = "version", "publish it, or correct the manifest"
    if is_alias(ref.qualifier):
        kind = "alias"
        step = (
            f"aws lambda create-alias --function-name {ref.function_arn} --region {ref.region} --name {ref.qualifier} "
            "--function-version VERSION, or correct the manifest"
        )
    return called.found("problem", "functions", f"it has no {kind} {ref.qualifier}", step)


def _invoke(policy: Policy, called: _Called, listing: FunctionList) -> Finding:
    from lambda_warden.aws.invocation_handle import InvocationHandle

    tenants = called.rule.spec.tenants
    tenant = tenants[0] if isinstance(tenants, list) and tenants[0] != ANY_TENANT else None
    handle = InvocationHandle()
    handle.allow(_PROBE_SECONDS)
    # Without payload: should an endpoint not know DryRun, it has nothing to act on.
    answer = policy.aws.invoke(called.ref, EncodedRequest("DryRun", None, None, False, tenant, None, None), handle)
    match answer:
        case Returned():
            return called.found("ok", "invoke", "may be invoked")
        case Refused(code=code) if code == _NOT_THERE:
            return _missing(called, listing)
        case Refused(code="InvalidParameterValueException") if tenants is not None and tenant is None:
            step = "`lambda-warden explain`, or dry_run, with a tenant_id"
            return called.found("warning", "invoke", "can't be told without a tenant's id", step)
        case Refused():
            return called.found("problem", "invoke", told(answer), step_of(answer, _policy(called.ref.account)))
        case Unknown(code, message):
            step = "look at the target's endpoint_url, and try again"
            return called.found("warning", "invoke", f"{code}: {inline(message)}", step)


def _alias(policy: Policy, called: _Called) -> Iterator[Finding]:
    spec = called.rule.spec
    if not is_alias(called.ref.qualifier) or not (
        spec.expect_version is not None or (spec.asks and spec.asked.by != "client")
    ):
        return
    versions = policy.aws.read_alias(called.ref)
    if isinstance(versions, str):
        refused = "AccessDenied" in versions
        step = _policy(called.ref.account) if refused else "try again; calls are denied while it can't be read"
        yield called.found("problem", "alias", f"GetAlias: {versions}", step)
    elif spec.expect_version is not None and not (decided := check_alias(spec, versions)).passed:
        step = "have it lead there, or correct expect_version in the manifest"
        yield called.found("problem", "alias", decided.reason, step)
    else:
        yield called.found("ok", "alias", "can be read, and leads where it may")


def _logs(policy: Policy, called: _Called, group: str | None) -> Iterator[Finding]:
    logs = called.rule.spec.logs
    if logs is None or not called.first:
        return
    name, source, check = called.ref.name, called.rule.source, "logs"
    wanted = logs.group_of(name)
    if group is not None and group != wanted:
        step = f"write `logs: {{log_group: {group}}}` in its rule"
        yield Finding("problem", check, name, f"it logs to {group}, not to {wanted}", step, source)
        return
    now = int(datetime.now(UTC).timestamp() * 1000)
    # For an id that no invocation has: whether it may be asked is the question.
    answer = policy.aws.find_request(called.ref, wanted, str(uuid4()), Span(now - 1000, now), 0.0)
    if not isinstance(answer, Refused):
        yield Finding("ok", check, name, "can be read")
    elif answer.code == _NOT_THERE:
        step = "nothing, if it never ran; else see where it logs to (`logs.log_group`)"
        yield Finding("warning", check, name, f"there is no log group {wanted} yet", step, source)
    else:
        yield Finding("problem", check, name, told(answer), step_of(answer, _policy(called.ref.account)), source)


def _policy(account: str) -> str:
    return f"`lambda-warden iam-policy --manifest FILE --account {account}` prints what this identity needs"


def _summed(findings: Iterable[Finding], subject: str) -> Iterator[Finding]:
    """What is well in one line a check, and each of the others once."""
    well: dict[tuple[str, str], int] = {}
    for each in findings:
        if each.state == "ok":
            well[each.check, each.detail] = well.get((each.check, each.detail), 0) + 1
    for (check, detail), count in well.items():
        yield Finding("ok", check, subject, f"{count:,} {detail}")
    yield from dict.fromkeys(each for each in findings if each.state != "ok")
