"""What is proposed for a function: it can always be read, and is never more than a person chose."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.drafting.effect import guess_effect
from lambda_warden.drafting.rules import manifest_text, rule_lines
from lambda_warden.model.found_function import FoundFunction
from lambda_warden.model.manifest import Manifest
from lambda_warden.model.target import Target
from support.builders import ACCOUNT, REGION, function_arn

names = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
aliases = st.none() | st.lists(st.from_regex(r"[a-z][a-z0-9_-]{0,20}", fullmatch=True), unique=True).map(tuple)
actions = st.sampled_from(
    ["*", "s3:GetObject", "s3:*", "s3:PutObject", "logs:PutLogEvents", "dynamodb:Query", "s3:Get*"]
)
policies = st.none() | st.lists(
    st.fixed_dictionaries(
        {"Statement": st.lists(st.fixed_dictionaries({"Effect": st.just("Allow"), "Action": actions}))}
    )
).map(tuple)
functions = st.builds(
    FoundFunction, names.map(function_arn), st.none() | st.text(max_size=600), aliases, st.none(), policies
)


@given(st.lists(st.tuples(functions, st.booleans()), unique_by=lambda each: each[0].arn))
def test_a_manifest_of_proposals_can_be_read_and_allows_what_was_chosen(
    drawn: list[tuple[FoundFunction, bool]],
) -> None:
    lines = [
        line
        for function, allowed in drawn
        for line in rule_lines(function, allowed=allowed, schema=f"schemas/{function.name}.json", profile="o'ps")
    ]
    text = manifest_text([Target(account=ACCOUNT, regions=[REGION], profile='o"ps: #')], lines)
    manifest = Manifest.model_validate(yaml.safe_load(text))
    chosen = [each.arn for each, allowed in drawn if allowed and each.aliases is not None]
    assert [rule.arn for rule in manifest.functions] == chosen
    assert all(len(rule.qualifiers or ()) == 1 and rule.effect != "read" for rule in manifest.functions)
    assert manifest.targets[0].profile == 'o"ps: #'


@pytest.mark.parametrize(
    ("name", "action", "effect", "says"),
    [
        ("orders-get", None, "write", "read, if"),
        ("GetReport", "s3:GetObject", "write", 'read, if it changes nothing: "get" is in its name and its role may'),
        ("listOrdersDaily", "s3:PutObject", "write", 'its role may s3:PutObject, though "list" is in its name'),
        ("get-and-delete", "s3:GetObject", "destructive", '"delete"'),
        ("refundOrder", None, "destructive", '"refund"'),
        ("HTTPTerminator", None, "write", "not known"),
        ("getOrUpdate", None, "write", '"update"'),
        ("f", "s3:Get*", "write", "nothing: its role may only read"),
        ("f", "logs:PutLogEvents", "write", "not known"),
        ("f", "s3:*", "write", "its role may s3:*"),
        ("f", "s3:G*", "write", "its role may s3:G*"),
    ],
)
def test_an_effect_is_guessed_and_never_read(name: str, action: str | None, effect: str, says: str) -> None:
    found = None if action is None else ({"Statement": {"Effect": "Allow", "Action": action}},)
    guess = guess_effect(FoundFunction(function_arn(name), policies=found))
    assert guess.effect == effect
    assert says in guess.comment


@pytest.mark.parametrize(
    ("allowed", "aliases", "in_force"), [(True, ("a",), True), (True, None, False), (False, ("a",), False)]
)
def test_a_rule_is_in_force_if_a_person_chose_it_and_its_aliases_are_known(
    allowed: bool, aliases: tuple[str, ...] | None, in_force: bool
) -> None:
    lines = rule_lines(FoundFunction(function_arn("f"), aliases=aliases), allowed=allowed)
    assert {line.startswith("#") for line in lines} == {not in_force}


@pytest.mark.parametrize("statement", [{"Effect": "Allow", "NotAction": "s3:*"}, "odd", {"Effect": "Allow"}])
def test_a_policy_that_names_no_actions_may_do_all(statement: object) -> None:
    guess = guess_effect(FoundFunction(function_arn("f"), policies=({"Statement": [statement]},)))
    assert guess.comment == "a guess: its role may *"


def test_a_description_shows_no_secret_and_is_one_line() -> None:
    function = FoundFunction(
        function_arn("f"), "Use AKIAIOSFODNN7EXAMPL2\n\u202ewith password=hunter2hunter2 " + "x" * 900
    )
    (line,) = [line for line in rule_lines(function, allowed=True) if "description" in line]
    assert "hunter2" not in line
    assert "\u202e" not in line
    assert len(line) < 400
