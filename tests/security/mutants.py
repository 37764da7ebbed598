"""Takes each guard out, one at a time, in a copy of the tree, and sees whether the tests notice.

    python tests/security/mutants.py [WORD…]

Runs the mutants whose name holds every WORD. Exit code 1 if one survives. The table in SECURITY.md names the tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest  # noqa: F401 - without it, each run of the tests would fail, and each mutant would seem to be killed

ROOT = Path(__file__).parents[2]
PACKAGE = "server/lambda_warden/"
_TIMEOUT_SECONDS = 90
"""A guard against endless work is noticed by tests that do not end."""

_EXECUTION_TESTS = "tests/security/test_durable_executions.py"
_PAGE_TESTS = "tests/approvals_page/test_page.py"
_TELLING_TESTS = "tests/approvals/test_telling.py"
_HOSTILE = "transport/test_hostile_http.py::test_"
_BOUNDS = "transport/test_http_bounds.py::test_"
_ENDING = "e2e/test_shutdown.py::test_over_http_no_call_begins_once_it_ends_and_load_balancers_are_told"
_OPERATOR_TESTS = "tests/security/test_operator_redaction.py"


@dataclass(frozen=True)
class Mutant:
    """One guard taken out: `old` becomes `new` in `file`, and `tests` have to fail."""

    name: str
    file: str
    old: str
    new: str
    tests: str


_APPROVERS_TESTS = "tests/security/test_approvers.py"
_APPROVERS: tuple[tuple[str, str, str, str], ...] = (
    (
        "who asks approves their own request",
        "store/approvals.py",
        "    return not ask.not_requester or",
        "    return True or",
    ),
    ("who asks without a token may be anybody", "store/approvals.py", '(":" in ask.principal and by', "(by"),
    (
        "one person's two approvals are two",
        "store/approvals.py",
        "len({ruling.by for ruling in said})",
        "len([ruling.by for ruling in said])",
    ),
    (
        "a person approves again",
        "store/approvals.py",
        'self.state != "pending" or again or not',
        'self.state != "pending" or not',
    ),
    ("one approval is enough", "store/approvals.py", ">= max(1, ask.count) else", ">= 1 else"),
    (
        "a denial is outvoted",
        "store/approvals.py",
        '    if any(ruling.verdict != "approved" for ruling in said):',
        "    if False:",
    ),
    (
        "whom the rule does not name decides",
        "store/approvals.py",
        "    if approver not in ask.approvers or (",
        "    if approver is None or (",
    ),
    (
        "the secret decides where people are named",
        "store/approvals.py",
        "    if not ask.approvers:\n",
        "    if not ask.approvers or approver is None:\n",
    ),
    ("an agent decides", "guard/approvers.py", "if not caller.answers_for_a_person:", "if False:"),
    (
        "an agent sees what its person may see",
        "approvals_page/team.py",
        "            if not caller.answers_for_a_person:\n",
        "            if False:\n",
    ),
    (
        "everybody sees every request",
        "approvals_page/team.py",
        "return pending if pending is not None and approver_of(caller, pending.ask.approvers) else None",
        "return pending",
    ),
    (
        "a form that was shown to somebody else decides",
        "approvals_page/team.py",
        "        if not hmac.compare_digest(token.encode()",
        "        if False and not hmac.compare_digest(token.encode()",
    ),
    (
        "a form is good for whatever the request became",
        "approvals/server_key.py",
        "json.dumps([person, astuple(pending.ask), pending.expires_at])",
        "json.dumps([person, pending.ask.approval_id])",
    ),
    (
        "a form of another site decides by a person's token",
        "approvals_page/team.py",
        "        return sent_by_another_site(method, headers, self.origin)",
        "        return None",
    ),
    (
        "another site sends JSON by a person's token",
        "approvals_page/team.py",
        'if "origin" not in headers and headers',
        "if headers",
    ),
    (
        "rulings are not looked at one by one",
        "approvals/secret.py",
        "            self._signed(pending, ruling) for ruling in pending.rulings\n",
        "            self._signed(pending, ruling) for ruling in pending.rulings[-1:]\n",
    ),
    (
        "the secret's key signs for approvers",
        "approvals/operator.py",
        "approver = self._team if pending.ask.approvers else self._known_approver()",
        "approver = self._known_approver()",
    ),
    (
        "a changed rule goes on with its approvals",
        "store/approvals.py",
        '"reason": None, "expires_seconds": 0.0}',
        '"reason": None, "expires_seconds": 0.0, "approvers": (), "count": 1, "not_requester": False, '
        '"manifest_sha256": ""}',
    ),
    (
        "approvers need no scope",
        "transport/authentication/approvers.py",
        "frozenset([*settings.auth_required_scopes, *own])",
        "frozenset(settings.auth_required_scopes)",
    ),
    (
        "approvers need no scope that every token needs",
        "transport/authentication/approvers.py",
        "frozenset([*settings.auth_required_scopes, *own])",
        "frozenset(own)",
    ),
    (
        "any load balancer will do",
        "transport/authentication/alb.py",
        'if header.get("signer") != self._settings.approvals_alb:',
        "if False:",
    ),
    (
        "a load balancer speaks for any issuer",
        "transport/authentication/alb.py",
        'if header.get("iss") != self._settings.auth_issuer:',
        "if False:",
    ),
    (
        "a load balancer's token lasts for ever",
        "transport/authentication/alb.py",
        "expires <= self._clock() - self._settings.auth_leeway",
        "False",
    ),
    ("a key's id is a path", "transport/authentication/alb.py", " or not _KID.fullmatch(kid):", ":"),
)

_LOCK_TESTS = "tests/manifests/test_lock.py"
_EXPANSION_TESTS = "tests/manifests/test_expansion.py"
_SCALE: tuple[tuple[str, str, str, str, str], ...] = (
    (
        "a lock holds for a selector that was changed",
        "manifests/load.py",
        "locked = lock.functions.get(select.digest) if lock else None",
        "locked = next(iter(lock.functions.values()), None) if lock else None",
        _LOCK_TESTS,
    ),
    (
        "a digest of another selector is believed",
        "manifests/lock.py",
        "if selection.digest != selection.select.digest:",
        "if False:",
        _LOCK_TESTS,
    ),
    (
        "tags are no part of a selector's digest",
        "model/selector.py",
        "self.model_dump(exclude_none=True)",
        'self.model_dump(exclude_none=True, exclude={"tags"})',
        _LOCK_TESTS,
    ),
    (
        "a lock names what its selector can't select",
        "manifests/lock.py",
        "if not selection.select.may_select(parse_rule_arn(arn)):",
        "if False:",
        _LOCK_TESTS,
    ),
    (
        "a lock ends within an ARN",
        "manifests/lock.py",
        "[] if document.ends_a_line else",
        "[] if True else",
        _LOCK_TESTS,
    ),
    (
        "a lock holds a pattern",
        "model/selector.py",
        "            not arn.is_pattern\n            and (arn",
        "            (arn",
        _LOCK_TESTS,
    ),
    (
        "a selector is followed beside a function's own rule",
        "manifests/load.py",
        "if str(each.arn) not in named]",
        "]",
        _LOCK_TESTS,
    ),
    (
        "a changed lock is not noticed",
        "manifests/load.py",
        "            self.stamps[path] = stamp_of(path)\n            if self.stamps[path]:",
        "            if stamp_of(path):",
        _LOCK_TESTS,
    ),
    (
        "the manifests' digest leaves out the lock",
        "manifests/load.py",
        "*self.schema_digests, *locks]",
        "*self.schema_digests]",
        _LOCK_TESTS,
    ),
    (
        "check passes with a selector that is not locked",
        "doctor/manifest.py",
        "for line in loaded.lock_problems())",
        "for line in ())",
        "tests/commands/test_lock.py",
    ),
    (
        "what could not be read whole is locked",
        "commands/lock.py",
        "    if problems:",
        "    if False:",
        "tests/commands/test_lock.py",
    ),
    (
        "a default takes the place of a rule's own value",
        "manifests/expansion.py",
        "{**taken, **own,",
        "{**own, **usual,",
        _EXPANSION_TESTS,
    ),
    (
        "nobody is asked by default",
        "model/rule_entry.py",
        'if approval == "never":',
        "if False:",
        _EXPANSION_TESTS,
    ),
    (
        "what is left empty undoes its default",
        "manifests/expansion.py",
        "own.get(key, key) in (None, []) and key != _TAKEN_BACK",
        "False",
        _EXPANSION_TESTS,
    ),
    (
        "approvers that a rule leaves out are not told",
        "manifests/expansion.py",
        "(own.model_fields_set if isinstance(own, Strict) else set())",
        "(own.model_fields_set if isinstance(own, Strict) else default.model_fields_set)",
        _EXPANSION_TESTS,
    ),
    (
        "one of several ARNs has no target",
        "manifests/load.py",
        "if (arn.account, arn.region) not in places or",
        "if False and",
        _EXPANSION_TESTS,
    ),
)


_EXPOSED_TESTS = "tests/manifests/test_exposed_tools.py::test_a_rule_that_makes_no_tool_is_refused_with_its_line"
_EXPOSED: tuple[tuple[str, str, str, str, str], ...] = (
    (
        "a tool is shown to who may not call it",
        "tools/function_tools.py",
        "for tool in tools.values() if tool.exposed.is_for(caller, rules)]",
        "for tool in tools.values()]",
        "tests/security/test_identity.py::test_a_tool_of_a_function_is_shown_to_who_may_call_it_and_denied_to_others",
    ),
    (
        "a tool's name goes to another function",
        "tools/function_tools.py",
        "!= tool.ref.function_arn:",
        "is None:",
        "tests/tools/test_function_tools.py::test_a_name_means_one_function_as_long_as_the_server_runs",
    ),
    (
        "two tools have one name",
        "manifests/exposed_tools.py",
        "if other := taken.get(_alike(tool.name)):",
        "if False and (other := taken.get(_alike(tool.name))):",
        _EXPOSED_TESTS,
    ),
    (
        "a tool is named as one that is always there",
        "manifests/exposed_tools.py",
        "for name in BUILT_IN_TOOLS}",
        "for name in ()}",
        _EXPOSED_TESTS,
    ),
    (
        "a tool is named nearly as another",
        "manifests/exposed_tools.py",
        'return name.replace("-", "_").lower()',
        "return name",
        _EXPOSED_TESTS,
    ),
    (
        "a tool runs the first of several qualifiers",
        "manifests/exposed_tools.py",
        "expose.qualifier is None and len(allowed) == 1:",
        "expose.qualifier is None:",
        _EXPOSED_TESTS,
    ),
    (
        "a tool runs a qualifier that is not allowed",
        "manifests/exposed_tools.py",
        "    if expose.qualifier in allowed:\n",
        "    if expose.qualifier:\n",
        _EXPOSED_TESTS,
    ),
    (
        "a tool is a family of functions",
        "manifests/exposed_tools.py",
        "if arn.is_pattern:",
        "if False:",
        _EXPOSED_TESTS,
    ),
    ("tools fill a model's context", "manifests/exposed_tools.py", "- tool.size) < 0:", "- 0) < 0:", _EXPOSED_TESTS),
    (
        "a tool's text is not redacted",
        "manifests/exposed_tools.py",
        "visible(redact_text(text, detectors=detectors).text)",
        "visible(text)",
        "tests/manifests/test_exposed_tools.py::test_what_a_tool_says_is_redacted_bounded_and_shows_all_that_it_holds",
    ),
    (
        "a tool takes what it does not know",
        "invocation/front.py",
        "if self.takes is not None and name not in self.takes:",
        "if False:",
        "tests/invocation/test_front.py",
    ),
    (
        "a tool takes all that invoke_function takes",
        "tools/invoke_function.py",
        'Front(tool.name, tool.fixed, tuple(tool.parameters["properties"]))',
        "Front(tool.name, tool.fixed)",
        "tests/tools/test_function_tools.py::test_a_function_is_a_tool_behind_those_that_are_always_there",
    ),
)

MUTANTS = [
    *(Mutant(*mutant) for mutant in _EXPOSED),
    Mutant(
        "init allows a function that nobody chose",
        "drafting/rules.py",
        "    if not allowed or qualifier is None:\n",
        "    if qualifier is None:\n",
        "tests/drafting/test_rules.py::test_a_rule_is_in_force_if_a_person_chose_it_and_its_aliases_are_known",
    ),
    Mutant(
        "init changes what a manifest says",
        "drafting/merge.py",
        "        if not same:\n",
        "        if False:\n",
        "tests/commands/test_init.py::test_a_text_that_the_additions_would_become_part_of_is_left_alone",
    ),
    *(
        Mutant(name, f"store/dynamodb/{file}", old, new, f"tests/store/dynamodb/{tests}")
        for tests, mutants in {
            "test_faults.py": (
                (
                    "an intent that nobody knew of stands",
                    "committing.py",
                    "in self._tried.get(written, ()):",
                    "in ():",
                ),
                (
                    "a lost answer admits a call twice",
                    "committing.py",
                    "if written and written == last:",
                    "if False:",
                ),
                ("what can't be written is tried for ever", "requests.py", "if why and why <= _STALE:", "if True:"),
                ("a call is denied for a moment's throttling", "requests.py", "not (passes or in_doubt) or", "True or"),
            ),
            "test_servers.py": (
                (
                    "who was overtaken writes all the same",
                    "transaction.py",
                    '"v = :v"',
                    '"v = :v OR attribute_exists(pk)"',
                ),
                (
                    "a dead server's calls are under way for ever",
                    "writers.py",
                    "and not is_alive(tx, now, other)",
                    "and False",
                ),
                ("a living server is taken for dead", "writers.py", "and not is_alive(tx, now, other)", "and True"),
                ("a server does not see the pause", "stops.py", "if tx.get(keys.stop(writer)) is None:", "if True:"),
                (
                    "an answer that does not fit keeps its outcome out",
                    "calls.py",
                    "if len(kept) > _RESULT_BYTES:",
                    "if False:",
                ),
            ),
            "test_windows.py": (
                (
                    "the oldest part of a window is not counted whole",
                    "limits.py",
                    "(part + 1) * self.part",
                    "part * self.part",
                ),
                ("clocks are taken for equal", "limits.py", "self.length + SKEW", "self.length"),
                (
                    "a time that is not known is taken for right",
                    "service_clock.py",
                    "> KNOWN_WITHIN_SECONDS:",
                    "> 1e9:",
                ),
            ),
            "test_tampering.py": (
                ("records behind the end of a chain go unseen", "verifying.py", "elif seq > now or", "elif"),
                ("the end of a chain may be missing", "verifying.py", "if seq < chain.count:", "if False:"),
                ("what a start follows may be missing", "verifying.py", "if followed not in hashes", "if False"),
            ),
        }.items()
        for name, file, old, new in mutants
    ),
    *(
        Mutant(name, file, old, new, f"tests/store/test_rulings.py tests/guard/test_approvers.py {_APPROVERS_TESTS}")
        for name, file, old, new in _APPROVERS
    ),
    *(
        Mutant(name, file, old, new, tests)
        for tests, mutants in {
            "tests/approvals/test_open_page.py": (
                (
                    "a call goes on whose person did not want to see it",
                    "invocation/approving.py",
                    "        if opened is False:\n",
                    "        if False:\n",
                ),
                (
                    "a person is brought to the page again and again",
                    "approvals/client.py",
                    "        if is_new:\n            raise",
                    "        if True:\n            raise",
                ),
            ),
            "tests/telemetry/test_export.py": (
                (
                    "what instruments botocore changes a payload",
                    "aws/outgoing_request.py",
                    "    return handle.parameters if handle else None\n",
                    "    return None\n",
                ),
                (
                    "a span says what an error says",
                    "telemetry/sdk.py",
                    "BatchSpanProcessor(Wordless(OTLPSpanExporter()))",
                    "BatchSpanProcessor(OTLPSpanExporter())",
                ),
                (
                    "a name that a caller made up is an attribute of metrics",
                    "telemetry/call.py",
                    "        metrics.invoke_seconds.record(seconds, {**self._known, OUTCOME: outcome})\n",
                    "        metrics.invoke_seconds.record(seconds, dict(self._span.attributes))  # type: ignore\n",
                ),
            ),
            "tests/telemetry/test_logs.py": (
                (
                    "the log quotes what an error says",
                    "telemetry/logs.py",
                    "        return json.dumps(fields)",
                    "        return json.dumps(fields | {'said': str(record.exc_info)})",
                ),
                (
                    "a client's text begins a line of the log",
                    "telemetry/logs.py",
                    'return "\\n  ".join(',
                    'return "\\n".join(',
                ),
            ),
            "tests/store/contract/test_calls.py": (
                (
                    "a call that was left under way is not found",
                    "store/same_call.py",
                    "        if call.waiter is None or not waits(call.waiter):\n",
                    "        if False:\n",
                ),
                (
                    "an answer that reached nobody is not found",
                    "store/same_call.py",
                    "    if call.outcome is not None and call.result is not None and not other_key and",
                    "    if False and",
                ),
                (
                    "what was delivered is replayed without a key",
                    "store/same_call.py",
                    "        return not self.delivered and now < until\n",
                    "        return now < until\n",
                ),
                (
                    "an answer is adopted at any time",
                    "store/same_call.py",
                    "        return not self.delivered and now < until\n",
                    "        return not self.delivered\n",
                ),
                (
                    "the same call runs twice at once",
                    "store/same_call.py",
                    '        return "in_progress"\n',
                    "        return None\n",
                ),
                (
                    "after an unknown call anything starts",
                    "store/same_call.py",
                    'call.invocation_id == claim.after_unknown else "may_have_run"\n',
                    "call.invocation_id == claim.after_unknown else None\n",
                ),
                (
                    "any call settles an unknown one",
                    "store/sqlite/calls.py",
                    "WHERE invocation_id = ? AND principal = ? AND request_digest = ?",
                    "WHERE invocation_id = ? AND ? IS NOT NULL AND ? IS NOT NULL",
                ),
                (
                    "the answer of a call is anybody's",
                    "store/sqlite/calls.py",
                    "    WHERE principal = ?2 AND",
                    "    WHERE ?2 IS NOT NULL AND",
                ),
                (
                    "a call is forgotten while it may be under way",
                    "store/sqlite/calls.py",
                    '"expires_at <= ?1 AND (outcome IS NOT NULL OR under_way_until <= ?1)"',
                    '"expires_at <= ?1"',
                ),
                (
                    "a refused call that is brought back has its key",
                    "store/sqlite/calls.py",
                    "claim if ran else replace(claim, key=None)",
                    "claim",
                ),
            ),
            "tests/security/test_sinks.py": (
                (
                    "a call goes out that a required sink does not know of",
                    "sinks/audit_log.py",
                    "        if met is None:\n            try:",
                    "        if False:\n            try:",
                ),
                (
                    "a call that a sink kept back keeps its limits and key",
                    "sinks/audit_log.py",
                    "self._log.finish(invocation_id, outcome, ran=False)",
                    "self._log.finish(invocation_id, outcome, ran=True)",
                ),
                (
                    "what CloudWatch Logs rejects counts as delivered",
                    "aws/log_sink.py",
                    '        if rejected := answer.get("rejectedLogEventsInfo"):',
                    "        if rejected := None:",
                ),
                (
                    "any answer counts as CloudWatch's",
                    "aws/log_sink.py",
                    '        if not answer["ResponseMetadata"].get("RequestId"):',
                    "        if False:",
                ),
            ),
            "tests/security/test_tampering.py": (
                (
                    "anybody signs checkpoints",
                    "proof/anchors.py",
                    "checkpoint is None or not checkpoint.is_signed_by(key)",
                    "checkpoint is None",
                ),
                (
                    "a rewritten chain passes for the anchored one",
                    "proof/anchors.py",
                    "        if differs and writer not in rewritten:\n",
                    "        if False:\n",
                ),
                ("a dropped chain is not missed", "proof/anchors.py", "        if not last:\n", "        if False:\n"),
                (
                    "a chain that was cut is not missed",
                    "proof/anchors.py",
                    "        elif last < known.last:\n",
                    "        elif False:\n",
                ),
                (
                    "a limit can be reset",
                    "proof/beside.py",
                    "if (counted := state.units.get(key, 0)) < count:",
                    "if (counted := state.units.get(key, 0)) < 0:",
                ),
                (
                    "a key can be forgotten",
                    "proof/beside.py",
                    "        if ago < until - _MARGIN and invocation_id not in state.calls:",
                    "        if False:",
                ),
                (
                    "an approval can be put into any state",
                    "proof/beside.py",
                    "        if stands not in expected:",
                    "        if False:",
                ),
                (
                    "a pause can be lifted without a record",
                    "proof/beside.py",
                    "        if implied.paused != state.paused\n",
                    "        if False\n",
                ),
            ),
            "tests/proof/test_reconcile.py": (
                (
                    "a call past lambda-warden is somebody else's",
                    "proof/reconcile.py",
                    '"no_record" if strict or event.identity in ours else "other_caller"',
                    '"other_caller"',
                ),
                (
                    "a call that CloudTrail does not have is not missed",
                    "proof/reconcile.py",
                    '"no_event" if call.outcome in _RAN else "no_sign"',
                    '"no_sign"',
                ),
            ),
            "tests/security/test_records_keep.py": (
                (
                    "digests of payloads can be guessed",
                    "store/payload_digests.py",
                    "        return hmac.new(self._key, sha256.encode(), hashlib.sha256).hexdigest()",
                    "        return sha256",
                ),
            ),
            "tests/store/contract/test_departures.py": (
                (
                    "who has left takes an answer",
                    "store/sqlite/calls.py",
                    "and not takes(call.invocation_id):",
                    "and False:",
                ),
            ),
            "tests/security/test_hand_over.py": (
                (
                    "an answer counts as told that could not be given for want of a record",
                    "invocation/earlier_calls.py",
                    "        except BaseException:\n            await self._leave(delivery)\n",
                    "        except BaseException:\n            delivery.leave()\n",
                ),
                (
                    "that a caller left is not noted",
                    "invocation/departure.py",
                    "            self._records.leaving(self._delivery.taken)\n",
                    "            pass\n",
                ),
                (
                    "who leaves breaks its call off",
                    "invocation/dispatcher.py",
                    "            if leaving is None or self._stopping:\n",
                    "            if True:\n",
                ),
                (
                    "an answer is kept unredacted for its caller",
                    "invocation/execution.py",
                    "partial(completed.result.model_dump_json, exclude_defaults=True)",
                    'lambda: completed.result.model_copy(update={"payload": raw.payload.decode()}).model_dump_json()',
                ),
            ),
            "tests/e2e/test_departures_over_http.py": (
                (
                    "a broken connection leaves nothing",
                    "tools/connection.py",
                    "    scope.cancel()\n",
                    "    pass\n",
                ),
            ),
            "tests/security/test_limits.py": (
                (
                    "who leaves while room is looked for leaves no record",
                    "invocation/pipeline.py",
                    "isinstance(error, LeftError) or delivery.waits_for_room:",
                    "isinstance(error, LeftError):",
                ),
                (
                    "who left while room was looked for leaves no record",
                    "invocation/execution.py",
                    " and delivery.wait_for_room():",
                    ":",
                ),
            ),
        }.items()
        for name, file, old, new in mutants
    ),
    *(
        Mutant(name, file, old, new, "tests/store/contract/test_departures.py")
        for name, file, old, new in (
            (
                "a client that comes back overtakes its own leaving",
                "store/sqlite/audit_log.py",
                "takes: Takes) -> IdempotencyHit | None:\n        self._note_leaving()\n\n        def look() -> "
                "IdempotencyHit | None:\n            return calls.find(",
                "takes: Takes) -> IdempotencyHit | None:\n        def look() -> IdempotencyHit | None:\n"
                "            return calls.find(",
            ),
            (
                "a call whose client has left before it was admitted is admitted",
                "store/sqlite/audit_log.py",
                "        if not takes(invocation_id):\n",
                "        if False:\n",
            ),
            (
                "a client that has left takes an answer",
                "store/sqlite/calls.py",
                'if state in ("left", "ended", "lost") and not takes(',
                "if False and not takes(",
            ),
        )
    ),
    *(
        Mutant(name, file, old, new, "tests/store/contract/test_stops.py tests/security/test_stops.py")
        for name, file, old, new in (
            (
                "a pause and failures stop nothing",
                "store/sqlite/audit_log.py",
                "if refused := stops.stopped_by(self._db, now, breaker):",
                "if refused := None:",
            ),
            (
                "calls are admitted while they are paused",
                "store/sqlite/stops.py",
                "    if pause := paused(db):\n",
                "    if pause := None:\n",
            ),
            (
                "failures in a row stop nothing",
                "store/audit_log.py",
                "if failures >= self.failures else 0",
                "if False else 0",
            ),
            (
                "a run of failures stops a function for good",
                "store/audit_log.py",
                "self.cool_down_seconds - since_last)",
                "self.cool_down_seconds)",
            ),
            (
                "a success does not end a run of failures",
                "store/sqlite/stops.py",
                "        forget(db, function)\n",
                "        pass\n",
            ),
            (
                "a cool-down is longer after a clock that was set back",
                "store/sqlite/timeline.py",
                "    coalesce((SELECT max(failed_at) FROM failure_runs), 0),\n",
                "",
            ),
            (
                "no call has a breaker",
                "invocation/stops.py",
                'if stop is None or invocation_type == "DryRun":',
                "if True:",
            ),
            (
                "a person is asked for a call that is paused",
                "invocation/approving.py",
                """        unstopped = await self._check_stops(call)
        if isinstance(unstopped, DeniedCall):
            return unstopped
        match""",
                "        match",
            ),
            (
                "dry_run does not know of a pause or failures",
                "invocation/pipeline.py",
                '{"stops": self._check_stops, "alias"',
                '{"alias"',
            ),
        )
    ),
    *(
        Mutant(name, "guard/callers.py", old, new, "tests/guard/test_callers.py")
        for name, old, new in (
            (
                "a rule for some principals is for all callers",
                "if spec.principals is not None and not _names(caller)",
                "if False and not _names(caller)",
            ),
            ("a group is taken for a principal", 'f"group:{group}" for', "group for"),
            ("one scope of several is enough", "sorted(set(spec.scopes) - caller.scopes)", "not spec.scopes"),
            (
                "an agent for a person goes through any client",
                "caller.actor or caller.client_id}",
                "caller.client_id}",
            ),
            (
                "an agent may do what it may do itself, for any person",
                "return {caller.principal, *",
                'return {caller.principal, f"client:{caller.actor}", *',
            ),
        )
    ),
    *(
        Mutant(name, "guard/claims.py", old, new, "tests/guard/test_claims.py")
        for name, old, new in (
            (
                "a user whose name is missing is the client",
                "    if not _has_no_user(",
                "    if subject_claim in claims and not _has_no_user(",
            ),
            ("any client's token is a user's", '("sub") in (client_id, f"{client_id}@clients"):', '("sub") == "":'),
            ("an actor that is nobody is none", '_named(act, "sub")', 'act.get("sub")'),
            ("a subject may be any text", "or not SUBJECT.fullmatch(value):", "or False:"),
            ("a token's tenant may be *", "filter(is_tenant_id, _texts(", "filter(None, _texts("),
        )
    ),
    *(
        Mutant(name, "transport/authentication/verifier.py", old, new, "tests/transport/test_authentication.py")
        for name, old, new in (
            (
                "a token of any algorithm is looked at",
                "if algorithm not in self._settings.auth_algorithms:",
                "if False:",
            ),
            ("a token of any type is taken", "else kind) not in _TYPES:", "else kind) == 0:"),
            ("a token of any length is read", "len(token) > TOKEN_CHARACTERS or", "False or"),
            ("a kid of any length is looked up", " or len(kid) > _KID_CHARACTERS:", ":"),
            (
                "a token for another audience is taken",
                "audience=self._audiences,",
                "audience=jwt.decode_complete(token, options={'verify_signature': False})['payload'].get('aud'),",
            ),
            ("a token of another issuer is taken", "issuer=self._settings.auth_issuer,", "issuer=None,"),
            ("a token without expiry is taken", '"require": ["exp", "iss", "aud"]', '"require": ["iss", "aud"]'),
            ("a short key is good", '"enforce_minimum_key_length": True', '"enforce_minimum_key_length": False'),
            ("the token is kept", 'token="",', 'token=claims["iss"],'),
            ("an issuer is asked in the clear", "if url is not None and not is_safe(url):", "if False:"),
        )
    ),
    *(
        Mutant(name, "transport/authentication/keys.py", old, new, f"tests/transport/test_authentication{of}.py")
        for name, old, new, of in (
            ("two keys of one id are both taken", 'if ids[key["kid"]] == 1:', "if True:", ""),
            ("a key for encryption checks signatures", 'and key.get("use") in (None, "sig")', "", ""),
            ("a private key is a public one", 'and "d" not in key', "", ""),
            ("keys are asked for at each unknown id", "_tried_at < RETRY_SECONDS:", "_tried_at < 0:", "_keys"),
            ("keys that were taken back are good for ever", "_fetched_at >= FRESH_SECONDS", "_fetched_at < 0", "_keys"),
            (
                "keys are good for ever while the issuer is down",
                "return self._clock() - self._fetched_at < STALE_SECONDS",
                "return self._clock() - self._fetched_at >= 0",
                "_keys",
            ),
            (
                "who waits for keys is refused",
                "if not self._good(wanted) if self._lock.locked() else self._is_due(wanted):",
                "if self._is_due(wanted):",
                "_keys",
            ),
            (
                "a fetch ends with who began it",
                "with anyio.CancelScope(shield=True):",
                "with anyio.CancelScope():",
                "_keys",
            ),
            ("redirects to other keys are followed", "follow_redirects=False", "follow_redirects=True", "_keys"),
            ("an answer with keys may be of any size", "if len(body) > ANSWER_BYTES:", "if False:", "_keys"),
            (
                "an answer with keys may take any time",
                "with anyio.fail_after(FETCH_SECONDS):",
                "with anyio.fail_after(None):",
                "_keys",
            ),
            ("metadata may be another issuer's", 'found.get("issuer") != self._issuer or ', "", "_keys"),
            ("metadata may name keys in the clear", " or not is_safe(url):", ":", "_keys"),
        )
    ),
    *(
        Mutant(name, file, old, new, "tests/security/test_identity.py")
        for name, file, old, new in (
            (
                "all callers of a server are one",
                "app.py",
                "None if identity else settings.principal",
                "settings.principal",
            ),
            (
                "an agent's client is asked for approval",
                "model/caller.py",
                "self.subject is not None and self.actor is None",
                "True",
            ),
            (
                "an agent has the calls of whom it acts for",
                "guard/request_digest.py",
                "caller.name,",
                "caller.principal,",
            ),
            ("a caller may name any tenant", "guard/callers.py", 'if spec.tenants == "caller":', "if False:"),
            (
                "an agent uses the session of whom it acts for",
                "transport/authentication/verifier.py",
                "subject=caller.name,",
                "subject=caller.subject,",
            ),
            (
                "no scope is asked for",
                "transport/authentication/verifier.py",
                "list(settings.auth_required_scopes)",
                "[]",
            ),
        )
    ),
    *(
        Mutant(name, file, old, new, "tests/security/test_roles.py")
        for name, file, old, new in (
            (
                "all callers share a role session",
                "aws/role_sessions.py",
                "return self._of(CURRENT.get())",
                "return self._of(LOCAL_CALLER)",
            ),
            ("two callers share a session name", "aws/role_sessions.py", "{before_hash}{digest}", ""),
            ("AWS is asked for no caller", "tools/tool.py", "with acting_for(caller):", "if caller:"),
            (
                "role sessions are kept for ever",
                "aws/role_sessions.py",
                "if len(self._sessions) > SESSIONS:",
                "if False:",
            ),
        )
    ),
    Mutant(
        "any tenant may be named where the rule names some",
        "guard/decide.py",
        "(tenant in allowed or allowed == [ANY_TENANT])",
        "allowed",
        "tests/security/test_tenants.py",
    ),
    Mutant(
        "a tenant may be named where the rule names none",
        "guard/decide.py",
        "    if allowed is None and tenant is None:",
        "    if allowed is None:",
        "tests/security/test_tenants.py",
    ),
    Mutant(
        "no tenant has to be named where the rule names some",
        "guard/decide.py",
        "    if tenant is not None and (tenant in allowed",
        "    if tenant is None or (tenant in allowed",
        "tests/security/test_tenants.py",
    ),
    Mutant(
        "the approvals page answers to any name",
        "approvals_page/guards.py",
        'if host not in hosts or len(headers.getlist("host")) > 1:',
        "if False:",
        _PAGE_TESTS,
    ),
    Mutant(
        "the approvals page takes forms of any origin",
        "approvals_page/guards.py",
        'headers.get("origin") != origin or ',
        "",
        _PAGE_TESTS,
    ),
    Mutant(
        "the approvals page takes what a browser says is of another site",
        "approvals_page/guards.py",
        ' or headers.get("sec-fetch-site", "same-origin") != "same-origin":',
        ":",
        _PAGE_TESTS,
    ),
    Mutant(
        "the approvals page takes a form of no session",
        "approvals_page/app.py",
        'if not session.sent_by(form.get("form_token", "")):',
        "if False:",
        _PAGE_TESTS,
    ),
    Mutant(
        "the approvals page takes a field twice",
        "approvals_page/requests.py",
        "return dict(fields) if len(set(names)) == len(names) else {}",
        "return dict(fields)",
        _PAGE_TESTS,
    ),
    Mutant(
        "the cookie of the approvals page goes to every path, and so to other servers",
        "approvals_page/app.py",
        "path=self.base, httponly",
        'path="/", httponly',
        _PAGE_TESTS,
    ),
    Mutant(
        "a link to the approvals page is good twice",
        "approvals_page/sessions.py",
        "            self.new_link()\n            now",
        "            now",
        _PAGE_TESTS,
    ),
    Mutant(
        "a session of the approvals page does not end while it is unused",
        "approvals_page/sessions.py",
        "now - session.used < IDLE_SECONDS and ",
        "",
        _PAGE_TESTS,
    ),
    Mutant(
        "a session of the approvals page never ends while it is used",
        "approvals_page/sessions.py",
        " and now - session.began < LONGEST_SECONDS",
        "",
        _PAGE_TESTS,
    ),
    Mutant(
        "a page that reloads itself keeps its session open",
        "approvals_page/sessions.py",
        "        if by_person:\n",
        "        if True:\n",
        _PAGE_TESTS,
    ),
    Mutant(
        "texts on the approvals page are not escaped",
        "approvals_page/views.py",
        "autoescape=True",
        "autoescape=False",
        _PAGE_TESTS,
    ),
    Mutant(
        "blocks of text on the approvals page are not escaped",
        "approvals_page/views.py",
        "str(escape(visible(text)))",
        "visible(text)",
        _PAGE_TESTS,
    ),
    Mutant(
        "hidden characters stay hidden on the approvals page",
        "approvals_page/views.py",
        "    finalize=_shown,",
        "    finalize=None,",
        _PAGE_TESTS,
    ),
    Mutant(
        "text from right to left turns round what follows it",
        "approvals_page/views.py",
        'r"<bdi>\\g<0></bdi>"',
        'r"\\g<0>"',
        _PAGE_TESTS,
    ),
    Mutant(
        "a redirect of a webhook is followed",
        "approvals/webhook.py",
        "follow_redirects=False",
        "follow_redirects=True",
        _TELLING_TESTS,
    ),
    Mutant(
        "a webhook's answer may take for ever",
        "approvals/webhook.py",
        "with anyio.fail_after(self.attempt_seconds):",
        "with anyio.fail_after(None):",
        _TELLING_TESTS,
    ),
    Mutant(
        "a webhook over plain HTTP may be anywhere",
        "approvals/webhook.py",
        '(parsed.scheme == "http" and _is_here(parsed.host))',
        'parsed.scheme == "http"',
        _TELLING_TESTS,
    ),
    Mutant(
        "a webhook's body is not signed",
        "approvals/webhook.py",
        'f"{message_id}.{at}.".encode() + body',
        'f"{message_id}.{at}.".encode()',
        _TELLING_TESTS,
    ),
    Mutant(
        "a reload that can't be recorded is given up",
        "manifests/watch.py",
        """                logger.error("the manifest can't be put into force yet, so no call is decided on: %s", told)
            return
