"""What a selector selects can be called if, and only if, the lock file has it for this very selector."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.errors import ManifestError
from lambda_warden.manifests.load import LoadedManifest, load_manifests
from lambda_warden.manifests.watch import Watcher
from lambda_warden.model.rule_arn import parse_rule_arn
from lambda_warden.model.selector import Selector
from support.builders import ACCOUNT, OTHER_ACCOUNT, function_arn, ref
from support.locking import select, write_lock
from support.scripted_endpoint import ScriptedEndpoint
from support.warden import allow, warden, write_manifest

URL = "http://127.0.0.1:9"
ORDERS = select(prefix="orders-")
GET, PUT = function_arn("orders-get"), function_arn("orders-put")


def selecting(*selects: dict[str, Any], **keys: Any) -> list[dict[str, Any]]:
    return [{"select": each, "qualifiers": ["live"], **keys} for each in selects]


def loaded(path: Path) -> LoadedManifest:
    return load_manifests([path])


def allowed(path: Path) -> list[str]:
    return [rule.spec.arn for rule in loaded(path).rules.all]


def test_what_is_locked_may_be_called_by_a_rule_of_its_own(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, URL, selecting(ORDERS, limits={"per_day": 2}), defaults={"effect": "read"})
    lock = write_lock(path, (ORDERS, [PUT, GET]))
    found = loaded(path)
    get, put = found.rules.all
    assert (get.spec.arn, put.spec.arn) == (GET, PUT)
    assert (get.spec.effect, get.spec.qualifiers, get.spec.limits.per_day) == ("read", ["live"], 2)
    assert get.spec.key != put.spec.key, "limits count for each of them"
    assert get.source == put.source == found.selections[0].source
    lines = lock.read_text().splitlines()
    assert (get.locked, put.locked) == tuple(f"{lock}:{lines.index(f'  - {arn}') + 1}" for arn in (GET, PUT))
    assert found.rules.for_function(ref("orders-get")) == [get]
    assert found.rules.for_function(ref("orders-new")) == []
    assert lock in found.files
    assert not list(found.lock_problems())


@pytest.mark.parametrize(
    "locked",
    [None, [], [(select(prefix="orders"), [GET])], [(select(prefix="orders-", tags={"a": "b"}), [GET])]],
    ids=["no lock file", "nothing locked", "another prefix", "another tag"],
)
def test_what_is_not_locked_for_this_very_selector_is_not_callable(tmp_path: Path, locked: Any) -> None:
    path = write_manifest(tmp_path, URL, [*selecting(ORDERS), allow("other")])
    if locked is not None:
        write_lock(path, *locked)
    found = loaded(path)
    assert [rule.spec.arn for rule in found.rules.all] == [function_arn("other")]
    (problem,) = found.lock_problems()
    assert problem.startswith(
        f"{found.selections[0].source}: select: is not locked as it is now, so it selects nothing."
    )
    unused = [line for line in found.warnings() if "counts for nothing" in line]
    assert len(unused) == len(locked or [])


def test_a_selector_written_in_another_order_is_the_same(tmp_path: Path) -> None:
    one = {
        "accounts": [ACCOUNT, OTHER_ACCOUNT],
        "regions": ["us-east-1"],
        "names": ["a", "b"],
        "tags": {"x": "1", "y": "2"},
    }
    other = {
        "tags": {"y": "2", "x": "1"},
        "names": ["b", "a"],
        "regions": ["us-east-1"],
        "accounts": [OTHER_ACCOUNT, ACCOUNT],
    }
    assert Selector.model_validate(one).digest == Selector.model_validate(other).digest


VALUES: dict[str, list[Any]] = {
    "accounts": [[ACCOUNT], [OTHER_ACCOUNT], [ACCOUNT, OTHER_ACCOUNT]],
    "regions": [["us-east-1"], ["eu-west-1"], ["us-east-1", "eu-west-1"]],
    "prefix": ["a", "ab"],
    "names": [["a"], ["b"], ["a", "b"]],
    "tags": [{"a": "b"}, {"a": "c"}, {"a": "b", "c": "d"}],
}
selectors = st.builds(
    lambda accounts, regions, by, tags: {"accounts": accounts, "regions": regions, **by, **tags},
    st.sampled_from(VALUES["accounts"]),
    st.sampled_from(VALUES["regions"]),
    st.one_of(*(st.sampled_from([{key: value} for value in VALUES[key]]) for key in ("prefix", "names"))),
    st.sampled_from([{}, *({"tags": value} for value in VALUES["tags"])]),
)


@given(selectors, selectors)
def test_selectors_have_one_digest_only_if_they_say_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    digests = {Selector.model_validate(each).digest for each in (one, other)}
    assert len(digests) == (1 if one == other else 2)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({}, "would select every function"),
        ({"prefix": "a", "names": ["a"]}, "has prefix and names"),
        ({"prefix": "orders-*"}, "is no function name"),
        ({"names": ["a:live"]}, "is no function name"),
        ({"names": []}, "at least 1"),
        ({"tags": {}}, "at least 1"),
        ({"prefix": "a", "accounts": ["*"]}, "is not an AWS account id"),
        ({"prefix": "a", "regions": ["*"]}, "unknown region"),
        ({"prefix": "a", "regions": []}, "at least 1"),
        ({"tags": {"a": 1}}, "Expected text: put it in quotes"),
        ({"prefix": "a", "accounts": [OTHER_ACCOUNT]}, f"no target reaches account {OTHER_ACCOUNT} in us-east-1"),
        ({"prefix": "a", "regions": ["us-east-1", "eu-west-1"]}, f"no target reaches account {ACCOUNT} in eu-west-1"),
    ],
)
def test_a_selector_says_by_what_and_where_exactly(tmp_path: Path, keys: dict[str, Any], problem: str) -> None:
    path = write_manifest(tmp_path, URL, selecting(select(**keys)))
    with pytest.raises(ManifestError, match=problem.replace("(", r"\(")) as caught:
        loaded(path)
    assert all(each.startswith(f"{path}:") for each in caught.value.problems)


@pytest.mark.parametrize(
    "arn",
    [
        function_arn("payroll"),
        function_arn("orders-get", region="eu-west-1"),
        function_arn("orders-get", account=OTHER_ACCOUNT),
        function_arn("orders-*"),
    ],
    ids=["another name", "another region", "another account", "a pattern"],
)
@pytest.mark.parametrize("by", [{"prefix": "orders-"}, {"names": ["orders-get"]}], ids=["prefix", "names"])
def test_a_lock_that_names_what_its_selector_can_not_select_is_refused(
    tmp_path: Path, arn: str, by: dict[str, Any]
) -> None:
    path = write_manifest(tmp_path, URL, selecting(select(**by)))
    lock = write_lock(path, (select(**by), [GET, arn]))
    with pytest.raises(ManifestError) as caught:
        loaded(path)
    line = lock.read_text().splitlines().index(f"  - {arn}") + 1
    place = f"selections[0].functions[{sorted([GET, arn]).index(arn)}]"
    problem = f"{arn} is none that this selector can select. Expected what `lambda-warden lock` writes."
    assert caught.value.problems == [f"{lock}:{line}: {place}: {problem}"]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("prefix: orders-", "prefix: order", "selections[0].digest: is not the digest of this selector"),
        ("version: 1", "version: 2", "version: "),
        ("version: 1", "version: 1\nmore: 1", "more: unknown key 'more'. Expected one of: version, selections."),
        (f"  - {GET}\n", f"  - {GET}\n  - {GET}\n", f"selections[0].functions: {GET} listed twice"),
        ("selections:", "<<<<<<< HEAD\nselections:", "is not YAML"),
    ],
)
def test_a_lock_that_a_person_changed_is_refused_with_its_line(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    path = write_manifest(tmp_path, URL, selecting(ORDERS))
    lock = write_lock(path, (ORDERS, [GET]))
    lock.write_text(lock.read_text().replace(old, new))
    with pytest.raises(ManifestError) as caught:
        loaded(path)
    assert problem in caught.value.problems[0]
    assert caught.value.problems[0].startswith(f"{lock}:")


def test_one_selector_stands_in_a_lock_once(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, URL, selecting(ORDERS))
    lock = write_lock(path, (ORDERS, [GET]))
    lock.write_text(lock.read_text() + lock.read_text().partition("selections:\n")[2])
    with pytest.raises(ManifestError, match=r"selections\[1\]: stands here twice"):
        loaded(path)


def test_a_lock_that_is_no_regular_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, URL, selecting(ORDERS))
    os.mkfifo(tmp_path / "manifest.lock")
    with pytest.raises(ManifestError, match=r"manifest\.lock: Not a regular file"):
        loaded(path)


def test_a_function_with_a_rule_of_its_own_is_under_no_selector(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, URL, [*selecting(ORDERS), {**allow("orders-put", "7"), "effect": "destructive"}])
    write_lock(path, (ORDERS, [GET, PUT]))
    rules = loaded(path).rules
    assert [(rule.spec.arn, rule.spec.qualifiers) for rule in rules.all] == [(GET, ["live"]), (PUT, ["7"])]


def test_two_selectors_of_one_function_and_qualifier_are_refused(tmp_path: Path) -> None:
    every = select(prefix="orders")
    path = write_manifest(tmp_path, URL, selecting(ORDERS, every))
    write_lock(path, (ORDERS, [GET]), (every, [GET]))
    with pytest.raises(ManifestError, match="is already allowed live by the rule at"):
        loaded(path)


def test_a_rule_of_a_selector_is_checked_also_while_it_selects_nothing(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, URL, [{"select": ORDERS}])
    with pytest.raises(ManifestError, match=r"functions\[0\].qualifiers: is missing"):
        loaded(path)


def test_each_manifest_of_a_folder_has_a_lock_of_its_own(tmp_path: Path) -> None:
    one = write_manifest(tmp_path, URL, selecting(ORDERS))
    two = tmp_path / "two.yaml"
    two.write_text(one.read_text())
    write_lock(one, (ORDERS, [GET]))
    found = load_manifests([tmp_path])
    assert [each.functions is None for each in found.selections] == [False, True]


def test_the_digest_of_the_manifests_covers_the_lock(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, URL, selecting(ORDERS))
    digests = {loaded(path).rules.digest}
    for arns in ([GET], [GET, PUT]):
        write_lock(path, (ORDERS, arns))
        digests.add(loaded(path).rules.digest)
    assert len(digests) == 3


def test_the_lock_says_the_same_in_whichever_order_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "manifest.yaml"
    more = (select(tags={"team": "a"}), [function_arn("x")])
    first = write_lock(path, (ORDERS, [PUT, GET]), more).read_text()
    assert first == write_lock(path, more, (ORDERS, [GET, PUT])).read_text()


@given(st.text("ab-", min_size=1, max_size=4), selectors)
def test_what_may_be_selected_is_in_the_place_and_has_the_name(name: str, keys: dict[str, Any]) -> None:
    for account in (ACCOUNT, OTHER_ACCOUNT):
        for region in ("us-east-1", "eu-west-1"):
            arn = parse_rule_arn(function_arn(name, region=region, account=account))
            named = name.startswith(keys["prefix"]) if "prefix" in keys else name in keys["names"]
            expected = account in keys["accounts"] and region in keys["regions"] and named
            assert Selector.model_validate(keys).may_select(arn) == expected


@pytest.mark.parametrize("cut", [1, len("-old\n")])
def test_a_lock_that_ends_within_an_arn_is_refused(tmp_path: Path, cut: int) -> None:
    """What is left may name another function."""
    path = write_manifest(tmp_path, URL, selecting(select(prefix="o")))
    lock = write_lock(path, (select(prefix="o"), [function_arn("orders-get-old")]))
    lock.write_text(lock.read_text()[:-cut])
    with pytest.raises(ManifestError, match="ends within a line"):
        loaded(path)


@pytest.mark.anyio
async def test_a_changed_lock_holds_for_the_next_call(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    async with warden(tmp_path, endpoint.url, *selecting(ORDERS)) as running:
        assert running.inside is not None
        path = tmp_path / "manifest.yaml"
        watcher = Watcher([path], loaded(path), running.inside.apply, running.inside.reload_failed, wait_seconds=60)
        running.inside.look_before_calls(watcher)
        watcher.start()
        try:
            assert (await running.invoke("orders-get:live"))["outcome"] == "denied"
            lock = write_lock(path, (ORDERS, [GET]))
            assert (await running.dry_run("orders-get:live"))["would_invoke"] is True
            assert (await running.invoke("orders-get:live"))["outcome"] == "succeeded"
            assert [each["function"] for each in (await running.list_functions())["functions"]] == [GET]
            assert (await running.invoke("orders-put:live"))["outcome"] == "denied"
            lock.unlink()
            assert (await running.invoke("orders-get:live"))["outcome"] == "denied"
            assert [each["invocation_type"] for each in running.bodies("intent")] == ["DryRun", "RequestResponse"]
            added, removed = running.bodies("reload")
            assert (added["added"], removed["removed"]) == (f"{GET} (live)", f"{GET} (live)")
            assert added["manifest_sha256"] != removed["manifest_sha256"]
            assert str(lock) in added["files"]
        finally:
            watcher.stop()
