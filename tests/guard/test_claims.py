"""Claims of a token → the caller: as each provider writes them, and nobody where it is not clear who it is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.guard.claims import caller_from
from lambda_warden.model.caller import Caller
from lambda_warden.model.principal import check_principal
from support.strategies import json_values


def user(name: str, **fields: Any) -> Caller:
    return Caller(f"user:{name}", subject=name, **fields)


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"sub": "ann"}, user("ann")),
        ({"sub": "ann", "client_id": "ide", "azp": "other"}, user("ann", client_id="ide")),
        ({"sub": "auth0|1", "azp": "ide", "gty": "password"}, user("auth0|1", client_id="ide")),
        (
            {"sub": "ann", "cid": "ide", "scp": ["run", "a b", 1]},
            user("ann", client_id="ide", scopes=frozenset({"run"})),
        ),
        ({"sub": "ann", "appid": "ide", "idtyp": "user"}, user("ann", client_id="ide")),
        ({"sub": "ann", "scope": "run  read"}, user("ann", scopes=frozenset({"run", "read"}))),
        ({"sub": "ann", "groups": ["sre", " x", "b\u202e", "sre", None]}, user("ann", groups=("sre",))),
        ({"sub": "ann", "groups": "sre"}, user("ann", groups=("sre",))),
        ({"sub": "ann", "groups": {"sre": True}, "roles": ["admin"]}, user("ann")),
        ({"sub": "bot", "client_id": "bot"}, Caller("client:bot", client_id="bot")),
        ({"sub": "bot@clients", "azp": "bot"}, Caller("client:bot", client_id="bot")),
        ({"sub": "bot@clients", "azp": "bot", "gty": "client-credentials"}, Caller("client:bot", client_id="bot")),
        ({"sub": "0-1", "azp": "bot", "idtyp": "app"}, Caller("client:bot", client_id="bot")),
        ({"sub": "ann", "act": {"sub": "bot", "act": {"sub": "other"}}}, user("ann", actor="bot")),
        ({"sub": "bot", "client_id": "bot", "act": {"sub": "x"}}, Caller("client:bot", client_id="bot", actor="x")),
    ],
)
def test_a_caller_is_known_as_the_providers_write_it(claims: dict[str, Any], expected: Caller) -> None:
    assert caller_from(claims) == expected


def test_the_claims_that_name_a_user_and_their_groups_can_be_others() -> None:
    claims = {"sub": "0-1", "email": "ann@example.com", "https://x/roles": ["sre"], "groups": ["other"]}
    assert caller_from(claims, "email", "https://x/roles") == user("ann@example.com", groups=("sre",))
    machine = {"sub": "bot", "client_id": "bot"}
    assert caller_from(machine, "email").principal == "client:bot"


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"sub": ""},
        {"sub": "a b"},
        {"sub": "ann\n"},
        {"sub": None},
        {"client_id": "bot"},  # some providers leave `sub` out of users' tokens: the client is not the user
        {"sub": "ann", "client_id": ["ide"]},
        {"sub": "ann", "client_id": None, "azp": "ide"},
        {"sub": "x", "gty": "client-credentials"},
        {"sub": "ann", "act": {}},
        {"sub": "ann", "act": []},
        {"sub": "ann", "act": {"sub": ["bot"]}},
    ],
    ids=repr,
)
def test_who_is_in_doubt_is_nobody(claims: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"no name|no object|neither"):
        caller_from(claims)


@pytest.mark.parametrize(
    ("value", "tenant"),
    [("blue", "blue"), (["blue", "green"], "blue"), ("*", None), ("a|b", None), ("", None), (7, None), (None, None)],
)
def test_a_tenant_is_an_exact_id_and_never_any(value: object, tenant: str | None) -> None:
    assert caller_from({"sub": "ann", "t": value, "tenant": "other"}, tenant_claim="t").tenant == tenant
    assert caller_from({"sub": "ann", "t": value, "tenant": "other"}).tenant is None


def test_a_user_whose_name_is_missing_is_not_taken_for_the_client() -> None:
    with pytest.raises(ValueError, match="email"):
        caller_from({"sub": "0-1", "client_id": "ide"}, "email")


names = st.sampled_from(["sub", "client_id", "azp", "cid", "appid", "act", "groups", "scope", "scp", "gty", "idtyp"])
words = st.sampled_from(["ann", "bot", "client-credentials", "app", "user:ann", "client:bot", "a b", ""])


@given(st.dictionaries(names, words | json_values | st.dictionaries(names, words, max_size=2), max_size=6))
def test_whatever_a_token_claims_it_is_one_principal_or_nobody(claims: dict[str, Any]) -> None:
    try:
        caller = caller_from(claims)
    except ValueError:
        return
    assert check_principal(caller.principal) == caller.principal
    expected = f"user:{caller.subject}" if caller.subject is not None else f"client:{caller.client_id}"
    assert caller.principal == expected
    assert caller.subject in (None, claims.get("sub"))