""",
        """                logger.error("the manifest can't be put into force yet, so no call is decided on: %s", told)
""",
        "tests/manifests/test_watch.py",
    ),
    Mutant(
        "the files are not looked at after an approval",
        "app.py",
        "if self._watcher is not None and not self._watcher.wait_until_current():",
        "if False:",
        "tests/manifests/test_watch.py",
    ),
    Mutant(
        "short members of a long payload are not listed in the question",
        "approvals/request.py",
        '    lines += _listed("Its short members:", members.short, members.more_short)\n',
        "",
        "tests/security/test_approval.py tests/approvals",
    ),
    Mutant(
        "members that are not listed are not counted",
        "approvals/request.py",
        "if more else [])",
        "if not more else [])",
        "tests/approvals",
    ),
    Mutant(
        "members of deep levels are neither listed nor counted",
        "approvals/members.py",
        "    for _ in range(DEPTH):",
        "    for _ in range(3):",
        "tests/approvals",
    ),
    Mutant(
        "it is not told that members go deeper than those listed",
        "approvals/request.py",
        "    if deeper := members.deeper:",
        "    if deeper := 0:",
        "tests/approvals",
    ),
    Mutant(
        "long members take the place of short ones",
        "approvals/members.py",
        "        if not _is_long(member) and len(text := _written(member)) <= SHORT_CHARACTERS:",
        "        if text := _written(member):",
        "tests/approvals",
    ),
    Mutant(
        "it is not told that members were not looked at",
        "approvals/request.py",
        "    if members.unseen:",
        "    if False:",
        "tests/approvals",
    ),
    Mutant(
        "long members keep short ones from being looked at",
        "approvals/members.py",
        "self.room -= not _is_long(member)",
        "self.room -= 1",
        "tests/approvals",
    ),
    Mutant(
        "structured results hide characters",
        "report/outgoing.py",
        "        return show(value)\n",
        "        return value, 0\n",
        "tests/report/test_outgoing.py",
    ),
    Mutant(
        "keys of structured results hide characters",
        "report/outgoing.py",
        "        name, in_key = show(key)",
        "        name, in_key = key, 0",
        "tests/report/test_outgoing.py",
    ),
    Mutant(
        "a key that is written as another takes its place",
        "report/outgoing.py",
        "_distinct(name, value, members) if in_key else name",
        "name",
        "tests/report/test_outgoing.py",
    ),
    Mutant(
        "the tools' results pass no gate",
        "tools/tool.py",
        "said, structured = outgoing(result)",
        'said, structured = result, result.model_dump(mode="json", exclude_defaults=True)',
        "tests/security/test_hidden_characters.py",
    ),
    Mutant(
        "default-ignorable letters are seen",
        "report/visible.py",
        " or character in _IGNORABLE or character in _BLANK",
        " or character in _BLANK",
        "tests/report/test_visible.py",
    ),
    Mutant(
        "blank letters are seen",
        "report/visible.py",
        " or character in _IGNORABLE or character in _BLANK",
        " or character in _IGNORABLE",
        "tests/report/test_visible.py",
    ),
    Mutant(
        "a joiner anywhere is in use",
        "report/visible.py",
        "        return _is_symbol(following) and (",
        "        return True or (",
        "tests/report/test_visible.py",
    ),
    Mutant(
        "marks pile up",
        "report/visible.py",
        "    if marks:\n",
        "    if not marks:\n",
        "tests/report/test_visible.py",
    ),
    Mutant(
        "keys may mix scripts",
        "report/visible.py",
        "if len(others) > 1 else ()",
        "if len(others) > 9 else ()",
        "tests/report/test_visible.py tests/report/test_outgoing.py tests/security/test_approval.py",
    ),
    Mutant(
        "descriptions in AWS are not redacted",
        "listing/catalog.py",
        "cut(redact_text(text, detectors=self.detectors).text, _TOLD_CHARACTERS)",
        "cut(text, _TOLD_CHARACTERS)",
        "tests/listing",
    ),
    Mutant(
        "words are looked for in what is not shown",
        "listing/catalog.py",
        "    return item.description is not None and words.casefold() in item.description.casefold()\n",
        "    told = item.facts.description if item.facts else None\n    return told is not None and words in told\n",
        "tests/listing",
    ),
    Mutant(
        "a reload is not seen by calls that wait",
        "invocation/deciding.py",
        "    if policy is call.policy:\n",
        "    if True:\n",
        "tests/security/test_reload.py",
    ),
    Mutant(
        "a changed rule goes on with the old approval",
        "invocation/deciding.py",
        "    if decided.rule.spec != call.rule.spec or",
        "    if",
        "tests/security/test_reload.py",
    ),
    Mutant(
        "a changed target is not seen by calls that wait",
        "invocation/deciding.py",
        " or policy.target(call.ref) != call.policy.target(call.ref):",
        ":",
        "tests/security/test_reload.py",
    ),
    Mutant(
        "a kept result is anybody's",
        "store/sqlite/results/reading.py",
        "WHERE id = ? AND principal = ? AND",
        "WHERE id = ? AND ? IS NOT NULL AND",
        "tests/store/contract/test_results.py tests/security/test_kept_results.py",
    ),
    Mutant(
        "a kept result is read after its time",
        "store/sqlite/results/reading.py",
        "AND expires_at > ?",
        "AND ? IS NOT NULL",
        "tests/store/contract/test_results.py",
    ),
    Mutant(
        "results are kept unredacted",
        "results/kept.py",
        "encoded(payload) if payload.redacted or payload.streamed else returned",
        "returned",
        "tests/security/test_kept_results.py",
    ),
    Mutant(
        "a result in a table or bucket is anybody's",
        "store/objects.py",
        "if head.principal != principal or head",
        "if head",
        "tests/store/results/test_objects.py",
    ),
    Mutant(
        "a result in a table or bucket is read after its time",
        "store/objects.py",
        " or head.expires_at <= self._clock.time_of_day():",
        ":",
        "tests/store/results/test_objects.py",
    ),
    Mutant(
        "each server seals questions with a key of its own",
        "app.py",
        "    if settings.state_key_file is None:\n",
        "    if True:\n",
        "tests/security/test_shared_state_key.py",
    ),
    Mutant(
        "a sealed chunk is bound to no result",
        "store/kept_result.py",
        '"chunk", result_id, part, index',
        '"chunk", part, index',
        "tests/store/results",
    ),
    Mutant(
        "a sealed chunk is bound to no part",
        "store/kept_result.py",
        '"chunk", result_id, part, index',
        '"chunk", result_id, index',
        "tests/store/results",
    ),
    Mutant(
        "a sealed chunk is bound to no place",
        "store/kept_result.py",
        '"chunk", result_id, part, index',
        '"chunk", result_id, part',
        "tests/store/results",
    ),
    Mutant(
        "a sealed description is bound to nobody",
        "store/kept_result.py",
        '"about", result_id, principal, expires_at',
        '"about", result_id',
        "tests/store/results",
    ),
    Mutant(
        "no rule is no denial",
        "guard/decide.py",
        "    if not candidates:\n",
        "    if not candidates and rules.all:\n        candidates = list(rules.all)\n    if not candidates:\n",
        "tests/security/test_only_what_is_allowed.py tests/security/test_hostile_requests.py",
    ),
    Mutant(
        "any qualifier",
        "guard/decide.py",
        "[rule for rule in candidates if ref.qualifier in rule.spec.qualifiers]",
        "candidates[:1]",
        "tests/security/test_only_what_is_allowed.py",
    ),
    Mutant(
        "any invocation type",
        "guard/decide.py",
        "    if asked in rule.spec.invocation_types:\n",
        "    if asked:\n",
        "tests/security/test_only_what_is_allowed.py",
    ),
    Mutant(
        "deny entries do nothing",
        "guard/decide.py",
        "if deny := rules.denial_of(ref):",
        "if deny := None:",
        "tests/security/test_hostile_requests.py",
    ),
    Mutant(
        "payload of any size",
        "guard/decide.py",
        "    if size <= limit:\n",
        "    if True:\n",
        "tests/guard/test_decide.py",
    ),
    Mutant(
        "no schema",
        "guard/decide.py",
        "    if rule.schema is None:\n",
        "    if True:\n",
        "tests/security/test_bad_input.py",
    ),
    Mutant(
        "the last of two keys counts",
        "guard/decide.py",
        "payload = parse_json(request.payload)",
        "payload = __import__('json').loads(request.payload)",
        "tests/guard/test_decide.py",
    ),
    Mutant(
        "the records quote a payload that does not fit",
        "invocation/recording.py",
        'if failed and failed.name == "payload_schema":',
        "if False:",
        "tests/security/test_records_keep.py",
    ),
    Mutant(
        "a schema that fails is passed",
        "guard/payload_schema.py",
        'return Misfit(f"$: the schema can\'t be applied ({type(error).__name__})")',
        "return None",
        "tests/guard/test_payload_schema.py",
    ),
    Mutant(
        "a profile may prompt",
        "aws_session.py",
        "    _make_quiet(known.",
        "    list(known.",
        "tests/aws/test_cases.py",
    ),
    Mutant(
        "any 200 is a success",
        "aws/invoke.py",
        "        if wrong := _no_lambda(request, response):\n",
        "        if wrong := None:\n",
        "tests/aws/test_cases.py",
    ),
    Mutant(
        "credentials are read again without end",
        "invocation/retry.py",
        "raw.remedy is not None and raw.remedy not in remedied",
        "raw.remedy is not None",
        "tests/invocation/test_retry.py",
    ),
    Mutant(
        "an attempt may begin after the deadline",
        "invocation/retry.py",
        "        # To write it down takes time, too.\n        if not _has_time(handle):\n",
        "        if False:\n",
        "tests/invocation/test_retry.py",
    ),
    Mutant(
        "payloads of any depth reach native code",
        "guard/payload_schema.py",
        "for _ in range(LEVELS + 1):",
        "for _ in range(10**6):",
        "tests/security/test_bad_input.py",
    ),
    Mutant(
        "patterns may backtrack",
        "guard/payload_schema.py",
        "pattern_options=RegexOptions()",
        "pattern_options=None",
        "tests/guard/test_payload_schema.py",
    ),
    Mutant(
        "a schema may check nothing",
        "guard/payload_schema.py",
        "if id(part) in open_parts:",
        "if False:",
        "tests/guard/test_payload_schema.py",
    ),
    Mutant(
        "exact rules do not shadow patterns",
        "guard/rules.py",
        "return self._exact.get(ref.function_arn) or self.patterns_for(ref)",
        "return [*self._exact.get(ref.function_arn, []), *self.patterns_for(ref)]",
        "tests/security/test_only_what_is_allowed.py",
    ),
    Mutant(
        "names are trimmed",
        "model/function_ref.py",
        "    if len(text) > SPELLING_LIMIT:\n",
        "    text = text.strip()\n    if len(text) > SPELLING_LIMIT:\n",
        "tests/security/test_hostile_requests.py",
    ),
    Mutant(
        "control characters pass",
        "model/function_ref.py",
        "if not text.isascii() or any(c.isspace() or not c.isprintable() for c in text):",
        "if False:",
        "tests/model/test_function_ref.py",
    ),
    Mutant(
        "any partition",
        "model/function_ref.py",
        "    if pattern is None:\n",
        "    if pattern is None:\n        pattern = PARTITIONS['aws']\n    if pattern is None:\n",
        "tests/model/test_function_ref.py",
    ),
    Mutant(
        "any service",
        "model/function_ref.py",
        'if service != "lambda":',
        "if False:",
        "tests/model/test_function_ref.py",
    ),
    Mutant(
        "the qualifier beside wins",
        "guard/resolve.py",
        "if in_name is not None and in_name != argument:",
        "if False:",
        "tests/guard/test_resolve.py",
    ),
    Mutant(
        "several places, the first wins",
        "guard/resolve.py",
        "    if len(places) > 1:\n",
        "    if False:\n",
        "tests/guard/test_resolve.py",
    ),
    Mutant(
        "unknown arguments pass",
        "model/request.py",
        'extra="forbid", frozen=True',
        'extra="ignore", frozen=True',
        "tests/security/test_bad_input.py",
    ),
    Mutant(
        "a string or the JSON in it, whichever",
        "guard/encode.py",
        "    if schema is not None and schema.problem(text.decode()):\n",
        "    if schema is None or schema.problem(text.decode()):\n",
        "tests/guard/test_encode.py",
    ),
    Mutant(
        "the JSON in a string that both fit",
        "guard/encode.py",
        "    if schema is not None and not _fits(text, schema):\n",
        "    if schema is not None:\n",
        "tests/guard/test_encode.py",
    ),
    Mutant(
        "a payload in doubt is decided on",
        "guard/decide.py",
        "    if request.payload_text is not None:\n",
        "    if False:\n",
        "tests/guard/test_encode.py",
    ),
    Mutant(
        "an unknown argument without a value passes",
        "guard/arguments.py",
        " or name not in fields or ",
        " or name in fields and ",
        "tests/guard/test_arguments.py",
    ),
    Mutant(
        "an empty required argument is missing in silence",
        "guard/arguments.py",
        " or fields[name].is_required()\n",
        "\n",
        "tests/guard/test_arguments.py",
    ),
    Mutant(
        "JSON text is not looked at",
        "guard/encode.py",
        "        parse_json(data)\n",
        "",
        "tests/guard/test_encode.py",
    ),
    Mutant(
        "boto3 retries",
        "aws/clients.py",
        "attempts=1, connections=settings.concurrency)",
        "attempts=3, connections=settings.concurrency)",
        "tests/faults/test_never_twice.py",
    ),
    Mutant(
        "a 500 is a refusal",
        "aws/errors.py",
        "(code not in MAY_HAVE_RUN and (later",
        "(True and (code in MAY_HAVE_RUN or later",
        "tests/aws/test_errors.py",
    ),
    Mutant(
        "a lost connection is a refusal",
        "aws/errors.py",
        '    if sent in ("whole", "untracked"):\n',
        '    if sent == "untracked":\n',
        "tests/faults/test_never_twice.py",
    ),
    Mutant(
        "the qualifier is not sent",
        "aws/invoke.py",
        '        "Qualifier": ref.qualifier,\n',
        "",
        "tests/security/test_only_what_is_allowed.py",
    ),
    Mutant(
        "a record that fails is ignored",
        "invocation/execution.py",
        'return call.denied(denied("record", NOT_RECORDED))\n',
        "return call\n",
        "tests/security/test_only_what_is_allowed.py",
    ),
    Mutant(
        "nobody is asked",
        "invocation/approving.py",
        "    return call.rule.spec.asks and",
        "    return False and",
        "tests/security/test_approval.py",
    ),
    Mutant(
        "over HTTP anybody approves",
        "approvals/client.py",
        "        if not self._authentic:\n",
        "        if False:\n",
        "tests/security/test_approval.py",
    ),
    Mutant(
        "any answer is a yes",
        "approvals/client.py",
        'return "approved" if isinstance(form, Approval) and form.approve is True else "declined"',
        'return "approved"',
        "tests/security/test_approval.py",
    ),
    Mutant(
        "a yes is good for many calls",
        "approvals/client.py",
        'return "replayed"',
        "return _result_of(answer)",
        "tests/security/test_approval.py",
    ),
    Mutant(
        "a late yes counts",
        "approvals/client.py",
        '            case "expired":\n                return "timed_out"',
        '            case "expired":\n                return _result_of(answer)',
        "tests/security/test_approval.py",
    ),
    Mutant(
        "a yes without a question counts",
        "approvals/client.py",
        "        if answer is None or asked is None:\n",
        "        if answer is not None:\n            return _result_of(answer)\n        if asked is None:\n",
        "tests/security/test_approval.py",
    ),
    Mutant(
        "a request is approved by its state alone",
        "approvals/secret.py",
        "        return judge(pending.ask, pending.rulings) == pending.state and all(\n",
        "        return all(\n",
        "tests/security/test_approval_out_of_band.py",
    ),
    Mutant(
        "an approval out of band needs no signature",
        "invocation/approving.py",
        "and self._operator.is_decided(found)):",
        "and True):",
        "tests/security/test_approval_out_of_band.py",
    ),
    Mutant(
        "a question that was changed in the file is approved",
        "store/approvals.py",
        '"reason": None, "expires_seconds"',
        '"reason": None, "question": "", "expires_seconds"',
        "tests/security/test_approval_out_of_band.py",
    ),
    Mutant(
        "an approval is good for whatever the alias leads to",
        "invocation/approving.py",
        "        if await anyio.to_thread.run_sync(_versions_of, call) != ask.executed_version:\n",
        "        if False:\n",
        "tests/security/test_approval_out_of_band.py",
    ),
    Mutant(
        "an approval outlives a change of the manifests while it is waited for",
        "invocation/approving.py",
        "        if self._policy().rules.digest != call.policy.rules.digest:\n",
        "        if False:\n",
        "tests/security/test_approval_out_of_band.py",
    ),
    Mutant(
        "a person is not told that the call may have run before",
        "invocation/approving.py",
        "versions=versions, after_unknown=after,",
        "versions=versions,",
        "tests/security/test_approval_out_of_band.py",
    ),
    Mutant(
        "calls are resumed without the approver's secret",
        "commands/pause.py",
        "        if read_approver(approvals_secret_file) is not None:\n",
        "        if False:\n",
        "tests/commands/test_pause.py",
    ),
    Mutant(
        "who left is forgotten where a transaction fails",
        "store/sqlite/audit_log.py",
        """            self._seq, self._head, self._noted = before
        self._db""",
        """            self._seq, self._head, _ = before
        self._db""",
        "tests/store/contract/test_departures.py",
    ),
    Mutant(
        "an approval is used up by a call that is not admitted",
        "store/sqlite/audit_log.py",
        """            return CallerLeft()
        exceeded""",
        """            return CallerLeft()
        if approval is not None:
            self._use(invocation_id, approval)
            approval = None
        exceeded""",
        "tests/security/test_approval_out_of_band.py tests/store/contract/test_approval_requests.py",
    ),
    Mutant(
        "an approval is not used up",
        "store/sqlite/audit_log.py",
        """        if approval is not None:
            self._use(invocation_id, approval)
