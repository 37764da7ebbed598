"""A manifest is read whole, or refused with the file, the line and the key of every problem."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import JsonValue

from lambda_warden.errors import ManifestError
from lambda_warden.manifests.document import SIZE_LIMIT
from lambda_warden.manifests.json_schema import manifest_json_schema
from lambda_warden.manifests.load import load_manifests
from lambda_warden.redaction.policy import BUILT_IN
from lambda_warden.redaction.text import redact_text
from lambda_warden.redaction.value import redact_value
from support.builders import function_arn, ref

GOOD = """\
version: 1
targets:
  - account: "123456789012"
    regions: [us-east-1, eu-west-1]
functions:
  - arn: arn:aws:lambda:us-east-1:123456789012:function:orders-refund
    qualifiers: [live, "7"]
    effect: destructive
"""
"""Eight lines that the tests change, or add a ninth to."""

REFUND_SCHEMA = {"type": "object", "required": ["orderId"]}


def edited(old: str, new: str) -> str:
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "manifest.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refusal(path: Path) -> list[str]:
    """The problems of a manifest, with FILE for its path."""
    with pytest.raises(ManifestError) as caught:
        load_manifests([path])
    problems = caught.value.problems
    assert str(caught.value) == "\n".join(problems)
    return [problem.replace(str(path), "FILE") for problem in problems]


def problem_of(path: Path) -> str:
    """The one problem of a manifest, which is told in one line."""
    (problem,) = refusal(path)
    assert "\n" not in problem
    return problem


# What is read


def test_a_manifest_becomes_rules_that_know_their_lines(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas/refund.json").write_text(json.dumps(REFUND_SCHEMA))
    path = written(
        tmp_path,
        GOOD
        + """\
    payload: {schema: schemas/refund.json, max_bytes: 1024}
    examples: [{orderId: A-1}]

  # A family of functions.
  - qualifiers: [$LATEST]
    arn: arn:aws:lambda:eu-west-1:123456789012:function:report-*
    payload:
      schema: {type: integer}
