"""`lambda-warden explain`: what the manifests say of a request, and on which line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, get_args

import click

from lambda_warden.commands.console import Part, as_json_option, print_json, print_line
from lambda_warden.commands.manifests import load_rules, manifest_option
from lambda_warden.commands.options import setting_option
from lambda_warden.commands.records_file import are_missing, reading
from lambda_warden.commands.review import origin_json, origin_lines
from lambda_warden.errors import ArgumentError, SettingsError
from lambda_warden.guard.alias import needs_alias_check
from lambda_warden.guard.arguments import parse_arguments
from lambda_warden.guard.decide import decide, denied, match_rule
from lambda_warden.guard.encode import encode, settle
from lambda_warden.guard.resolve import resolve
from lambda_warden.guard.rules import Rule, Rules
from lambda_warden.invocation.stops import breaker_of, stop_check
from lambda_warden.jsontools.strict_json import parse_json
from lambda_warden.model.caller import LOCAL, Caller
from lambda_warden.model.decision import Check, CheckName, Decision
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.limits import Limits
from lambda_warden.model.principal import check_principal
from lambda_warden.model.request import InvokeArguments, RequestedInvocationType
from lambda_warden.report.invocation import CallInfo, report_dry_run
from lambda_warden.report.text import check_lines
from lambda_warden.store.audit_log import CircuitBreaker, CircuitOpen, Pause, RecordError

_MARKS: Final = {"✓": "green", "✗": "red"}
_NOT_RECORDED: Final = "explain"
"""Stands in the result where a call would have its id: nothing is recorded."""


@click.command()
@manifest_option
@click.argument("function")
@click.option("--qualifier", help="Alias or version, if FUNCTION does not name it.")
@click.option("--payload", help="The payload, as JSON.")
@click.option(
    "--payload-file", type=click.Path(path_type=Path, dir_okay=False), help="A file with the payload, as JSON."
)
@click.option(
    "--invocation-type",
    type=click.Choice(get_args(RequestedInvocationType)),
    default="RequestResponse",
    show_default=True,
)
@click.option("--tenant-id", help="The tenant, of a function with tenant isolation.")
@click.option("--principal", default=LOCAL, show_default=True, help="Who asks: NAME, user:SUBJECT or client:ID.")
@click.option("--group", "groups", multiple=True, help="A group of theirs. May be given several times.")
@click.option("--scope", "scopes", multiple=True, help="A scope of their token. May be given several times.")
@click.option("--client", "client_id", help="The OAuth client that their token was issued to.")
@click.option("--actor", help="The agent that acts for them.")
@click.option(
    "--region",
    envvar=["LAMBDA_WARDEN_REGION", "AWS_DEFAULT_REGION"],
    help="Region of names without one, where the manifests have several.",
)
@setting_option("records", show_envvar=True, help="Where a pause and failures are looked up, if it is there.")
@as_json_option
@click.pass_context
def explain(
    context: click.Context,
    manifests: tuple[Path, ...],
    function: str,
    qualifier: str | None,
    payload: str | None,
    payload_file: Path | None,
    invocation_type: RequestedInvocationType,
    tenant_id: str | None,
    principal: str,
    groups: tuple[str, ...],
    scopes: tuple[str, ...],
    client_id: str | None,
    actor: str | None,
    region: str | None,
    records: Path | str,
    as_json: bool,
) -> None:
    """Say what the manifests decide on a call, and why. Nothing is sent.

    Exit code 0: it would be allowed. 1: it would be denied. 2: the question can't be answered.
    """
    try:
        check_principal(principal)
    except ArgumentError as error:
        raise click.BadParameter(str(error), param_hint="'--principal'") from None
    caller = Caller(principal, actor=actor, client_id=client_id, groups=groups, scopes=frozenset(scopes))
    rules = load_rules(manifests)
    arguments = {
        "function": function,
        "qualifier": qualifier,
        "payload": _payload(payload, payload_file),
        "invocation_type": invocation_type,
        "tenant_id": tenant_id,
    }
    answer = _explain(arguments, rules, caller, region, records)
    if as_json:
        print_json(answer.json())
    else:
        for line in answer.lines():
            print_line(*_coloured(line))
    context.exit(0 if answer.decision.allowed else 1)


@dataclass(frozen=True, slots=True)
class _Explanation:
    info: CallInfo
    decision: Decision
    payload_bytes: int | None = None
    rule: Rule | None = None

    def json(self) -> dict[str, Any]:
        """What the tool dry_run gives, and where the rule stands, with its defaults and its lock."""
        result = report_dry_run(self.info, self.decision, self.payload_bytes).model_dump(mode="json")
        return result | {"rule_source": self.decision.rule_source, **origin_json(self.rule)}

    def lines(self) -> Iterator[str]:
        """The verdict, the rule and every check, for people."""
        name = self.info.ref.qualified_arn if self.info.ref else "The call"
        yield f"{name} would be {'allowed' if self.decision.allowed else 'denied'}. Nothing was sent."
        if self.decision.rule:
            yield f"Rule: {self.decision.rule} ({self.decision.rule_source})"
        else:
            yield "Rule: none"
        if self.rule:
            yield from (f"{name.capitalize()}: {value}" for name, value in origin_lines(self.rule))
        yield from check_lines(self.decision.checks)


def _coloured(line: str) -> tuple[Part, ...]:
    """A check's line, its mark in colour."""
    mark, space, rest = line.partition(" ")
    return ((mark, _MARKS[mark]), space + rest) if mark in _MARKS else (line,)