""",
        "",
        "tests/security/test_approval_out_of_band.py",
    ),
    Mutant(
        "a call is admitted without its approval",
        "invocation/execution.py",
        "                current.approval,\n",
        "",
        "tests/security/test_approval_out_of_band.py",
    ),
    Mutant(
        "an approval can be used twice, or once it has expired",
        "store/sqlite/audit_log.py",
        "if approval is not None and (gone := approval_requests.gone(self._db, now, approval)):",
        "if gone := None:",
        "tests/security/test_approval_out_of_band.py tests/store/contract/test_approval_requests.py",
    ),
    Mutant(
        "an approval is good for what was not approved",
        "store/approvals.py",
        'return None if current == as_found else ApprovalGone("void")',
        "return None",
        "tests/store/contract/test_approval_requests.py",
    ),
    Mutant(
        "the last decision counts",
        "store/approvals.py",
        'if self.state != "pending" or again or not',
        'if self.state not in ("pending", "approved", "denied") or again or not',
        "tests/store/contract/test_approval_requests.py",
    ),
    Mutant(
        "an expired request can be decided on",
        "store/approvals.py",
        'if self.state != "pending" or again or not',
        'if self.state not in ("pending", "expired") or again or not',
        "tests/store/contract/test_approval_requests.py",
    ),
    Mutant(
        "an approval is good for another version or manifest",
        "store/sqlite/audit_log.py",
        "            if earlier.ask.would_run_as(ask):\n",
        "            if True:\n",
        "tests/store/contract/test_approval_requests.py",
    ),
    Mutant(
        "somebody is asked about a call that is under way",
        "invocation/pipeline.py",
        " or (call.claim.key is None and not needs_approval(call))",
        " or call.claim.key is None",
        "tests/security/test_approval_out_of_band.py",
    ),
    Mutant(
        "an approval is everybody's",
        "store/sqlite/approval_requests.py",
        "WHERE principal = ? AND request_digest = ? AND {_OPEN}",
        "WHERE ? != '' AND request_digest = ? AND {_OPEN}",
        "tests/store/contract/test_approval_requests.py",
    ),
    Mutant(
        "a caller has any number of requests wait",
        "store/sqlite/approval_requests.py",
        "    return found < OPEN_LIMIT\n",
        "    return True\n",
        "tests/store/contract/test_approval_requests.py",
    ),
    Mutant(
        "the secret is read from stdin",
        "commands/approvals.py",
        'warnings.simplefilter("error", getpass.GetPassWarning)',
        'warnings.simplefilter("ignore", getpass.GetPassWarning)',
        "tests/security/test_approval_out_of_band.py",
    ),
    Mutant(
        "any secret approves",
        "approvals/secret.py",
        "        if key.public_key().public_bytes_raw() != kept.public_key:\n",
        "        if False:\n",
        "tests/approvals/test_secret.py",
    ),
    Mutant(
        "secrets can be tried as often as one likes",
        "approvals/secret.py",
        "        if wait > 0:\n",
        "        if False:\n",
        "tests/approvals/test_secret.py",
    ),
    Mutant(
        "who sets another secret need not know the one before",
        "commands/approvals.py",
        "        if read_approver(files.secret) is not None:\n",
        "        if False:\n",
        "tests/security/test_approval_out_of_band.py",
    ),
    Mutant(
        "what the approver reads is not redacted",
        "invocation/approving.py",
        "    asked = _question_of(call, versions=versions, detectors=detectors)",
        "    asked = _question_of(call, versions=versions)",
        "tests/security/test_approval_out_of_band.py",
    ),
    Mutant(
        "the reason that is kept is not redacted",
        "invocation/approving.py",
        "redact_text(reason, detectors=detectors).text",
        "reason",
        "tests/security/test_approval_out_of_band.py",
    ),
    Mutant(
        "the client is asked where the operator has to be",
        "invocation/approving.py",
        '    if by != "operator" and client is None:\n',
        "    if client is None:\n",
        "tests/security/test_approval_out_of_band.py",
    ),
    Mutant(
        "the operator is asked where the client has to be",
        "invocation/approving.py",
        '    if by != "client" and operator is None:\n',
        "    if operator is None:\n",
        "tests/security/test_approval_out_of_band.py",
    ),
    Mutant(
        "nobody need have set a secret",
        "approvals/operator.py",
        'return "not_set_up" if self._known_approver() is None else None',
        "return None",
        "tests/security/test_approval_out_of_band.py",
    ),
    Mutant(
        "limits are not taken",
        "invocation/execution.py",
        "        if limits != Limits()\n",
        "        if False\n",
        "tests/security/test_limits.py",
    ),
    Mutant(
        "a lost call frees its slot",
        "invocation/execution.py",
        "ended=not (isinstance(raw, Unknown) and raw.status_code is None),",
        "ended=True,",
        "tests/security/test_limits.py",
    ),
    Mutant(
        "an alias is not looked at",
        "guard/alias.py",
        "    return spec.expect_version is not None and is_alias(ref.qualifier)",
        "    return False",
        "tests/security/test_expected_versions.py",
    ),
    Mutant(
        "an alias that can't be read passes",
        "guard/alias.py",
        '        return Check(name="alias", passed=False, reason=reason)\n    if unexpected',
        '        return Check(name="alias", passed=True, reason=reason)\n    if unexpected',
        "tests/security/test_expected_versions.py",
    ),
    Mutant(
        "shares of an alias do not count",
        "aws/alias.py",
        '(alias["FunctionVersion"], *routed)',
        '(alias["FunctionVersion"],)',
        "tests/security/test_expected_versions.py",
    ),
    Mutant(
        "an unexpected version is not reported",
        "guard/alias.py",
        "executed_version is None or executed_version in spec.expect_version",
        "True",
        "tests/security/test_expected_versions.py",
    ),
    Mutant(
        "outside data without its mark",
        "report/text.py",
        "        yield OUTSIDE + line",
        "        yield line",
        "tests/report/test_text.py",
    ),
    Mutant(
        "control characters reach the text",
        "report/visible.py",
        "    return show(text).text\n",
        "    return text\n",
        "tests/report/test_text.py",
    ),
    Mutant(
        "a schema outside the folder is read",
        "manifests/schema_file.py",
        "    if not path.is_relative_to(root):\n        raise",
        "    if False:\n        raise",
        "tests/manifests/test_load.py",
    ),
    Mutant(
        "a pipe at a manifest's place is waited for",
        "manifests/regular_file.py",
        "flags | os.O_NONBLOCK | os.O_NOCTTY",
        "flags",
        "tests/manifests/test_load.py",
    ),
    Mutant(
        "what is no regular file is read as a manifest",
        "manifests/regular_file.py",
        "if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):",
        "if False:",
        "tests/manifests/test_load.py",
    ),
    Mutant(
        "what a client sent is recorded as it is",
        "errors.py",
        'return ascii(text if len(text) <= limit else text[:limit] + "…")',
        "return text",
        "tests/security/test_bad_input.py",
    ),
    Mutant(
        "a like id cancels another request over stdio",
        "transport/stdio.py",
        "            if self._unanswered.cancels_another(message):\n                continue\n",
        "",
        "tests/transport/test_any_line.py",
    ),
    Mutant(
        "a like id cancels another request over HTTP",
        "transport/http_messages.py",
        "        if self._cancels_another(message, session):",
        "        if False:",
        "tests/transport/test_any_line.py",
    ),
    Mutant(
        "unknown keys in a manifest pass",
        "model/strict.py",
        'model_config = ConfigDict(extra="forbid", frozen=True, strict=True)',
        'model_config = ConfigDict(extra="ignore", frozen=True, strict=True)',
        "tests/manifests/test_load.py",
    ),
    Mutant(
        "a manifest with problems takes effect",
        "manifests/load.py",
        "        if self.problems:\n            raise ManifestError(self.problems)\n",
        "",
        "tests/manifests/test_watch.py",
    ),
    Mutant(
        "secrets in text are shown",
        "redaction/text.py",
        "    shown = _settled(_redact(text, among), among.detectors)\n",
        "    shown = RedactedText(text, 0)\n",
        "tests/report/test_invocation.py tests/redaction/test_text.py",
    ),
    Mutant(
        "secrets by detectors are shown",
        "redaction/text.py",
        "    if starts_of := _prefixes(_folded(text), among):\n",
        "    if starts_of := _prefixes(_folded(text), among)[:0]:\n",
        "tests/redaction/test_rates.py",
    ),
    Mutant(
        "secrets by name are shown",
        "redaction/text.py",
        "    if starts := _starts(_folded(text), known.stems, among):\n",
        "    if starts := _starts(_folded(text), (), among):\n",
        "tests/redaction/test_text.py",
    ),
    Mutant(
        "characters that nobody sees hide secrets",
        "redaction/text.py",
        "    return without_hidden(text) if among.hidden else text\n",
        "    return text\n",
        "tests/redaction/test_pairs.py tests/redaction/test_text.py",
    ),
    Mutant(
        "a secret goes on behind what nobody sees in it",
        "redaction/text.py",
        "    if shown.count:  # a secret",
        "    if False:  # a secret",
        "tests/redaction/test_pairs.py",
    ),
    Mutant(
        "a member's name may hold what nobody sees",
        "redaction/policy.py",
        "        name = without_hidden(name)\n",
        "",
        "tests/redaction/test_pairs.py",
    ),
    Mutant(
        "causes are redacted as if they were secrets",
        "redaction/text.py",
        "    if meaning is None or is_harmless(value, meaning) or detectors.allows(value):\n",
        "    if meaning is None or detectors.allows(value):\n",
        "tests/redaction/test_rates.py",
    ),
    Mutant(
        "a detector takes words that are joined with a number",
        "redaction/detector.py",
        "        return False\n    letters",
        "        pass\n    letters",
        "tests/redaction/test_rates.py",
    ),
    Mutant(
        "a detector takes what goes on behind its length",
        "redaction/detector.py",
        "        if self.most is not None and (size > self.most or _ALNUM.match(text, end)):\n",
        "        if self.most is not None and end - first < self.least:\n",
        "tests/manifests/test_load.py",
    ),
    Mutant(
        "a value that is let pass lets others pass",
        "redaction/policy.py",
        "        return value in self.allow\n",
        "        return bool(self.allow)\n",
        "tests/manifests/test_load.py",
    ),
    Mutant(
        "the plural of an operator's name is shown",
        "redaction/policy.py",
        "for each in (last, *_plurals(last)))",
        "for each in (last,))",
        "tests/manifests/test_load.py",
    ),
    Mutant(
        "a number under an operator's name is shown",
        "redaction/policy.py",
        """else "secret", number=True)""",
        """else "secret")""",
        "tests/redaction/test_value.py",
    ),
    Mutant(
        "an operator's detectors are left out",
        "manifests/load.py",
        "Rules(rules, targets, denies, principals, self._detectors(), self._digest())",
        "Rules(rules, targets, denies, principals)",
        "tests/manifests/test_load.py",
    ),
    Mutant(
        "places in strings that hold JSON are shown",
        "redaction/value.py",
        "            return self._inside(shown, pointers) if pointers and (aimed or _may_be_json(shown)) else shown\n",
        "            return shown\n",
        "tests/redaction/test_value.py",
    ),
    Mutant(
        "a string in which places can't be found is shown",
        "redaction/value.py",
        "        if not isinstance(inner, dict | list | str):\n            self.count += 1\n            return PLACE\n",
        "        if not isinstance(inner, dict | list | str):\n            return text\n",
        "tests/redaction/test_value.py",
    ),
    Mutant(
        "secrets by place are shown",
        "answers/gate.py",
        "payload = read_payload(raw.payload, redact, total=raw.payload_bytes, detectors=detectors)\n",
        "payload = read_payload(raw.payload, total=raw.payload_bytes, detectors=detectors)\n",
        "tests/answers tests/report tests/security/test_records_keep.py",
    ),
    Mutant(
        "what AWS says is not redacted",
        "answers/gate.py",
        "    message = redact_text(raw.message, detectors=detectors)\n",
        "    message = RedactedText(raw.message, 0)\n",
        "tests/report/test_invocation.py",
    ),
    Mutant(
        "a question can be answered twice",
        "store/sqlite/questions.py",
        '    if used:\n        return "used"\n',
        "",
        "tests/store/contract/test_approvals.py",
    ),
    Mutant(
        "writers do not take turns",
        "store/sqlite/audit_log.py",
        'self._db.execute("BEGIN IMMEDIATE")\n            self._file.check_place()',
        'self._db.execute("BEGIN")\n            self._file.check_place()',
        "tests/store",
    ),
    Mutant(
        "records are written where nobody looks",
        "store/sqlite/file_check.py",
        "        if self._place is None:\n",
        "        if True:\n",
        "tests/store/test_place.py",
    ),
    Mutant(
        "a log that was cut is not noticed",
        "store/sqlite/place.py",
        "self._check_log() or main.st_mtime_ns",
        "main.st_mtime_ns",
        "tests/store/test_place.py",
    ),
    Mutant(
        "a file that has lost records is served",
        "store/sqlite/file_check.py",
        "                    self._place.mark_lost()\n",
        "                    pass\n",
        "tests/store/test_place.py",
    ),
    Mutant(
        "windows go by the time of day",
        "store/sqlite/timeline.py",
        "self._begins + self._clock.elapsed()",
        "self._clock.time_of_day()",
        "tests/store/contract/test_limits.py",
    ),
    Mutant(
        "a dead server's calls are under way",
        "store/sqlite/writers.py",
        "        return False\n\n    def release",
        "        return True\n\n    def release",
        "tests/store/test_lost_servers.py",
    ),
    Mutant(
        "an answer under a key stands in clear",
        "store/same_call.py",
        "if seal is not None else data",
        "if False else data",
        "tests/store/test_lost_servers.py",
    ),
    Mutant(
        "what failed is committed with the rest",
        "store/sqlite/audit_log.py",
        '            self._db.execute("ROLLBACK TO work")\n',
        "",
        "tests/store",
    ),
    Mutant(
        "records are not chained",
        "store/hash_chain.py",
        'f"{start},{body}]".encode',
        'f"{body}]".encode',
        "tests/store",
    ),
    Mutant(
        "the policy denies nothing",
        "guard/iam_policy.py",
        '"NeverWhatTheManifestDenies", "Deny", (*_OF_QUALIFIERS, READ_EXECUTION), self.denied',
        '"NeverWhatTheManifestDenies", "Deny", (*_OF_QUALIFIERS, READ_EXECUTION), set()',
        "tests/guard/test_iam_policy.py",
    ),
    Mutant(
        "the last byte is not waited for",
        "aws/tracked_connections.py",
        "            handle.has_left()\n",
        "            pass\n",
        "tests/faults/test_never_twice.py tests/faults/test_random_faults.py",
    ),
    Mutant(
        "what left is not tracked",
        "aws/tracked_connections.py",
        '        classes.update({"http": partial',
        '        {}.update({"http": partial',
        "tests/aws tests/faults",
    ),
    Mutant(
        "what may have run is tried again",
        "invocation/retry.py",
        "isinstance(raw, Refused) and raw.retry_sensible and",
        "not isinstance(raw, Refused) and",
        "tests/faults/test_never_twice.py tests/faults/test_random_faults.py",
    ),
    Mutant(
        "attempts without an end",
        "invocation/retry.py",
        " and attempts < max_attempts",
        "",
        "tests/invocation/test_retry.py",
    ),
    Mutant(
        "an error within a stream is a refusal",
        "aws/invoke.py",
        "    return Unknown(\n        ending.code,",
        "    return Refused(\n        ending.code,",
        "tests/aws/test_invoke.py",
    ),
    Mutant(
        "a key is taken twice",
        "store/sqlite/audit_log.py",
        "        if claim is not None and (hit := self._find(claim, takes)):\n",
        "        if False:\n",
        "tests/store/contract/test_idempotency.py",
    ),
    Mutant(
        "a key is good for any arguments",
        "store/same_call.py",
        "if has_key and call.request_digest != claim.request_digest:",
        "if False:",
        "tests/store/contract/test_idempotency.py",
    ),
    Mutant(
        "a key is looked for at the end alone",
        "invocation/pipeline.py",
        "return call if first is None else call.met(first)",
        "return call",
        "tests/security/test_idempotency.py",
    ),
    Mutant(
        "a slow function takes all slots",
        "invocation/fair_queue.py",
        "(self._reserved if self._of_function[claim.function] else 0)",
        "0",
        "tests/invocation/test_fair_queue.py",
    ),
    Mutant(
        "a queue without an end",
        "invocation/fair_queue.py",
        "        if self._queued >= self._queue:\n",
        "        if False:\n",
        "tests/invocation/test_fair_queue.py",
    ),
    Mutant(
        "a cancelled call keeps its connection",
        "aws/invocation_handle.py",
        "                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)\n",
        "                pass\n",
        "tests/aws/test_invocation_handle.py tests/faults/test_given_up.py",
    ),
    Mutant(
        "an answer of any size is held",
        "aws/invoke.py",
        "            self._held.truncate(START_BYTES)\n",
        "            pass\n",
        "tests/aws/test_invoke.py",
    ),
    Mutant(
        "large answers are worked on all at once",
        "memory.py",
        "        with _turns:\n            yield\n",
        "        yield\n",
        "tests/invocation/test_memory.py",
    ),
    Mutant(
        "a result of any size",
        "report/fit.py",
        "        if size <= budget:\n",
        "        if True:\n",
        "tests/report/test_fit.py",
    ),
    Mutant(
        "a call that was given up is sent",
        "aws/invocation_handle.py",
        "        if self._given_up.is_set():\n            raise GivenUpError",
        "        if False:\n            raise GivenUpError",
        "tests/aws/test_invocation_handle.py tests/faults/test_given_up.py",
    ),
    Mutant(
        "a slot is free before its function must have ended",
        "invocation/execution.py",
        "    return known.timeout_seconds + _LEASE_MARGIN_SECONDS",
        "    return 1.0",
        "tests/security/test_limits.py",
    ),
    Mutant(
        "a message that can't be read is dropped",
        "transport/stdio.py",
        "        if error.is_due:\n",
        "        if False:\n",
        "tests/transport/test_any_line.py",
    ),
    Mutant(
        "a cancelled request is looked for as it is named",
        "transport/messages.py",
        "return cancelled_request_id_from_params(message.params)",
        'return (message.params or {}).get("requestId")',
        "tests/transport/test_any_line.py",
    ),
    Mutant(
        "a request whose id can't be used is a notification",
        "transport/messages.py",
        'if "id" in value and (isinstance(request_id, bool)',
        'if "id" in value and False and (isinstance(request_id, bool)',
        "tests/transport/test_messages.py",
    ),
    Mutant(
        "the last of two keys of a message counts",
        "transport/messages.py",
        "value = _parsed(data)",
        "value = __import__('json').loads(data)",
        "tests/transport/test_messages.py",
    ),
    Mutant(
        "two requests of a session share an id",
        "transport/http_messages.py",
        "        if key in self._under_way:\n",
        "        if False:\n",
        "tests/transport/test_any_line.py",
    ),
    Mutant(
        "a call is decided on by what was in force",
        "app.py",
        "self._watcher is None or await self._watcher.until_current():",
        "True:",
        "tests/manifests/test_watch.py",
    ),
    Mutant(
        "a manifest is read while it is written",
        "manifests/watch.py",
        "look != self._seen and look == last",
        "look != self._seen",
        "tests/manifests/test_watch.py",
    ),
    Mutant(
        "doctor starts functions",
        "doctor/account.py",
        'EncodedRequest("DryRun",',
        'EncodedRequest("RequestResponse",',
        "tests/commands/test_doctor.py",
    ),
    Mutant(
        "doctor takes credentials of another account for the target's",
        "doctor/account.py",
        "    if identity.account != place[0]:\n",
        "    if False:\n",
        "tests/commands/test_doctor.py",
    ),
    Mutant(
        "install writes a file whose other entries it would change",
        "hosts/config_file.py",
        "    if after.pop(host.container, {}) != wanted or after !=",
        "    if False and after !=",
        "tests/hosts/test_hosts.py",
    ),
    Mutant(
        "text from outside moves a terminal's cursor",
        "commands/console.py",
        'inline(str(value)).replace("\\t", "\\\\t")',
        "str(value)",
        "tests/commands/test_console.py",
    ),
    Mutant(
        "a text makes cells of its own in a pipe",
        "commands/console.py",
        'inline(str(value)).replace("\\t", "\\\\t")',
        "inline(str(value))",
        "tests/commands/test_records.py::test_recorded_text_reaches_no_terminal_raw",
    ),
    Mutant(
        "nobody is warned of a manifest in the working folder",
        "commands/manifests.py",
        "    if folder == Path(folder.anchor):\n",
        "    if True:\n",
        "tests/manifests/test_watch.py",
    ),
    *(
        Mutant(name, f"transport/{file}", old, new, f"tests/{tests}")
        for tests, name, file, old, new in (
            (
                _HOSTILE + "another_address_than_this_machines_is_refused_without_an_identity_provider",
                "the server listens everywhere",
                "http.py",
                "    if not (_is_loopback(host) or identity_provider_configured(settings)):\n",
                "    if False:\n",
            ),
            (
                _HOSTILE + "a_request_with_another_header_is_refused",
                "any token is the user's",
                "local_token.py",
                "        if not hmac.compare_digest(token.encode(), self._token):\n",
                "        if False:\n",
            ),
            (
                _HOSTILE + "a_file_that_others_could_know_or_choose_the_token_of_is_refused",
                "a token file that others can read is taken",
                "local_token.py",
                "or stat.S_IMODE(status.st_mode) & 0o077:",
                "or False:",
            ),
            (
                "windows/test_windows.py::test_every_module_is_imported_and_what_is_not_there_says_so",
                "a token file is taken on Windows",
                "local_token.py",
                'if sys.platform == "win32":',
                "if False:",
            ),
            (
                _HOSTILE + "a_file_that_others_could_know_or_choose_the_token_of_is_refused",
                "a link leads to the token",
                "local_token.py",
                "os.O_RDONLY | os.O_NOFOLLOW",
                "os.O_RDONLY",
            ),
            (
                _HOSTILE + "servers_that_start_at_once_have_one_token",
                "servers that start at once make two tokens",
                "local_token.py",
                "            os.link(new, path)",
                "            path.write_bytes(Path(new).read_bytes()), path.chmod(0o600)",
            ),
            (
                _HOSTILE + "the_token_is_made_for_its_user_alone_kept_and_not_written_to_stderr",
                "the token stands on stderr",
                "http.py",
                "$(cat {file})",
                "{settings.http_token_file.read_text()}",
            ),
            (
                _HOSTILE + "a_request_with_another_header_is_refused",
                "any site and name will do",
                "http_app.py",
                "    return TransportSecuritySettings(\n",
                "    return TransportSecuritySettings(enable_dns_rebinding_protection=False,\n",
            ),
            (
                _HOSTILE + "what_a_proxy_could_read_in_another_way_is_refused",
                "a length and chunks pass",
                "http_app.py",
                'elif {b"transfer-encoding", b"content-length"} <= names:',
                "elif False:",
            ),
            (
                _HOSTILE + "a_request_with_another_header_is_refused",
                "headers of any size pass",
                "http_app.py",
                "> HEADER_BYTES:",
                "> 10**9:",
            ),
            (
                _HOSTILE + "neither_tokens_nor_queries_nor_claims_of_proxies_are_logged",
                "queries are logged",
                "http_app.py",
                'scope["query_string"] = b""',
                "pass",
            ),
            (
                _HOSTILE + "a_body_that_is_too_long_is_answered_and_not_broken_off",
                "a long body is broken off",
                "http_messages.py",
                "while more and size <= _READ_BYTES:",
                "while more and size <= MESSAGE_BYTES:",
            ),
            (
                _BOUNDS + "a_client_that_takes_too_long_is_cut_off",
                "a slow client keeps its connection",
                "http_connections.py",
                "            self._reading = self.loop.call_later(seconds, self.transport.abort)\n",
                "            pass\n",
            ),
            (
                _BOUNDS + "a_client_that_takes_no_answer_is_cut_off",
                "a client that takes nothing keeps its connection",
                "http_connections.py",
                "        self._writing = self.loop.call_later(self.write_seconds, self.transport.abort)\n",
                "        pass\n",
            ),
            (
                _BOUNDS + "more_connections_than_there_may_be_are_refused",
                "there are any number of connections",
                "http_connections.py",
                "len(self.connections) > self.limit_concurrency + _TOLD:",
                "False:",
            ),
            (
                _BOUNDS + "large_messages_have_room_together_or_wait",
                "large messages take any memory",
                "http_messages.py",
                "        if self._held + added > HELD_BYTES:\n",
                "        if False:\n",
            ),
            (
                _BOUNDS + "one_session_more_than_there_may_be_is_refused",
                "there are any number of sessions",
                "http_app.py",
                "max_sessions=settings.session_limit",
                "max_sessions=None",
            ),
            (
                _BOUNDS + "a_session_that_nobody_uses_ends",
                "sessions never end",
                "http_app.py",
                "session_idle_timeout=settings.session_idle",
                "session_idle_timeout=None",
            ),
            (
                _BOUNDS + "a_session_is_that_of_who_opened_it_and_has_no_id_of_a_clients_choice",
                "a session is anybody's",
                "http_app.py",
                "        ReadableMessages(manager.handle_request, readiness),\n",
                "        ReadableMessages(lambda s, *x: manager.handle_request({**s, 'user': 0}, *x), readiness),\n",
            ),
            (
                _BOUNDS + "it_is_ready_while_calls_would_be_decided_on_and_recorded",
                "it is ready without its records",
                "readiness.py",
                "if self.draining or await self._found():",
                "if self.draining:",
            ),
            (
                _ENDING,
                "calls begin while the server ends",
                "http_messages.py",
                "        if self._readiness.draining:\n",
                "        if False:\n",
            ),
            (_ENDING, "it is ready while it ends", "readiness.py", "if self.draining or await", "if await"),
        )
    ),
    Mutant(
        "descriptions of AWS stand among our own words",
        "report/text.py",
        'if entry.description and entry.description_from == "aws":',
        "if False:",
        "tests/report/test_text.py",
    ),
    Mutant(
        "functions of another account are listed as the target's",
        "listing/catalog.py",
        "    if not others:",
        "    if True:",
        "tests/listing/test_catalog.py",
    ),
    Mutant(
        "a denial names what the caller may not call",
        "guard/rules.py",
        "and refusal_of(caller, rule.spec) is None",
        "and caller",
        "tests/guard/test_decide.py",
    ),
    Mutant(
        "a streamed answer of which places can't be found is shown",
        "answers/payload.py",
        "else _read_whole(told, redact, detectors)",
        "else _read_whole(told, redact if response is None else [], detectors)",
        "tests/answers/test_http_stream.py",
    ),
    Mutant(
        "no qualifier is the alias live",
        "guard/resolve.py",
        "return in_name if in_name is not None else LATEST",
        'return in_name if in_name is not None else "live"',
        "tests/guard/test_resolve.py",
    ),
    Mutant(
        "hidden characters in the question",
        "approvals/request.py",
        'text, hidden = show(data.decode(errors="backslashreplace"))',
        'text, hidden = data.decode(errors="backslashreplace"), 0',
        "tests/security/test_approval.py tests/approvals",
    ),
    Mutant(
        "patterns may backtrack",
        "model/rule_arn.py",
        "(?>{_ANY}*?{part})",
        "(?:{_ANY}*?{part})",
        "tests/guard/test_rules.py",
    ),
    Mutant(
        "environment variables of functions are shown",
        "aws/catalog.py",
        'description=configuration.get("Description") or None,',
        'description=str(configuration.get("Environment")),',
        "tests/faults/test_answers_as_aws_gives_them.py",
    ),
    Mutant(
        "logs are read by default",
        "guard/logs.py",
        "    if logs is None:\n",
        "    if logs is None and own:\n        logs = LogsRule()\n    if logs is None:\n",
        "tests/security/test_logs.py",
    ),
    Mutant(
        "logs of any invocation under a rule for own ones",
        "guard/logs.py",
        'if logs.read == "any":',
        "if True:",
        "tests/security/test_logs.py",
    ),
    Mutant(
        "tasks of other principals",
        "store/sqlite/calls.py",
        "    WHERE principal = ?2 AND",
        "    WHERE (principal = ?2 OR 1) AND",
        "tests/tools/test_tasks.py",
    ),
    Mutant(
        "a task for a client that does not know tasks",
        "tools/tasks.py",
        "and Tasks.identifier in declared",
        "",
        "tests/tools/test_tasks.py",
    ),
    Mutant(
        "a cancel of a task counts as its answer",
        "tools/tasks.py",
        "self._earlier_calls.keeps(params.task_id, caller_of(ctx, self._principal))",
        "self._told(params.task_id, ctx)",
        "tests/tools/test_tasks.py",
    ),
    Mutant(
        "logs of other principals' calls",
        "store/own_calls.py",
        'intent.get("principal") != principal',
        "False",
        "tests/security/test_logs.py",
    ),
    Mutant(
        "durable executions of other principals' calls",
        "store/own_calls.py",
        'intent.get("principal") != principal',
        "False",
        _EXECUTION_TESTS,
    ),
    Mutant(
        "durable executions are read though no rule allows it any more",
        "results/durable.py",
        "if decided.rule is None or not decided.decision.allowed:",
        "if decided.rule is None:",
        _EXECUTION_TESTS,
    ),
    Mutant(
        "durable executions of other functions are asked for",
        "guard/durable.py",
        '    if re.fullmatch(f"{re.escape(ref.function_arn)}:{version}{_EXECUTION}", execution_arn, re.ASCII):',
        "    if version:",
        _EXECUTION_TESTS,
    ),
    Mutant(
        "an answer that tells of another durable execution is taken",
        "aws/durable.py",
        'if answer["DurableExecutionArn"] != execution_arn or ref.function_arn not in functions:',
        "if not functions:",
        _EXECUTION_TESTS,
    ),
    Mutant(
        "what a durable execution returned is shown unredacted",
        "results/durable.py",
        "exact = read.error is None and not (payload.redacted or payload.streamed)",
        "exact = read.error is None",
        _EXECUTION_TESTS,
    ),
    Mutant(
        "the data of a durable execution's error is shown at places that must not be",
        "answers/durable.py",
        "data = read_payload(execution.error_data, redact, detectors=detectors)",
        "data = read_payload(execution.error_data, detectors=detectors)",
        _EXECUTION_TESTS,
    ),
    Mutant(
        "durable executions are read without a record",
        "results/durable.py",
        '            self._records.append("read_result", invocation_id, body)',
        "            str(body)",
        _EXECUTION_TESTS,
    ),
    Mutant(
        "the policy lets durable executions of denied functions be read",
        "guard/iam_policy.py",
        "(*_OF_QUALIFIERS, READ_EXECUTION), self.denied",
        "_OF_QUALIFIERS, self.denied",
        "tests/guard/test_iam_policy.py",
    ),
    Mutant(
        "a key is free again while its first call may be under way",
        "settings.py",
        "        ge=WAIT_LIMIT,",
        "        ge=1,",
        "tests/test_cli.py",
    ),
    Mutant(
        "logs from wherever the function was pointed",
        "guard/logs.py",
        "    if group == expected:\n",
        "    if group:\n",
        "tests/security/test_logs.py",
    ),
    Mutant(
        "logs of any stream that names the request",
        "guard/logs.py",
        "if pattern.fullmatch(stream)",
        "",
        "tests/security/test_logs.py",
    ),
    Mutant(
        "logs of a stream whose name begins alike",
        "guard/logs.py",
        "pattern.fullmatch(stream)",
        "pattern.match(stream)",
        "tests/guard/test_logs.py",
    ),
    Mutant(
        "logs are read without a record",
        "logs/reader.py",
        """            return report_logs_denial(read, denied_logs("record", "the read could not be recorded"))\n""",
        "            pass\n",
        "tests/security/test_logs.py",
    ),
    Mutant(
        "logs are cut before they are redacted",
        "report/logs.py",
        '    page = page_of_text(read.request_id or "", whole.text, max_bytes, cursor)\n',
        "    raw = '\\n'.join(message for selection in selections for message in selection.messages)\n"
        "    page = page_of_text('', raw, max_bytes, cursor)\n"
        "    from lambda_warden.answers.gate import redact_lines\n"
        "    page = page._replace(text=redact_lines([page.text]).text)\n",
        "tests/security/test_logs.py",
    ),
    Mutant(
        "log lines of others between start and report",
        "report/request_log.py",
        "if own or (not interleaved and running)",
        "if own or running",
        "tests/report/test_request_log.py",
    ),
    Mutant(
        "failures of others' invocations under a rule for own ones",
        "logs/reader.py",
        "caller, own=wanted.own)",
        "caller, own=wanted.own or wanted.request_id is None)",
        "tests/security/test_logs.py",
    ),
    Mutant(
        "failures of other functions in a shared group",
        "logs/reader.py",
        "if event.stream in streams and is_failure",
        "if is_failure",
        "tests/security/test_logs.py",
    ),
    Mutant(
        "the lines of a failure are cut before they are redacted",
        "report/failures.py",
        """redact(message.rstrip("\\r\\n") for message in told)""",
        """redact(message.rstrip("\\r\\n")[:264] for message in told)""",
        "tests/security/test_logs.py",
    ),
    Mutant(
        "log filter of any text",
        "model/request.py",
        'Field(pattern=REQUEST_ID_PATTERN, description="With',
        'Field(description="With',
        "tests/security/test_logs.py",
    ),
    *(
        Mutant(f"what an operator adds to redaction is not used: {place}", file, old, new, _OPERATOR_TESTS)
        for place, file, old, new in (
            (
                "payload",
                "answers/gate.py",
                "total=raw.payload_bytes, detectors=detectors)",
                "total=raw.payload_bytes)",
            ),
            (
                "log",
                "answers/gate.py",
                "read_log(raw.log_tail, raw.request_id, detectors)",
                "read_log(raw.log_tail, raw.request_id)",
            ),
            (
                "entries of a log",
                "answers/log.py",
                "read_entries(text, detectors)",
                "read_entries(text)",
            ),
            ("log as text", "report/text.py", "read_entries(result.log.text, None)", "read_entries(result.log.text)"),
            (
                "function error",
                "answers/gate.py",
                "redact_value(json.loads(value), detectors=detectors)",
                "redact_value(json.loads(value))",
            ),
            ("error of a stream", "answers/gate.py", "read_payload(told, detectors=detectors)", "read_payload(told)"),
            (
                "message of AWS",
                "answers/gate.py",
                "redact_text(raw.message, detectors=detectors)",
                "redact_text(raw.message)",
            ),
            (
                "message to a dry run",
                "invocation/pipeline.py",
                "redact_text(message, detectors=detectors)",
                "redact_text(message)",
            ),
            (
                "payload on record",
                "invocation/recording.py",
                "read_payload(payload, redact, detectors=detectors)",
                "read_payload(payload, redact)",
            ),
            (
                "reason on record",
                "invocation/recording.py",
                "redact_text(told, detectors=detectors)",
                "redact_text(told)",
            ),
            (
                "reason of a read",
                "logs/reader.py",
                "redact_text(failed.reason, detectors=self._policy().rules.detectors)",
                "redact_text(failed.reason)",
            ),
            (
                "log that is read",
                "logs/reader.py",
                "redact_lines, messages, policy.rules.detectors)",
                "redact_lines, messages)",
            ),
            (
                "what AWS says of functions",
                "listing/catalog.py",
                "redact_text(text, detectors=self.detectors)",
                "redact_text(text)",
            ),
            ("failures", "logs/reader.py", "partial(redact_lines, detectors=policy.rules.detectors)", "redact_lines"),
            (
                "refused read",
                "logs/reader.py",
                "redact_outcome(configuration, detectors=policy.rules.detectors)",
                "redact_outcome(configuration)",
            ),
        )
    ),
    *(Mutant(*each) for each in _SCALE),
]


def main(words: list[str]) -> int:
    """Run the mutants, and print which the tests killed."""
    chosen = [mutant for mutant in MUTANTS if all(word in mutant.name for word in words)]
    if not chosen:
        print(f"no mutant's name holds {' and '.join(words)}")
        return 2
    survivors = timed_out = 0
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "tree"
        shutil.copytree(
            ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", ".hypothesis")
        )
        for mutant in chosen:
            started = time.monotonic()
            fate = _fate(mutant, copy)
            survivors += fate == "SURVIVED"
            timed_out += fate == "timed out"
            print(f"{fate:9} {time.monotonic() - started:5.1f} s  {mutant.name}", flush=True)
    by_time = f", {timed_out} of them by the time limit" if timed_out else ""
    print(f"{len(chosen) - survivors} of {len(chosen)} killed{by_time}")
    return 1 if survivors else 0


def _fate(mutant: Mutant, copy: Path) -> Literal["killed", "SURVIVED", "timed out"]:
    """What the tests make of a mutant. timed out: they did not end, because of it or of a busy machine."""
    path = copy / PACKAGE / mutant.file
    text = path.read_text()
    if text.count(mutant.old) != 1:
        print(f"{mutant.file} holds {mutant.old!r} {text.count(mutant.old)} times: the mutant has to be rewritten")
        return "SURVIVED"
    path.write_text(text.replace(mutant.old, mutant.new))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-n", "0", "-x", "-q", "-p", "no:cacheprovider", *mutant.tests.split()],
            cwd=copy,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(copy / "server"), os.environ.get("PYTHONPATH", "")])},
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return "timed out"
    finally:
        path.write_text(text)
    return "killed" if done.returncode == 1 else "SURVIVED"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