""",
    )
    loaded = load_manifests([path])
    assert loaded.files == (path, tmp_path / "schemas/refund.json")
    assert [target.regions for target in loaded.rules.targets] == [["us-east-1", "eu-west-1"]]
    refund, reports = loaded.rules.all
    assert (refund.source, reports.source) == (f"{path}:6", f"{path}:13")
    assert (refund.spec.qualifiers, refund.spec.effect) == (["live", "7"], "destructive")
    assert refund.spec.payload.max_bytes == 1024
    assert refund.spec.examples == [{"orderId": "A-1"}]
    assert refund.schema is not None
    assert refund.schema.schema == REFUND_SCHEMA
    assert reports.schema is not None
    assert reports.schema.schema == {"type": "integer"}
    assert loaded.rules.for_function(ref("report-daily", region="eu-west-1")) == [reports]


@pytest.mark.parametrize("text", [GOOD.replace("\n", "\r\n"), "\ufeff" + GOOD], ids=["CRLF", "byte order mark"])
def test_lines_are_counted_whatever_editor_wrote_them(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)
    assert [rule.source for rule in load_manifests([path]).rules.all] == [f"{path}:6"]


def test_values_keep_the_types_that_yaml_gives_them(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD + '    examples: [1, 1.5, true, null, "1", text, {a: [yes]}]\n')
    (rule,) = load_manifests([path]).rules.all
    assert repr(rule.spec.examples) == "[1, 1.5, True, None, '1', 'text', {'a': [True]}]"


def test_a_schema_path_may_wander_as_long_as_it_ends_below_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "refund.json").write_text(json.dumps(REFUND_SCHEMA))
    path = written(tmp_path, GOOD + f"    payload: {{schema: ../{tmp_path.name}/./refund.json}}\n")
    (rule,) = load_manifests([path]).rules.all
    assert rule.schema is not None
    assert rule.schema.schema == REFUND_SCHEMA


def test_the_schema_is_found_from_the_manifest_and_not_from_where_the_server_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "refund.json").write_text(json.dumps(REFUND_SCHEMA))
    written(tmp_path, GOOD + "    payload: {schema: refund.json}\n")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load_manifests([Path("../manifest.yaml")]).rules.all[0].schema is not None


# Files that are no manifest


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    problem = problem_of(tmp_path / "manifest.yaml")
    assert problem == "FILE: No such file or directory. Expected a manifest that can be read."


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "link to a pipe"])
def test_what_is_no_regular_file_is_refused_and_not_waited_for(kind: str, tmp_path: Path) -> None:
    path, schema = tmp_path / "manifest.yaml", tmp_path / "schema.json"
    for each in (path, schema):
        match kind:
            case "pipe":
                os.mkfifo(each)
            case "socket":
                with socket.socket(socket.AF_UNIX) as listening:
                    listening.bind(os.path.relpath(each))
            case "device":
                each.symlink_to("/dev/zero")
            case _:
                os.mkfifo(tmp_path / f"{each.name}.pipe")
                each.symlink_to(tmp_path / f"{each.name}.pipe")
    expected = "No such device or address" if kind == "socket" else "Not a regular file"
    assert problem_of(path) == f"FILE: {expected}. Expected a manifest that can be read."
    path.unlink()
    if kind == "device":
        return  # it leads out of the folder
    assert f"'schema.json' can't be read: {expected}. Expected" in problem_of(
        written(tmp_path, GOOD + "    payload: {schema: schema.json}\n")
    )


def test_a_folder_without_manifests_is_refused(tmp_path: Path) -> None:
    assert problem_of(tmp_path) == "FILE: holds no manifest. Expected .yaml or .yml files in the folder."


# Several files


def test_the_manifests_of_a_folder_add_up(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    (tmp_path / "more.YML").write_text(
        edited("orders-refund", "orders-lookup") + "deny: [{arn: 'arn:aws:lambda:*:*:function:*-payroll'}]\n"
    )
    (tmp_path / "notes.txt").write_text("not: a manifest")
    loaded = load_manifests([tmp_path])
    assert [rule.arn.name for rule in loaded.rules.all] == ["orders-refund", "orders-lookup"]
    assert [rule.source for rule in loaded.rules.all] == [f"{tmp_path}/manifest.yaml:6", f"{tmp_path}/more.YML:6"]
    assert [deny.source for deny in loaded.rules.denies] == [f"{tmp_path}/more.YML:9"]
    assert len(loaded.rules.targets) == 1, "the same target in two files is one"


@pytest.mark.parametrize(
    ("second", "problem"),
    [
        (GOOD, "already allowed 7, live by the rule at FILE/a.yaml:6"),
        (
            GOOD.replace("eu-west-1]", "eu-west-1]\n    profile: other").replace("refund", "x"),
            "already a target at FILE/a.yaml:3",
        ),
        ("version: 1\nprincipals: {ops: {}}\n", "is already described at FILE/a.yaml:9"),
    ],
    ids=["a rule", "a target", "a principal"],
)
def test_what_two_files_say_of_one_thing_is_refused(tmp_path: Path, second: str, problem: str) -> None:
    (tmp_path / "a.yaml").write_text(GOOD + "principals: {ops: {limits: {per_day: 5}}}\n")
    (tmp_path / "b.yaml").write_text(second)
    assert problem in "\n".join(refusal(tmp_path))


def test_the_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(edited("version: 1", "version: 2"))
    (tmp_path / "b.yaml").write_text(edited("effect: destructive", "effect: harmless"))
    first, second = refusal(tmp_path)
    assert first.startswith("FILE/a.yaml:1: version: ")
    assert second.startswith("FILE/b.yaml:8: functions[0].effect: ")


@pytest.mark.parametrize("key", ["targets", "functions"])
def test_manifests_that_allow_nothing_are_refused(tmp_path: Path, key: str) -> None:
    document = yaml.safe_load(GOOD)
    del document[key]
    if key == "targets":
        document["functions"] = []
    assert f"{key}: is missing" in refusal(written(tmp_path, yaml.safe_dump(document)))[0]


def test_a_file_that_is_not_utf8_is_refused_with_the_place_of_the_byte(tmp_path: Path) -> None:
    problem = problem_of(written(tmp_path, b"version: 1\n# \xff"))
    assert problem == "FILE: is not UTF-8 (byte 13). Expected YAML in UTF-8."


def test_a_file_over_the_limit_is_refused_unread(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD + "#" * (SIZE_LIMIT - len(GOOD)))
    assert len(load_manifests([path]).rules.all) == 1
    with path.open("ab") as file:
        file.write(b"#")
    assert problem_of(path) == "FILE: is over 8,388,608 bytes. Expected a manifest."


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing yet\n"], ids=["no bytes", "blank", "comment"])
def test_an_empty_manifest_is_refused_with_what_belongs_in_it(tmp_path: Path, text: str) -> None:
    problem = problem_of(written(tmp_path, text))
    assert problem == "FILE:1: the manifest is empty. Expected version, targets and functions."


@pytest.mark.parametrize(
    "text", ["just text\n", "- version: 1\n", "null\n", "7\n"], ids=["text", "list", "null", "number"]
)
def test_a_document_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    assert problem_of(written(tmp_path, text)).startswith("FILE:1: manifest: ")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (GOOD + "  - {arn: x\n", 10),
        (edited("targets:\n", "\ttargets:\n"), 2),
        (edited('[live, "7"]', '[live, "7'), 9),
        (edited("    effect", "   effect"), 8),
        (GOOD + "---\nversion: 1\n", 9),
        (edited("effect: destructive", "effect: *destructive"), 8),
    ],
    ids=["bracket left open", "tab", "quote left open", "indentation", "second document", "alias of nothing"],
)
def test_what_is_not_yaml_is_refused_at_its_line(tmp_path: Path, text: str, line: int) -> None:
    assert problem_of(written(tmp_path, text)).startswith(f"FILE:{line}: is not YAML: ")


@pytest.mark.parametrize("written_so", ["\ttargets:\n", "targets:\n\t"], ids=["before a key", "before an entry"])
def test_a_tab_is_said_to_be_one(tmp_path: Path, written_so: str) -> None:
    assert "Expected spaces: here is a tab." in problem_of(written(tmp_path, edited("targets:\n", written_so)))


def test_a_control_character_is_not_yaml(tmp_path: Path) -> None:
    assert "is not YAML" in refusal(written(tmp_path, GOOD + "# \x01\n"))[0]


@pytest.mark.parametrize("depth", [100, 700, 100_000])
def test_a_manifest_nested_beyond_all_reason_is_refused(tmp_path: Path, depth: int) -> None:
    problem = problem_of(written(tmp_path, GOOD + f"    examples: {'[' * depth}{']' * depth}\n"))
    assert "nested too deeply" in problem or "maximum nesting depth" in problem  # ours, or the parser's own
    load_manifests([written(tmp_path, GOOD + f"    examples: {'[' * 90}{']' * 90}\n")])


# YAML that says less or more than it seems to

NOT_PLAIN: dict[str, tuple[str, str, str]] = {
    "date": (GOOD + "    description: 2026-11-01\n", "FILE:9: functions[0].description: ", "is read as timestamp"),
    "date in an example": (
        GOOD + "    examples:\n      - id: 1\n        day: 2026-11-01 10:00:00\n",
        "FILE:11: functions[0].examples[0].day: ",
        "is read as timestamp",
    ),
    "Python name": (
        GOOD + "    description: !!python/name:os.system x\n",
        "FILE:9: functions[0].description: ",
        "is read as os.system",
    ),
    "tag of one's own": (GOOD + "    description: !secret x\n", "FILE:9: functions[0].description: ", "is read as"),
    "binary": (GOOD + "    description: !!binary aGk=\n", "FILE:9: functions[0].description: ", "is read as binary"),
    "merge key": (GOOD + "    <<: {description: x}\n", "FILE:9: functions[0]", "is read as merge"),
    "number as a key": (
        GOOD + "    payload:\n      schema: {properties: {1: {}}}\n",
        "FILE:10: functions[0].payload.schema.properties: ",
        "the key 1 is not text. Expected quotes",
    ),
    "word for true as a key": (
        GOOD + "    payload:\n      schema: {properties: {on: {}}}\n",
        "FILE:10: functions[0].payload.schema.properties: ",
        "the key True is not text. Expected quotes",
    ),
    "list as a key": (GOOD + "? [a]\n: 1\n", "FILE:9: manifest: ", "is not text. Expected quotes"),
    "key twice": (GOOD + "    effect: read\n", "FILE:9: functions[0].effect: ", "stands here twice. Expected it once"),
    "key twice at the top": (GOOD + "version: 1\n", "FILE:9: version: ", "stands here twice. Expected it once"),
    "key twice in an example": (
        GOOD + "    examples: [{a: 1, b: 2, a: 1}]\n",
        "FILE:9: functions[0].examples[0].a: ",
        "stands here twice. Expected it once",
    ),
    "key twice, once in quotes": (
        GOOD + '    "effect": read\n',
        "FILE:9: functions[0].effect: ",
        "stands here twice. Expected it once",
    ),
}


@pytest.mark.parametrize(("text", "place", "problem"), NOT_PLAIN.values(), ids=NOT_PLAIN.keys())
def test_yaml_that_is_not_plain_is_refused_at_its_place(tmp_path: Path, text: str, place: str, problem: str) -> None:
    found = problem_of(written(tmp_path, text))
    assert found.startswith(place)
    assert problem in found


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (
            edited("[us-east-1, eu-west-1]", "&both [us-east-1, eu-west-1]").replace(
                "functions:", '  - {account: "210987654321", regions: *both}\nfunctions:'
            ),
            "targets[1].regions",
        ),
        (edited("effect: destructive", "description: &text x\n    effect: *text"), "functions[0].effect"),
        (GOOD + "    examples: [&same {a: 1}, *same]\n", "functions[0].examples[1]"),
        (GOOD + "    examples: [&loop [*loop]]\n", "functions[0].examples[0][0]"),
    ],
    ids=["list", "text", "mapping", "itself"],
)
def test_an_anchor_that_is_used_again_is_refused_at_the_key_that_uses_it(tmp_path: Path, text: str, key: str) -> None:
    assert f" {key}: an anchor is used again. Expected it to be written out." in problem_of(written(tmp_path, text))


def test_a_billion_laughs_stay_one(tmp_path: Path) -> None:
    lines = ["a0: &a0 [ha]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 20))]
    assert "an anchor is used again" in problem_of(written(tmp_path, "\n".join(lines)))


# Keys and values

WRONG: dict[str, tuple[str, str, str]] = {
    "unknown key": (
        GOOD + "limit: {}\n",
        "FILE:9: limit: ",
        "unknown key 'limit'. Expected one of: version, targets, defaults, functions, deny, principals, redaction.",
    ),
    "unknown key of a target": (
        edited("functions:", "    role: x\nfunctions:"),
        "FILE:5: targets[0].role: ",
        "unknown key 'role'. Expected one of: account, regions, profile, role_arn, external_id, role_session_name, "
        "source_identity, session_tags, endpoint_url, concurrency, logs_endpoint_url.",
    ),
    "unknown key of a function": (
        GOOD + "    approve: always\n",
        "FILE:9: functions[0].approve: ",
        "unknown key 'approve'. Expected one of: arn, select, qualifiers, invocation_types, effect, approval, "
        "principals, scopes, clients, limits, stop_after_failures, result, logs, timeout_seconds, max_attempts, "
        "expect_version, tenants, payload, invoke_mode, description, examples, expose.",
    ),
    "neither arn nor select": (
        GOOD + "  - qualifiers: [live]\n",
        "FILE:9: functions[1]: ",
        "arn is missing. Expected `arn`, or `select` instead.",
    ),
    "arn and select": (
        GOOD + "    select: {accounts: ['123456789012'], regions: [us-east-1], prefix: f}\n",
        "FILE:6: functions[0]: ",
        "has arn and select. Expected one of them.",
    ),
    "a selector's unknown key": (
        GOOD + "  - select: {account: '123456789012', accounts: ['123456789012'], regions: [us-east-1], prefix: f}\n",
        "FILE:9: functions[1].select.account: ",
        "unknown key 'account'. Expected one of: accounts, regions, prefix, names, tags.",
    ),
    "unknown key of the defaults": (
        GOOD + "defaults:\n  arn: x\n",
        "FILE:10: defaults.arn: ",
        "unknown key 'arn'. Expected one of: invocation_types, effect, approval, principals, scopes, clients, limits, ",
    ),
    "unknown key of a payload": (
        GOOD + "    payload:\n      max_bytes: 1\n      maximum: 1\n",
        "FILE:11: functions[0].payload.maximum: ",
        "unknown key 'maximum'. Expected one of: schema, max_bytes.",
    ),
    "no key of an approval": (
        GOOD + "    approval: {when: 1}\n",
        "FILE:9: functions[0].approval.when: ",
        "unknown key 'when'. Expected one of: by, expires, approvers, count, not_requester.",
    ),
    "no duration": (
        GOOD + "    approval: {expires: 15 min}\n",
        "FILE:9: functions[0].approval.expires: ",
        "is no duration. Expected seconds, or as 90s, 15m or 2h, not '15 min'.",
    ),
    "too long a duration": (
        GOOD + "    approval: {expires: 25h}\n",
        "FILE:9: functions[0].approval.expires: ",
        "Input should be less than or equal to 86400",
    ),
    "an approval that is none": (
        GOOD + "    approval: often\n",
        "FILE:9: functions[0].approval: ",
        "Input should be 'always' or 'never', not 'often'.",
    ),
    "an approver who is no person": (
        GOOD + "    approval: {approvers: [sre]}\n",
        "FILE:9: functions[0].approval.approvers[0]: ",
        "'sre' is no person. Expected group:NAME or user:SUBJECT",
    ),
    "nobody approves": (
        GOOD + "    approval: {approvers: []}\n",
        "FILE:9: functions[0].approval.approvers: ",
        "at least 1 item",
    ),
    "count without approvers": (
        GOOD + "    approval: {count: 2}\n",
        "FILE:9: functions[0].approval: ",
        "count is for approvers. Expected `approvers` beside it.",
    ),
    "more approvals than people": (
        GOOD + '    approval: {approvers: ["user:a", "user:b"], count: 3}\n',
        "FILE:9: functions[0].approval: ",
        "count: 3 can't be reached by 2 approvers.",
    ),
    "approvers through the client": (
        GOOD + '    approval: {by: client, approvers: ["user:a"]}\n',
        "FILE:9: functions[0].approval: ",
        "approvers is for requests out of band. Expected it without `by: client`.",
    ),
    "unknown key of a result": (
        GOOD + "    result: {hide: []}\n",
        "FILE:9: functions[0].result.hide: ",
        "unknown key 'hide'. Expected one of: max_bytes, redact.",
    ),
    "version as text": (edited("version: 1", 'version: "1"'), "FILE:1: version: ", "1, not '1'"),
    "another version": (edited("version: 1", "version: 2"), "FILE:1: version: ", "1, not 2"),
    "account without quotes": (
        edited('"123456789012"', "123456789012"),
        "FILE:3: targets[0].account: ",
        "123456789012 is read as int. Expected text: put it in quotes",
    ),
    "account that YAML reads as octal": (
        edited('"123456789012"', "012345670123"),
        "FILE:3: targets[0].account: ",
        "1402433619 is read as int. Expected text: put it in quotes",
    ),
    "account of 11 digits": (edited('"123456789012"', '"12345678901"'), "FILE:3: targets[0].account: ", "12 digits"),
    "unknown region": (
        edited("[us-east-1, eu-west-1]", "[us-east-1, eu-west]"),
        "FILE:4: targets[0].regions[1]: ",
        "unknown region 'eu-west'. Expected an AWS region such as us-east-1",
    ),
    "region twice": (
        edited("[us-east-1, eu-west-1]", "[us-east-1, us-east-1]"),
        "FILE:4: targets[0].regions: ",
        "us-east-1 listed twice",
    ),
    "qualifier without quotes": (
        edited('"7"', "7"),
        "FILE:7: functions[0].qualifiers[1]: ",
        "read as int. Expected text: put it in quotes",
    ),
    "qualifier without quotes on a line of its own": (
        edited('[live, "7"]', "\n      - live\n      - 7"),
        "FILE:9: functions[0].qualifiers[1]: ",
        "read as int. Expected text: put it in quotes",
    ),
    "qualifier twice": (
        edited('[live, "7"]', "[live, live]"),
        "FILE:7: functions[0].qualifiers: ",
        "live listed twice",
    ),
    "qualifier with a leading zero": (
        edited('"7"', '"07"'),
        "FILE:7: functions[0].qualifiers[1]: ",
        "without leading zeros",
    ),
    "wildcard qualifier": (edited('"7"', '"*"'), "FILE:7: functions[0].qualifiers[1]: ", "an alias (live), a version"),
    "no qualifiers": (edited('[live, "7"]', "[]"), "FILE:7: functions[0].qualifiers: ", "at least 1"),
    "qualifiers missing": (edited('    qualifiers: [live, "7"]\n', ""), "FILE:6: functions[0].qualifiers: ", "missing"),
    "functions missing": (GOOD.partition("functions:")[0], "FILE:1: functions: ", "is missing"),
    "pattern for every function": (
        edited("orders-refund", "*"),
        "FILE:6: functions[0].arn: ",
        "the pattern would allow every function. Expected a pattern with a fixed part",
    ),
    "qualifier in the ARN": (
        edited("orders-refund", "orders-refund:live"),
        "FILE:6: functions[0].arn: ",
        "has a qualifier. Expected ",
    ),
    "unknown effect": (edited("destructive", "deletes"), "FILE:8: functions[0].effect: ", "not 'deletes'"),
    "effect that YAML reads as false": (edited("destructive", "no"), "FILE:8: functions[0].effect: ", "not False"),
    "timeout over 91 minutes": (GOOD + "    timeout_seconds: 5461\n", "FILE:9: functions[0].timeout_seconds: ", "5460"),
    "account without target": (
        edited("us-east-1:123456789012", "us-east-1:210987654321"),
        "FILE:6: functions[0].arn: ",
        "no target reaches account 210987654321 in us-east-1. Expected it under `targets`.",
    ),
    "region without target": (
        edited("lambda:us-east-1", "lambda:us-west-2"),
        "FILE:6: functions[0].arn: ",
        "no target reaches account 123456789012 in us-west-2. Expected it under `targets`.",
    ),
    "target twice": (
        edited("functions:", '  - account: "123456789012"\n    regions: [us-west-2, us-east-1]\nfunctions:'),
        "FILE:5: targets[1]: ",
        "account 123456789012 in us-east-1 is already a target at FILE:3. Expected one target each.",
    ),
    "invalid schema": (
        GOOD + "    payload:\n      schema:\n        type: objekt\n",
        "FILE:11: functions[0].payload.schema.type: ",
        "not a valid JSON Schema at $.type",
    ),
    "pattern that no linear engine matches": (
        GOOD + "    payload:\n      schema:\n        properties:\n          id:\n            pattern: ^(?!x)\n",
        "FILE:13: functions[0].payload.schema.properties.id.pattern: ",
        "look-around",
    ),
    "schema of another dialect": (
        GOOD + '    payload:\n      schema: {$schema: "http://json-schema.org/draft-07/schema#"}\n',
        "FILE:10: functions[0].payload.schema: ",
        "only https://json-schema.org/draft/2020-12/schema is read",
    ),
    "example that does not fit": (
        GOOD + "    payload: {schema: {required: [id]}}\n    examples:\n      - {id: 1}\n      - {orderId: 1}\n",
        "FILE:12: functions[0].examples[1]: ",
        'does not fit the rule\'s own schema: $: "id" is a required property',
    ),
}


@pytest.mark.parametrize(("text", "place", "problem"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_key_or_value_is_refused_at_its_place(tmp_path: Path, text: str, place: str, problem: str) -> None:
    found = problem_of(written(tmp_path, text))
    assert found.startswith(place)
    assert problem in found


ANOTHER_RULE = """\
  - arn: arn:aws:lambda:us-east-1:123456789012:function:orders-refund
    qualifiers: [beta, "7"]
