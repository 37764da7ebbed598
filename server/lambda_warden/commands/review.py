"""What a reviewer looks for in a rule: what it lets through, for whom, on which conditions, and where to stop. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lambda_warden.doctor.finding import Finding
from lambda_warden.guard.alias import is_alias
from lambda_warden.guard.rules import Deny, Rule, Rules
from lambda_warden.model.function_ref import LATEST
from lambda_warden.model.function_rule import FunctionRule
from lambda_warden.model.limits import Limits
from lambda_warden.model.tenant import ANY_TENANT
from lambda_warden.report.text import limit_texts

_ASKED = {None: "a person", "client": "a person at the client", "operator": "a person out of band"}


def rule_json(rule: Rule) -> dict[str, Any]:
    """A rule as it holds: the manifest's own keys, with what it leaves out filled in.

    `approval` is None where nobody is asked, else how; `source` is FILE:LINE, and see `origin_json`.
    """
    spec = rule.spec
    shown = spec.model_dump(mode="json", by_alias=True)
    approval = spec.asked.model_dump(mode="json") if spec.asks else None
    return shown | {"approval": approval, "source": rule.source, **origin_json(rule)}


def origin_json(rule: Rule | None) -> dict[str, Any]:
    """Where else than in its own entry a rule comes from: FILE:LINE of each key's default, and of its lock."""
    return {"defaults": dict(rule.defaulted) if rule else {}, "locked_at": rule.locked if rule else None}


def origin_lines(rule: Rule) -> Iterator[tuple[str, str]]:
    """The same, as names and values."""
    if rule.locked:
        yield "locked at", rule.locked
    if rule.defaulted:
        yield "defaults", ", ".join(f"{key} ({source})" for key, source in rule.defaulted.items())


def deny_json(deny: Deny) -> dict[str, Any]:
    """An entry of `deny`, with FILE:LINE."""
    return deny.spec.model_dump(mode="json") | {"source": deny.source}


def rule_lines(rule: Rule) -> Iterator[tuple[str, str]]:
    """What a rule says, as names and values, in the order in which a reviewer asks."""
    spec = rule.spec
    yield "calls", f"{', '.join(spec.qualifiers)}; {', '.join(spec.invocation_types)}"
    yield "runs", "; ".join(_runs(spec))
    yield "approval", _approval(spec)
    yield "callers", "; ".join(_callers(spec)) or "everybody"
    yield "limits", ", ".join(limit_texts(spec.limits)) or "none"
    schema = "fits its schema" if rule.schema else "any JSON"
    yield "payload", f"{schema}, at most {spec.payload.max_bytes:,} bytes"
    redacted = f", without {', '.join(spec.result.redact)}" if spec.result.redact else ""
    yield "result", f"at most {spec.result.max_bytes:,} bytes{redacted}"
    yield "logs", f"read: {spec.logs.read}" if spec.logs else "nobody's"
    if stop := spec.stop_after_failures:
        yield "stops", f"after {stop.count} failures in a row, for {stop.cool_down_seconds:,} s"
    yield from origin_lines(rule)
    if expose := spec.exposed:
        yield "tool", f"{expose.tool or rule.arn.name} runs {expose.qualifier or spec.qualifiers[0]}"


def remarks(rule: Rule, *, team: bool) -> Iterator[Finding]:
    """What a reviewer would stop at: none of it is wrong in itself.

    Args:
        rule: of the manifests.
        team: whether callers are told apart: see `serves_a_team`.
    """
    for detail, step in _remarks(rule, team):
        yield Finding("warning", "review", rule.arn.name, detail, step, rule.source)


def serves_a_team(rules: Rules, *, issuer: bool) -> bool:
    """Whether callers are told apart: by access tokens (`issuer`), or by what any rule says of them."""
    named = any(
        spec.scopes or spec.clients or spec.tenants == "caller" or spec.asked.approvers or _names_users(spec)
        for spec in (rule.spec for rule in rules.all)
    )
    return issuer or named or any(":" in name for name in rules.principals)


def _names_users(spec: FunctionRule) -> bool:
    return any(":" in name for name in spec.principals or ())


def _remarks(rule: Rule, team: bool) -> Iterator[tuple[str, str]]:
    spec = rule.spec
    destructive = spec.effect == "destructive"
    if rule.arn.is_pattern:
        yield "allows each function whose name fits, also one made later", "name the functions, if they are few"
    if LATEST in spec.qualifiers:
        yield f"{LATEST} runs code that nobody published", "publish a version, and allow an alias that leads to it"
    if destructive and not spec.asks:
        yield "destructive, and no person approves", "leave `approval` out, or write `approval: always`"
    if destructive and spec.asks and spec.asked.approvers and not spec.asked.not_requester:
        yield "who asks may be who approves", "write `not_requester: true` in its `approval`"
    if destructive and rule.schema is None:
        yield "destructive, and any JSON may be sent", "write `payload: {schema: schemas/NAME.json}`"
    if destructive and spec.expect_version is None and (aliases := [*filter(is_alias, spec.qualifiers)]):
        about = f"what {', '.join(aliases)} runs is up to whoever may move it"
        yield about, "write `expect_version` with the versions that were reviewed"
    if spec.effect != "read" and spec.limits == Limits():
        yield f"{spec.effect}, and no limits", "write `limits: {per_minute: 10, per_day: 200}`"
    if team and spec.principals is None and not spec.scopes and spec.clients is None:
        yield "everybody may call", "write `principals`, such as [group:NAME]"
    if spec.logs is not None and spec.logs.read == "any":
        yield "logs of anybody's invocations can be read", "write `logs: {read: own}`"
    if spec.tenants == [ANY_TENANT]:
        yield "calls may name any tenant", "list the tenants, or write `tenants: caller`"


def _runs(spec: FunctionRule) -> Iterator[str]:
    """What code it is, for each qualifier: what never changes, what is held to versions, what somebody may move."""
    for qualifier in spec.qualifiers:
        if qualifier.isdigit():
            yield f"version {qualifier}"
        elif not is_alias(qualifier):
            yield f"{qualifier}, which each deployment changes"
        elif spec.expect_version:
            yield f"{qualifier}, only while it leads to version {' or '.join(spec.expect_version)}"
        else:
            yield f"{qualifier}, whatever it leads to"


def _approval(spec: FunctionRule) -> str:
    if not spec.asks:
        return "none"
    asked = spec.asked
    who = f"{asked.count} of {', '.join(asked.approvers)}" if asked.approvers else _ASKED[asked.way]
    until = f", within {asked.expires:,} s" if asked.expires else ""
    return f"{who}{', not who asks' if asked.not_requester else ''}{until}"


def _callers(spec: FunctionRule) -> Iterator[str]:
    tenants = [spec.tenants] if isinstance(spec.tenants, str) else spec.tenants
    named = {"principals": spec.principals, "scopes": spec.scopes, "clients": spec.clients, "tenants": tenants}
    for name, values in named.items():
        if values:
            yield f"{name} {', '.join(values)}"
