"""Who may call under a rule: by principal, group, scope and client; an agent never adds to what a person may do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.guard.callers import refusal_of
from lambda_warden.guard.decide import decide
from lambda_warden.model.caller import Caller
from support.builders import NAME, function_arn, ref, request, rule, rules

ANN = Caller("user:ann", subject="ann", client_id="ide", groups=("sre", "Domain Users"), scopes=frozenset({"a", "b"}))
BOT = Caller("client:bot", client_id="bot", scopes=frozenset({"a"}))


@pytest.mark.parametrize(
    ("keys", "caller", "allowed"),
    [
        ({}, ANN, True),
        ({}, BOT, True),
        ({}, Caller(), True),
        ({"principals": ["user:ann"]}, ANN, True),
        ({"principals": ["user:bob", "group:Domain Users"]}, ANN, True),
        ({"principals": ["user:Ann", "group:SRE", "group:sr", "client:ann", "ann", "sre"]}, ANN, False),
        ({"principals": ["client:ide"]}, ANN, False),  # the client itself, not a person through it
        ({"principals": ["client:bot"]}, BOT, True),
        ({"principals": ["user:bot", "bot"]}, BOT, False),
        ({"principals": ["user:ops", "client:ops", "group:ops"]}, Caller("ops"), False),
        ({"principals": ["user:ann"]}, Caller("user:bob", groups=("user:ann", "ann")), False),
        ({"scopes": ["b", "a"]}, ANN, True),
        ({"scopes": ["a", "c"]}, ANN, False),
        ({"scopes": ["a"]}, Caller(), False),
        ({"scopes": ["a", "b"]}, BOT, False),
        ({"principals": ["user:ann"], "scopes": ["c"]}, ANN, False),
        ({"principals": ["user:bob"], "scopes": ["a"]}, ANN, False),
        ({"clients": ["ide", "web"]}, ANN, True),
        ({"clients": ["web"]}, ANN, False),
        ({"clients": ["ide"]}, Caller(), False),
        ({"clients": ["ide"]}, replace(ANN, client_id=None), False),
        ({"clients": ["ide"]}, replace(ANN, client_id=None, actor="ide"), False),
        ({"clients": ["ide"]}, replace(ANN, actor="bot"), False),
        ({"clients": ["bot"]}, replace(ANN, actor="bot"), False),
        ({"clients": ["ide", "bot"]}, replace(ANN, actor="bot"), True),
        ({"principals": ["client:bot"]}, replace(ANN, actor="bot"), False),
        ({"principals": ["user:ann"]}, replace(BOT, actor="ann"), False),
    ],
)
def test_a_rule_is_for_those_whom_it_names(keys: dict[str, Any], caller: Caller, allowed: bool) -> None:
    made = rules(rule(**keys))
    decision = decide(ref(), request(), made, caller).decision
    assert decision.allowed is allowed
    assert (function_arn(NAME) in made.exact_arns(caller)) is allowed
    if not allowed:
        assert decision.failed is not None
        assert decision.failed.name == "principal"


@pytest.mark.parametrize(
    ("own", "asked", "allowed"),
    [
        ("blue", "blue", True),
        ("blue", "green", False),
        ("blue", None, False),
        (None, "blue", False),
        (None, None, False),
    ],
)
def test_a_caller_may_be_held_to_its_own_tenant(own: str | None, asked: str | None, allowed: bool) -> None:
    caller, made = Caller("user:ann", tenant=own), rules(rule(tenants="caller"))
    decision = decide(ref(), request(tenant_id=asked), made, caller).decision
    assert decision.allowed is allowed
    if not allowed:
        assert decision.failed is not None
        assert decision.failed.name == "tenant"


words = st.sampled_from(["a", "b", "c"])
callers = st.builds(
    Caller,
    st.sampled_from(["local", "a"]) | words.map("user:{}".format) | words.map("client:{}".format),
    actor=st.none() | words,
    client_id=st.none() | words,
    groups=st.lists(words, max_size=2).map(tuple),
    scopes=st.frozensets(words),
)
members = st.builds("{}{}".format, st.sampled_from(["", "user:", "client:", "group:"]), words)
specs = st.fixed_dictionaries(
    {},
    optional={
        "principals": st.lists(members, min_size=1, max_size=3, unique=True),
        "scopes": st.lists(words, max_size=2, unique=True),
        "clients": st.lists(words, min_size=1, max_size=2, unique=True),
    },
)


@given(callers, specs)
def test_it_is_as_an_independent_reading_of_the_rule_says(caller: Caller, keys: dict[str, Any]) -> None:
    named = any(
        caller.principal == member or (member.removeprefix("group:") in caller.groups and member.startswith("group:"))
        for member in keys.get("principals", [caller.principal])
    )
    scoped = all(scope in caller.scopes for scope in keys.get("scopes", []))
    through = "clients" not in keys or (
        caller.client_id in keys["clients"] and (caller.actor is None or caller.actor in keys["clients"])
    )
    assert (refusal_of(caller, rule(**keys)) is None) == (named and scoped and through)


@given(callers, specs, words)
def test_an_agent_may_not_do_more_than_the_person_it_acts_for(caller: Caller, keys: dict[str, Any], actor: str) -> None:
    spec, alone = rule(**keys), replace(caller, actor=None)
    if refusal_of(alone, spec) is not None:
        assert refusal_of(replace(caller, actor=actor), spec) is not None


@given(callers, specs, words)
def test_another_scope_or_group_never_takes_away_what_a_caller_may_do(
    caller: Caller, keys: dict[str, Any], word: str
) -> None:
    spec = rule(**keys)
    if refusal_of(caller, spec) is None:
        assert refusal_of(replace(caller, groups=(*caller.groups, word), scopes=caller.scopes | {word}), spec) is None


@pytest.mark.parametrize(
    ("keys", "valid"),
    [
        ({"principals": ["ops", "user:auth0|1", "client:a:b", "group:Domain Users", "group:/sre", "group:Büro"]}, True),
        ({"principals": ["user:"]}, False),
        ({"principals": ["group:"]}, False),
        ({"principals": ["group: a"]}, False),
        ({"principals": ["group:a\u202e"]}, False),
        ({"principals": ["user:a b"]}, False),
        ({"principals": ["user:\u0430nn"]}, False),
        ({"principals": ["role:a"]}, False),
        ({"principals": [":a"]}, False),
        ({"scopes": ["https://api/invoke"]}, True),
        ({"scopes": ["a b"]}, False),
        ({"scopes": ['a"']}, False),
        ({"scopes": ["a", "a"]}, False),
        ({"clients": []}, False),
        ({"clients": ["a b"]}, False),
    ],
)
def test_names_are_checked_when_the_manifest_is_read(keys: dict[str, Any], valid: bool) -> None:
    if valid:
        rule(**keys)
    else:
        with pytest.raises(ValueError, match=next(iter(keys))[:-1]):
            rule(**keys)