"""


def test_two_rules_for_one_function_and_qualifier_are_refused_with_both_lines(tmp_path: Path) -> None:
    problem = problem_of(written(tmp_path, GOOD + ANOTHER_RULE))
    assert problem.startswith(f"FILE:9: functions: {function_arn()} is already allowed 7 by the rule at FILE:6. ")
    assert problem.endswith("Expected one rule for a function and qualifier.")


def test_two_rules_for_one_function_and_different_qualifiers_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD + ANOTHER_RULE.replace('"7"', '"8"'))
    assert [rule.source for rule in load_manifests([path]).rules.all] == [f"{path}:6", f"{path}:9"]


def test_several_problems_of_form_are_told_at_once(tmp_path: Path) -> None:
    text = edited('"7"', "7").replace("destructive", "deletes").replace('"123456789012"', "123456789012")
    found = refusal(written(tmp_path, text + "    retries: 3\n"))
    assert [problem.rpartition(": ")[0].partition(": ")[0] for problem in found] == [
        "FILE:3",
        "FILE:7",
        "FILE:8",
        "FILE:9",
    ]


def test_several_problems_of_meaning_are_told_at_once(tmp_path: Path) -> None:
    text = edited("lambda:us-east-1", "lambda:us-west-2") + "    payload: {schema: nowhere.json}\n"
    text += """\
  - arn: arn:aws:lambda:us-east-1:123456789012:function:report-*
    qualifiers: [live]
    payload: {schema: {type: integer}}
    examples: [1, text, 2, {}]
