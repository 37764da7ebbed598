"""What rules take from `defaults`, and rules of several ARNs."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambda_warden.errors import ManifestError
from lambda_warden.guard.rules import Rule
from lambda_warden.manifests.load import load_manifests
from support.builders import ACCOUNT, OTHER_ACCOUNT, function_arn

HEAD = f"""\
version: 1
targets:
  - {{account: "{ACCOUNT}", regions: [us-east-1, eu-west-1]}}
  - {{account: "{OTHER_ACCOUNT}", regions: [us-east-1]}}
defaults: {{DEFAULTS}}
functions:
  - arn: {function_arn("f")}
"""
"""Seven lines: the defaults stand in the fifth, and the rule's own keys from the eighth on."""


def manifest(folder: Path, defaults: str, *own: str) -> Path:
    path = folder / "manifest.yaml"
    path.write_text(HEAD.replace("{DEFAULTS}", defaults) + "".join(f"    {line}\n" for line in own))
    return path


def loaded(folder: Path, defaults: str, *own: str) -> Rule:
    (rule,) = load_manifests([manifest(folder, defaults, *own)]).rules.all
    return rule


def refused(folder: Path, defaults: str, *own: str) -> list[str]:
    path = manifest(folder, defaults, *own)
    with pytest.raises(ManifestError) as caught:
        load_manifests([path])
    return [problem.removeprefix(f"{path}:") for problem in caught.value.problems]


ALL = (
    "{qualifiers: [live], invocation_types: [Event], effect: read, approval: always, principals: ['group:sre'], "
    "scopes: [ops], clients: [agent], limits: {per_day: 5}, stop_after_failures: {count: 2}, "
    "result: {redact: [/ssn]}, logs: {}, timeout_seconds: 9, max_attempts: 1}"
)


def test_a_rule_takes_what_it_does_not_say_and_it_is_known_from_where(tmp_path: Path) -> None:
    rule = loaded(tmp_path, ALL)
    spec = rule.spec
    assert (spec.qualifiers, spec.invocation_types, spec.effect, spec.asks) == (["live"], ["Event"], "read", True)
    assert (spec.principals, spec.scopes, spec.clients) == (["group:sre"], ["ops"], ["agent"])
    assert (spec.limits.per_day, spec.result.redact, spec.timeout_seconds, spec.max_attempts) == (5, ["/ssn"], 9, 1)
    assert spec.logs is not None
    assert spec.stop_after_failures is not None
    assert len(rule.defaulted) == 13
    assert set(rule.defaulted.values()) == {f"{tmp_path}/manifest.yaml:5"}


def test_a_value_of_the_rule_takes_the_place_of_the_default_whole(tmp_path: Path) -> None:
    own = ("qualifiers: ['7']", "effect: destructive", "principals: ['user:ann']", "limits: {per_minute: 1}", "logs:")
    rule = loaded(tmp_path, ALL, *own)
    assert (rule.spec.qualifiers, rule.spec.effect, rule.spec.principals) == (["7"], "destructive", ["user:ann"])
    assert (rule.spec.limits.per_minute, rule.spec.limits.per_day) == (1, None)
    assert rule.spec.logs is None
    assert not rule.defaulted.keys() & {"qualifiers", "effect", "principals", "limits", "logs"}
    (warning,) = load_manifests([tmp_path / "manifest.yaml"]).warnings()
    assert warning == (
        f"{tmp_path}/manifest.yaml:11: functions[0].limits: takes the place of the default at "
        f"{tmp_path}/manifest.yaml:5 whole, so that per_day is not set. Expected it here, too, if it should hold."
    )


@pytest.mark.parametrize(
    ("own", "left"),
    [("always", "approvers"), ("{by: operator}", "approvers"), ("never", None), ("{approvers: ['group:dba']}", None)],
)
def test_approvers_who_are_left_out_are_told(tmp_path: Path, own: str, left: str | None) -> None:
    defaults = "{qualifiers: [live], approval: {approvers: ['group:sre']}}"
    assert loaded(tmp_path, defaults, f"approval: {own}").spec.asked.approvers != ["group:sre"]
    warnings = list(load_manifests([tmp_path / "manifest.yaml"]).warnings())
    assert [f"so that {left} is not set" in each for each in warnings] == ([True] if left else [])


def test_defaults_are_those_of_their_own_file(tmp_path: Path) -> None:
    manifest(tmp_path, "{qualifiers: [live], effect: read, logs: {}}")
    (tmp_path / "b.yaml").write_text(f"version: 1\nfunctions: [{{arn: {function_arn('g')}, qualifiers: [live]}}]\n")
    g, f = load_manifests([tmp_path]).rules.all
    assert (f.spec.effect, f.spec.logs is None) == ("read", False)
    assert (g.spec.effect, g.spec.logs, g.defaulted) == ("write", None, {})


