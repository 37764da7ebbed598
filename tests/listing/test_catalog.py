"""Functions are found by the words of their descriptions, and a wrong account by the ARNs that AWS answers with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lambda_warden.listing import catalog as catalog_module
from lambda_warden.listing.catalog import Catalog
from lambda_warden.model.caller import Caller
from lambda_warden.model.function_info import FunctionDetails, FunctionInfo, FunctionList
from support.builders import ACCOUNT, OTHER_ACCOUNT, function_arn, rule, rules

pytestmark = pytest.mark.anyio

Make = Callable[..., Catalog]
TENANTS = [f"tenant-{number}" for number in range(60)]


class _Policy:
    def __init__(self) -> None:
        self.rules = rules(rule("a", description="Refunds one order."), rule("b", tenants=TENANTS))


@pytest.fixture
def catalog_of(monkeypatch: pytest.MonkeyPatch) -> Make:
    """Gives a catalog to which AWS lists the functions of an account."""

    def make(account: str, description: str = "Exports the ledger") -> Catalog:
        listing = FunctionList(
            {
                arn: FunctionInfo(arn, description, description, None, None, None, None)
                for arn in (function_arn(name, account=account) for name in "ab")
            }
        )
        monkeypatch.setattr(catalog_module, "_list_place", lambda *_: listing)
        monkeypatch.setattr(catalog_module, "_describe_item", lambda *_: FunctionDetails())
        policy: Any = _Policy()
        return Catalog(lambda: policy, 100_000)

    return make


@pytest.mark.parametrize(("words", "found"), [("refunds", "a"), ("REFUND", "a"), ("ledger", "b"), ("nothing", "")])
async def test_descriptions_are_looked_at_too(words: str, found: str, catalog_of: Make) -> None:
    result = await catalog_of(ACCOUNT).list_functions({"name_contains": words}, Caller())

    assert [entry.function for entry in result.functions] == [function_arn(name) for name in found]
    assert (result.outside_data is not None) == (found == "b")


async def test_another_account_than_the_target_s_is_said_and_nothing_of_it_is_shown(catalog_of: Make) -> None:
    result = await catalog_of(OTHER_ACCOUNT).list_functions({}, Caller())

    assert any(OTHER_ACCOUNT in note and ACCOUNT in note and "another account" in note for note in result.notes)
    assert [entry.exists for entry in result.functions] == [None, None]
    assert "ledger" not in result.model_dump_json()


async def test_the_target_s_own_account_needs_no_note(catalog_of: Make) -> None:
    result = await catalog_of(ACCOUNT).list_functions({}, Caller())

    assert result.notes == []
    assert [entry.exists for entry in result.functions] == [True, True]


async def test_the_tenants_that_calls_may_name_are_listed_up_to_fifty(catalog_of: Make) -> None:
    result = await catalog_of(ACCOUNT).list_functions({}, Caller())

    assert [entry.tenants for entry in result.functions] == [None, TENANTS[:50]]


async def test_what_aws_says_is_redacted_and_bounded(catalog_of: Make) -> None:
    key = "AKIA" + "QWERTYUIOPASDFGH"
    result = await catalog_of(ACCOUNT, f"use {key} {'x' * 5000}").list_functions({}, Caller())

    described = result.functions[1]
    assert described.description is not None
    assert described.description.startswith("use [redacted:aws-access-key] xxx")
    assert described.runtime == described.description
    assert len(described.description) < 300
    assert key not in result.model_dump_json()


async def test_words_are_looked_for_in_what_is_shown_alone(catalog_of: Make) -> None:
    key = "AKIA" + "QWERTYUIOPASDFGH"
    directory = catalog_of(ACCOUNT, f"use {key}")

    assert (await directory.list_functions({"name_contains": "use ["}, Caller())).total == 1
    assert (await directory.list_functions({"name_contains": key[:9]}, Caller())).total == 0