"""
    found = refusal(written(tmp_path, text))
    assert [problem.split(": ")[:2] for problem in found] == [
        ["FILE:6", "functions[0].arn"],
        ["FILE:9", "functions[0].payload.schema"],
        ["FILE:13", "functions[1].examples[1]"],
        ["FILE:13", "functions[1].examples[3]"],
    ]


# Schema files


def schema_problem(folder: Path, name: str) -> str:
    found = problem_of(written(folder, GOOD + f"    payload:\n      schema: {json.dumps(name)}\n"))
    place = "FILE:10: functions[0].payload.schema: "
    assert found.startswith(place)
    return found.removeprefix(place)


def test_a_missing_schema_file_is_named(tmp_path: Path) -> None:
    problem = schema_problem(tmp_path, "nowhere.json")
    assert problem == "'nowhere.json' can't be read: No such file or directory. Expected a JSON Schema file."


def test_a_folder_is_no_schema_file(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    assert schema_problem(tmp_path, "schemas").startswith("'schemas' can't be read: Is a directory.")


@pytest.mark.parametrize("way", ["up", "absolute", "down and up", "link", "neighbour with the same beginning"])
def test_a_schema_file_outside_the_manifests_folder_is_not_read(tmp_path: Path, way: str) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "inside-too"
    inside.mkdir()
    outside.mkdir()
    (outside / "schema.json").write_text("{}")
    (inside / "link.json").symlink_to(outside / "schema.json")
    name = {
        "up": "../inside-too/schema.json",
        "absolute": str(outside / "schema.json"),
        "down and up": "a/../../inside-too/schema.json",
        "link": "link.json",
        "neighbour with the same beginning": f"{inside}-too/schema.json",
    }[way]
    assert schema_problem(inside, name) == (f"{name!r} leads out of the manifest's folder. Expected a file below it.")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{", "is not JSON: "),
        (b"", "is not JSON: "),
        (b"type: object\n", "is not JSON: "),
        (b'{"title": "\xff"}', "is not JSON: "),
        (b'{"type": "object", "type": "string"}', "is not JSON: an object has a key twice"),
        (b'{"maximum": NaN}', "is not JSON: NaN is not JSON"),
        (b"[]", "holds no JSON object. Expected a JSON Schema"),
        (b"true", "holds no JSON object. Expected a JSON Schema"),
    ],
    ids=["cut off", "empty", "YAML", "not UTF-8", "key twice", "NaN", "array", "true"],
)
def test_a_schema_file_that_holds_no_json_object_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "schema.json").write_bytes(content)
    assert schema_problem(tmp_path, "schema.json").startswith(f"'schema.json' {problem}")


def test_a_schema_file_that_holds_no_schema_is_refused_with_the_place_of_its_problem(tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text('{"properties": {"amount": {"minimum": "0"}}}')
    assert "not a valid JSON Schema at $.properties.amount.minimum: " in schema_problem(tmp_path, "schema.json")


def test_an_example_is_held_against_a_schema_file_too(tmp_path: Path) -> None:
    (tmp_path / "refund.json").write_text(json.dumps(REFUND_SCHEMA))
    text = GOOD + "    payload: {schema: refund.json}\n    examples:\n      - {id: 1}\n"
    found = problem_of(written(tmp_path, text))
    assert found.startswith('FILE:11: functions[0].examples[0]: does not fit the rule\'s own schema: $: "orderId"')


# The schema for editors


def test_the_schema_for_editors_accepts_what_is_read() -> None:
    schema = manifest_json_schema()
    Draft202012Validator.check_schema(schema)
    text = GOOD + "    payload: {schema: {type: object}, max_bytes: 1}\n    result: {max_bytes: 256}\n"
    assert list(Draft202012Validator(schema).iter_errors(yaml.safe_load(text))) == []


@pytest.mark.parametrize("name", [name for name in WRONG if name.startswith("unknown key")])
def test_the_schema_for_editors_marks_unknown_keys(name: str) -> None:
    text, _, _ = WRONG[name]
    (error,) = Draft202012Validator(manifest_json_schema()).iter_errors(yaml.safe_load(text))
    assert error.validator == "additionalProperties"


# What YAML may hold that Python can't make anything of


@pytest.mark.parametrize(
    "scalar", ["0x_", "0b_", "9" * 5000, '!!int "abc"', '!!float "abc"', '!!bool "abc"'], ids=lambda text: text[:12]
)
def test_a_scalar_that_can_not_be_read_is_refused_at_its_line(tmp_path: Path, scalar: str) -> None:
    problem = problem_of(written(tmp_path, GOOD + f"    timeout_seconds: {scalar}\n"))
    assert problem.startswith("FILE:9: functions[0].timeout_seconds: ")
    assert "can't be read as" in problem


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ('examples: !!python/object/apply:os.system ["x"]', "os.system"),
        ("payload: !foo {}", "foo"),
        ("examples: [!!set {a}]", "set"),
    ],
)
def test_a_tag_on_a_list_or_a_mapping_is_refused(tmp_path: Path, line: str, kind: str) -> None:
    problem = problem_of(written(tmp_path, GOOD + f"    {line}\n"))
    assert problem.startswith("FILE:9: functions[0].")
    assert kind in problem


def test_an_anchor_used_again_is_refused_where_it_is_used_again(tmp_path: Path) -> None:
    text = edited("[us-east-1, eu-west-1]", "&all [us-east-1]") + "  # again\n    examples: *all\n"
    assert problem_of(written(tmp_path, text)).startswith("FILE:10: functions[0].examples: an anchor is used again")


def test_a_schema_path_that_is_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop.json").symlink_to("loop.json")
    problem = problem_of(written(tmp_path, GOOD + "    payload: {schema: loop.json}\n"))
    assert problem.startswith("FILE:9: functions[0].payload.schema: 'loop.json' can't be read")


def test_a_schema_that_is_no_schema_is_one_problem_with_its_key(tmp_path: Path) -> None:
    problem = problem_of(written(tmp_path, GOOD + "    payload: {schema: 5}\n"))
    assert problem.startswith("FILE:9: functions[0].payload.schema: is no schema")


def test_a_key_by_its_name_in_python_is_unknown(tmp_path: Path) -> None:
    assert "unknown key 'schema_'" in problem_of(written(tmp_path, GOOD + "    payload: {schema_: x.json}\n"))


def test_patterns_that_a_function_could_both_fit_are_refused_with_such_a_function(tmp_path: Path) -> None:
    text = (
        edited("orders-refund", "orders-*")
        + "  - {arn: 'arn:aws:lambda:us-east-1:123456789012:function:*-refund', qualifiers: [live]}\n"
    )
    problem = problem_of(written(tmp_path, text))
    assert problem.startswith("FILE:9: functions: ")
    assert "both allow live of orders--refund" in problem or "both allow live of orders-refund" in problem


@pytest.mark.parametrize(
    ("old", "new", "written_out"),
    [
        ('[live, "7"]', "live", "[live]"),
        ('[live, "7"]', '"7"', '["7"]'),
        ("[us-east-1, eu-west-1]", "us-east-1", "[us-east-1]"),
    ],
)
def test_one_value_where_a_list_belongs_is_refused_with_what_to_write(
    old: str, new: str, written_out: str, tmp_path: Path
) -> None:
    assert problem_of(written(tmp_path, edited(old, new))).endswith(f"Expected a list: write {written_out}.")


@pytest.mark.parametrize(("name", "warned"), [("latest", 1), ("LATEST", 1), ("latest-1", 0), ("$LATEST", 0)])
def test_an_alias_that_only_sounds_like_the_code_deployed_last_is_warned_about(
    name: str, warned: int, tmp_path: Path
) -> None:
    loaded = load_manifests([written(tmp_path, edited("[live,", f'["{name}",'))])

    assert len(list(loaded.warnings())) == warned
    assert all("write $LATEST" in warning and ":6:" in warning for warning in loaded.warnings())


def test_what_a_folder_holds_and_is_not_read_is_warned_about(tmp_path: Path) -> None:
    for folder in ("schemas/deep", "more", ".git"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "schemas/deep/refund.json").write_text("{}")
    written(tmp_path, GOOD + "    payload: {schema: ./schemas/deep/../deep/refund.json}\n")
    (tmp_path / "notes.txt").touch()
    assert list(load_manifests([tmp_path]).warnings()) == [
        f"not read: '{tmp_path}/more'. Expected .yaml or .yml files directly in the folder, or a --manifest for each."
    ]
    for name in range(6):
        (tmp_path / f"{name}.JSON").write_text("{}")
    (warning,) = load_manifests([tmp_path]).warnings()
    assert f"not read: '{tmp_path}/0.JSON', '" in warning
    assert "/4.JSON' and 2 more. Expected" in warning
    assert list(load_manifests([tmp_path / "manifest.yaml"]).warnings()) == [], "nobody named the folder"


# What is redacted besides what always is

REDACTION = """\
redaction:
  detectors:
    - {kind: acme-key, prefix: acme_, alphabet: A-Za-z0-9, length: [20, 40], entropy: 2.5}
    - {kind: acme-id, prefix: "AC-", alphabet: 0-9, length: 12, entropy: 0}
  names: [customer number]
  allow: [orderToken, hunter2]
