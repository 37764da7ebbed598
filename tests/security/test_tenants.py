"""Which tenant's environment a call reaches is the operator's to say, counted at a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.scripted_endpoint import ScriptedEndpoint
from support.warden import Warden, allow, check_of, warden

pytestmark = pytest.mark.anyio

TENANTS = {"closed": None, "two": ["blue", "green"], "open": ["*"]}
RULES = [allow(name, **({} if tenants is None else {"tenants": tenants})) for name, tenants in TENANTS.items()]
NAMED = st.sampled_from([None, "", "blue", "green", "Blue", "blue ", " blue", "two words", "*", "blu", "blue,green"])
TYPES = st.sampled_from(["RequestResponse", "DryRun"])


@pytest.fixture(scope="module")
async def running(_endpoint: ScriptedEndpoint, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Warden]:
    async with warden(tmp_path_factory.mktemp("tenants"), _endpoint.url, *RULES) as running:
        yield running


@given(name=st.sampled_from(list(TENANTS)), tenant=NAMED, invocation_type=TYPES)
async def test_no_tenant_is_reached_that_the_rule_does_not_name(
    name: str, tenant: str | None, invocation_type: str, running: Warden, endpoint: ScriptedEndpoint
) -> None:
    endpoint.reset()
    arguments: dict[str, Any] = {"tenant_id": tenant, "invocation_type": invocation_type}
    would = await running.dry_run(f"{name}:live", **arguments)
    result = await running.invoke(f"{name}:live", **arguments)
    sent = [received.headers.get("x-amz-tenant-id") for received in endpoint.invocations]
    assert would["would_invoke"] is (result["outcome"] != "denied") is bool(sent)
    allowed: dict[str, list[str | None]] = {"closed": [None], "two": ["blue", "green"], "open": [tenant]}
    assert set(sent) <= set(allowed[name])
    assert name != "open" or None not in sent


@pytest.mark.parametrize(("name", "tenant"), [("closed", None), ("two", "green"), ("open", "any one")])
async def test_what_is_allowed_goes_through(
    name: str, tenant: str | None, running: Warden, endpoint: ScriptedEndpoint
) -> None:
    assert (await running.invoke(f"{name}:live", tenant_id=tenant))["outcome"] == "succeeded"


async def test_a_denial_says_what_the_operator_has_to_write(running: Warden) -> None:
    denied = await running.invoke("closed:live", tenant_id="blue")
    assert "`tenants: [ID, …]`" in check_of(denied, "tenant")["reason"]
    assert running.bodies("denial")[-1]["check"] == "tenant"