def _explain(
    arguments: dict[str, Any], rules: Rules, caller: Caller, region: str | None, records: Path | str
) -> _Explanation:
    """Resolve a call and decide on it by the rules, and by what the records say of now: no AWS, nobody asked."""
    info = CallInfo(_NOT_RECORDED)
    reached: CheckName = "arguments"
    try:
        parsed = parse_arguments(InvokeArguments, arguments)
        info = replace(info, invocation_type=parsed.invocation_type)
        request = encode(parsed)
        reached = "resolve"
        ref = resolve(parsed.function, parsed.qualifier, rules.targets, region)
        reached = "arguments"
        request = settle(request, match_rule(ref, rules, caller))
    except ArgumentError as error:
        return _Explanation(info, denied(reached, str(error)))
    decided = decide(ref, request, rules, caller)
    decision = decided.decision
    if decision.allowed and decided.rule is not None:
        if met := _stopped_by(records, breaker_of(decided.rule.spec, ref, request.invocation_type)):
            decision = decision.with_check(stop_check(met))
        later = _asked_later(decided.rule, ref, request.invocation_type, rules.principals.get(caller.principal))
        decision = decision.model_copy(update={"checks": (*decision.checks, *later)})
    return _Explanation(replace(info, ref=ref), decision, len(request.payload or b""), decided.rule)


def _stopped_by(records: Path | str, breaker: CircuitBreaker | None) -> Pause | CircuitOpen | None:
    """What the records say that keeps the call from being admitted now. Where no server has written, nothing does.

    Raises:
        click.BadParameter: if they can't be read.
    """
    if are_missing(records):
        return None
    try:
        with reading(records) as reader:
            return reader.stopped_by(breaker)
    except (RecordError, SettingsError) as error:
        raise click.BadParameter(str(error), param_hint="'--records'") from None


def _asked_later(
    rule: Rule, ref: FunctionRef, invocation_type: RequestedInvocationType, principal: Limits | None
) -> Iterator[Check]:
    """What only a call itself can answer, where the rule asks for it. A DryRun needs no approval and has no limits."""
    if needs_alias_check(rule.spec, ref):
        expected = ", ".join(rule.spec.expect_version or ())
        yield _open("alias", f"AWS is asked before a call: the alias has to lead to version {expected} alone")
    if invocation_type == "DryRun":
        return
    if rule.spec.asks:
        how = {"client": ", through the client", "operator": ", out of band"}.get(rule.spec.asked.way or "", "")
        yield _open("approval", f"a person is asked before a call{how}")
    if rule.spec.limits != Limits() or principal not in (None, Limits()):
        yield _open("limits", "limits are set, and a call counts against them")


def _open(name: CheckName, reason: str) -> Check:
    return Check(name=name, passed=None, reason=reason)


def _payload(text: str | None, file: Path | None) -> object:
    """The payload that is given, or None.

    Raises:
        click.UsageError: if it is given twice, can't be read or is not JSON.
    """
    if file is None and text is None:
        return None
    if file is not None and text is not None:
        raise click.UsageError("give either --payload or --payload-file")
    try:
        data = file.read_bytes() if file is not None else (text or "").encode(errors="surrogateescape")
        return parse_json(data)
    except OSError as error:
        raise click.BadParameter(f"{file}: {error.strerror or error}", param_hint="'--payload-file'") from None
    except ValueError as error:
        hint = "'--payload'" if file is None else "'--payload-file'"
        raise click.BadParameter(f"is not JSON: {error}", param_hint=hint) from None