"""


def test_files_add_to_what_is_redacted(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD + REDACTION)
    (tmp_path / "b.yaml").write_text(
        "version: 1\nredaction: {names: [Kundennummer, tax id, address, entry], allow: [pageKey]}\n"
    )
    detectors = load_manifests([tmp_path]).rules.detectors

    def shown(text: str) -> str:
        return redact_text(text, detectors=detectors).text

    body = "a1B2c3D4e5" * 3
    assert shown(f"got acme_{body}.") == "got [redacted:acme-key]."
    assert shown(f"xacme_{body} acme_{body[:19]} acme_{body * 2}") == f"xacme_{body} acme_{body[:19]} acme_{body * 2}"
    assert shown("id AC-012345678901, AC-0123456789012") == "id [redacted:acme-id], AC-0123456789012"
    assert shown("customerNumber=77") == "customerNumber=[redacted:secret]"
    assert shown("CUSTOMER_NUMBER: A7") == "CUSTOMER_NUMBER: [redacted:secret]"
    assert shown('{"kundennummer": "A7"}') == '{"kundennummer": "[redacted:secret]"}'
    assert shown("news: A7") == "news: A7"
    for plural in ("customerNumbers", "KUNDENNUMMERS", "tax_ids", "addresses", "entries"):
        assert shown(f"{plural}: A7") == f"{plural}: [redacted:secret]"
        assert redact_value({plural: ["A7"]}, detectors=detectors).value == {plural: ["[redacted:secret]"]}
    assert shown("orderToken=zQ7xK9 myOrderToken=zQ7xK9") == "orderToken=zQ7xK9 myOrderToken=[redacted:token]"
    assert shown("use orderToken=zQ7xK9 or my orderToken: zQ7xK9") == "use orderToken=zQ7xK9 or my orderToken: zQ7xK9"
    assert shown("password=hunter2 password=hunter3") == "password=hunter2 password=[redacted:password]"
    value: dict[str, JsonValue] = {"customer_number": "A7", "orderToken": "x", "token": "hunter2", "secret": "y"}
    assert redact_value(value, detectors=detectors).value == {
        **value,
        "customer_number": "[redacted:secret]",
        "secret": "[redacted:secret]",
    }
    assert redact_text(f"acme_{body} customerNumber=77").count == 0


def test_without_more_what_always_is_redacted_is(tmp_path: Path) -> None:
    assert load_manifests([written(tmp_path, GOOD)]).rules.detectors == BUILT_IN


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("  detectors: [{kind: Acme, prefix: acme_, length: 20}]", "kind"),
        ("  detectors: [{kind: acme, prefix: a, length: 20}]", "prefix"),
        ('  detectors: [{kind: acme, prefix: "a b", length: 20}]', "prefix"),
        ("  detectors: [{kind: acme, prefix: acme_, length: 7}]", "length"),
        ("  detectors: [{kind: acme, prefix: acme_, length: [40, 20]}]", "length"),
        ("  detectors: [{kind: acme, prefix: acme_, length: [20]}]", "length"),
        ("  detectors: [{kind: acme, prefix: acme_}]", "length"),
        ('  detectors: [{kind: acme, prefix: acme_, length: 20, alphabet: "]x["}]', "alphabet"),
        ('  detectors: [{kind: acme, prefix: acme_, length: 20, alphabet: "z-a"}]', "alphabet"),
        ("  detectors: [{kind: acme, prefix: acme_, length: 20, entropy: 9}]", "entropy"),
        ("  detectors: [{kind: acme, prefix: acme_, length: 20, regex: x}]", "regex"),
        ("  names: ['77']", "names"),
        ("  names: [x]", "names"),
        ("  allow: ['']", "allow"),
        ("  forms: []", "forms"),
    ],
)
def test_a_detector_that_can_not_be_is_refused_at_its_line(tmp_path: Path, line: str, key: str) -> None:
    problems = refusal(written(tmp_path, f"{GOOD}redaction:\n{line}\n"))

    assert all(problem.startswith("FILE:10: redaction.") for problem in problems), problems
    assert key in problems[0]


@pytest.mark.parametrize("functions", ["", " []", "\n  # - arn: of a rule that is commented out"])
def test_a_manifest_whose_rules_are_all_commented_out_allows_nothing_and_says_so(
    functions: str, tmp_path: Path
) -> None:
    path = tmp_path / "manifest.yaml"
    path.write_text(GOOD.partition("functions:")[0] + f"functions:{functions}\n")
    loaded = load_manifests([path])
    assert loaded.rules.all == ()
    assert list(loaded.warnings()) == [
        f"{path}: functions: allows nothing yet. Expected a rule that is not commented out."
    ]
