from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.guard.request_digest import durable_name_of, request_digest
from lambda_warden.model.caller import Caller
from lambda_warden.model.function_ref import FunctionRef
from lambda_warden.model.request import EncodedRequest, InvokeArguments
from support.builders import OTHER_ACCOUNT, OTHER_REGION, ref, request

WHOLE = request(b"{}", client_context="e30=", tenant_id="t", durable_execution_name="order-1", wait_seconds=5)


def test_a_digest_stays_the_same() -> None:
    """Approvals and keys outlive a restart: another form of the digest would make all of them invalid."""
    assert request_digest(ref(), request(), Caller()) == request_digest(ref(), request(), Caller())
    assert re.fullmatch("[0-9a-f]{64}", request_digest(ref(), WHOLE, Caller()))


@pytest.mark.parametrize(
    "other",
    [
        ref(name="orders-refund2"),
        ref(qualifier="7"),
        ref(region=OTHER_REGION),
        ref(account=OTHER_ACCOUNT),
        ref(partition="aws-cn", region="cn-north-1"),
    ],
    ids=str,
)
def test_another_function_has_another_digest(other: FunctionRef) -> None:
    assert request_digest(other, WHOLE, Caller()) != request_digest(ref(), WHOLE, Caller())


@pytest.mark.parametrize(
    "changed",
    [
        {"invocation_type": "Event"},
        {"payload": b"[]"},
        {"payload": b"{} "},
        {"payload": b""},
        {"payload": None},
        {"client_context": None},
        {"client_context": "e30"},
        {"tenant_id": None},
        {"tenant_id": "u"},
        {"durable_execution_name": None},
        {"durable_execution_name": "order-2"},
    ],
    ids=repr,
)
def test_another_request_has_another_digest(changed: dict[str, Any]) -> None:
    assert request_digest(ref(), replace(WHOLE, **changed), Caller()) != request_digest(ref(), WHOLE, Caller())


@pytest.mark.parametrize(
    "changed", [{"wait_seconds": None}, {"log_tail": True}, {"response_stream": True}, {"reason": "x"}], ids=repr
)
def test_how_an_answer_is_waited_for_and_given_plays_no_part(changed: dict[str, Any]) -> None:
    assert request_digest(ref(), replace(WHOLE, **changed), Caller()) == request_digest(ref(), WHOLE, Caller())


def test_every_field_of_a_request_was_decided_on() -> None:
    bound = {"invocation_type", "payload", "client_context", "tenant_id", "durable_execution_name"}
    # A payload_text is settled before a request is allowed, and gone by then.
    free = {"log_tail", "response_stream", "payload_text", "wait_seconds", "reason"}
    assert set(EncodedRequest.__slots__) == bound | free


def test_another_principal_has_another_digest() -> None:
    assert request_digest(ref(), WHOLE, Caller("chat-ops")) != request_digest(ref(), WHOLE, Caller())


def test_a_person_and_each_agent_for_them_have_digests_of_their_own() -> None:
    callers = [Caller("user:ann", actor=actor) for actor in (None, "bot", "other")]
    assert len({request_digest(ref(), WHOLE, caller) for caller in callers}) == 3


@given(st.lists(st.none() | st.text(max_size=5), min_size=3, max_size=3), st.permutations(range(3)))
def test_a_value_in_another_place_is_another_request(values: list[str | None], order: list[int]) -> None:
    names = ("client_context", "tenant_id", "durable_execution_name")
    moved = [values[place] for place in order]
    first: Any = dict(zip(names, values, strict=True))
    second: Any = dict(zip(names, moved, strict=True))
    same = request_digest(ref(), request(**first), Caller()) == request_digest(ref(), request(**second), Caller())
    assert same == (values == moved)


keys = st.from_regex(r"[A-Za-z0-9._:/=+@-]{1,128}", fullmatch=True)
principals = st.from_regex(r"[A-Za-z0-9._@+-]{1,64}", fullmatch=True)


@given(principals, keys)
def test_a_durable_name_is_one_that_aws_takes(principal: str, key: str) -> None:
    name = durable_name_of(principal, key)
    assert name == durable_name_of(principal, key)
    InvokeArguments(function="f", durable_execution_name=name)


@given(st.lists(st.tuples(principals, keys), min_size=2, max_size=2, unique=True))
def test_another_principal_or_key_has_another_durable_name(pairs: list[tuple[str, str]]) -> None:
    first, second = pairs
    assert durable_name_of(*first) != durable_name_of(*second)