@pytest.mark.parametrize("defaults", ["", "{}", "{logs: }"])
def test_defaults_that_say_nothing_change_nothing(tmp_path: Path, defaults: str) -> None:
    assert loaded(tmp_path, defaults, "qualifiers: [live]").defaulted == {}


@pytest.mark.parametrize(
    ("defaults", "own", "problem"),
    [
        ("{effect: harmless}", ["qualifiers: [live]"], "5: defaults.effect: Input should be 'read', 'write' or"),
        ("{qualifiers: [live, live]}", [], "5: defaults.qualifiers: live listed twice"),
        ("{effect: read}", [], "7: functions[0].qualifiers: is missing."),
        ("{approval: never}", ["qualifiers: [live]"], "5: defaults.approval: never can't be a default. Expected it in"),
        ("{expect_version: ['7']}", [], "5: defaults.expect_version: unknown key"),
        ("{payload: {}}", [], "5: defaults.payload: unknown key"),
        ("{qualifiers: ['8']}", ["expect_version: ['7']"], "7: functions[0]: qualifiers allow 8, which expect_version"),
        *(
            (
                f"{{qualifiers: [live], {key}: {value}}}",
                [f"{key}:"],
                f"8: functions[0].{key}: is empty, and has a default at",
            )
            for key, value in {
                "principals": "['group:sre']",
                "clients": "[agent]",
                "approval": "always",
                "stop_after_failures": "{count: 2}",
                "timeout_seconds": "5",
            }.items()
        ),
        (
            "{qualifiers: [live], scopes: [run]}",
            ["scopes: []"],
            "8: functions[0].scopes: is empty, and has a default at",
        ),
    ],
)
def test_what_could_allow_more_than_is_meant_is_refused(
    tmp_path: Path, defaults: str, own: list[str], problem: str
) -> None:
    (found,) = refused(tmp_path, defaults, *own)
    assert found.startswith(problem)


ELSEWHERE = function_arn("f", account=OTHER_ACCOUNT)


def several(folder: Path, *arns: str) -> Path:
    path = folder / "manifest.yaml"
    text = HEAD.replace("{DEFAULTS}", "{qualifiers: [live]}").replace(
        f"arn: {function_arn('f')}", "arn:\n" + "".join(f"      - {arn}\n" for arn in arns).rstrip()
    )
    path.write_text(text + "    limits: {per_day: 3}\n")
    return path


def test_a_rule_of_several_arns_is_a_rule_for_each_with_its_line_and_limits_of_its_own(tmp_path: Path) -> None:
    path = several(tmp_path, function_arn("f"), ELSEWHERE, function_arn("report-*", region="eu-west-1"))
    rules = load_manifests([path]).rules.all
    assert [rule.spec.arn for rule in rules] == [
        function_arn("f"),
        ELSEWHERE,
        function_arn("report-*", region="eu-west-1"),
    ]
    assert [rule.source for rule in rules] == [f"{path}:{line}" for line in (8, 9, 10)]
    assert len({rule.spec.key for rule in rules}) == 3
    assert {rule.spec.limits.per_day for rule in rules} == {3}


@pytest.mark.parametrize(
    ("second", "problem"),
    [
        (function_arn("f"), "7: functions[0].arn: " + function_arn("f") + " listed twice."),
        (function_arn("f", account="999999999999"), "9: functions[0].arn[1]: no target reaches account 999999999999"),
        (function_arn("f", region="eu-west-1", account=OTHER_ACCOUNT), "9: functions[0].arn[1]: no target reaches"),
        ("arn:aws:lambda:*:123456789012:function:f", "9: functions[0].arn[1]: arn: a `*` may stand in the function's"),
        (function_arn("f") + ":live", "9: functions[0].arn[1]: arn: has a qualifier"),
    ],
)
def test_a_list_of_arns_names_each_once_and_exactly(tmp_path: Path, second: str, problem: str) -> None:
    path = several(tmp_path, function_arn("f"), second)
    with pytest.raises(ManifestError) as caught:
        load_manifests([path])
    assert caught.value.problems[0].removeprefix(f"{path}:").startswith(problem)


def test_patterns_of_one_list_may_not_fit_one_function(tmp_path: Path) -> None:
    path = several(tmp_path, function_arn("a-*"), function_arn("*-b"))
    with pytest.raises(ManifestError, match="both allow live"):
        load_manifests([path])
