"""The issuer's keys over HTTP: one fetch for all, bounded, rotated, and kept for a while when the issuer is down."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import anyio.to_thread
import pytest

from lambda_warden.transport.authentication import keys as module
from lambda_warden.transport.authentication.keys import (
    ANSWER_BYTES,
    FRESH_SECONDS,
    RETRY_SECONDS,
    STALE_SECONDS,
    IssuerKeys,
)
from support.issuer import Answer, Handler, Issuer, gives, public_jwk

pytestmark = pytest.mark.anyio

METADATA = "/.well-known/openid-configuration"
ES256 = "ES256"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer().running() as running:
        yield running


class Time:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Time:
    return Time()


def keys_of(issuer: Issuer, clock: Time, url: str | None = "jwks") -> IssuerKeys:
    return IssuerKeys(issuer.url, url and f"{issuer.url}/{url}", (ES256,), clock)


class Hold:
    """An answer that is given when it is released."""

    def __init__(self, then: Answer) -> None:
        self.asked, self._released, self._then = threading.Event(), threading.Event(), then

    def __call__(self, handler: Handler) -> None:
        self.asked.set()
        assert self._released.wait(60)
        self._then(handler)

    async def wait(self) -> None:
        assert await anyio.to_thread.run_sync(self.asked.wait, 60)

    def release(self) -> None:
        self._released.set()


async def test_all_who_wait_share_one_fetch_also_if_the_first_one_leaves(issuer: Issuer, clock: Time) -> None:
    held = issuer.answers["/jwks"] = Hold(gives({"keys": [public_jwk("k1")]}))
    keys, found = keys_of(issuer, clock), []

    async def look(kid: str) -> None:
        found.append(await keys.find(kid, ES256))

    async with anyio.create_task_group() as group, anyio.create_task_group() as leaving:
        leaving.start_soon(look, "k1")
        await held.wait()
        for kid in ["k1"] * 10 + ["unknown"] * 10:
            group.start_soon(look, kid)
        await anyio.wait_all_tasks_blocked()
        leaving.cancel_scope.cancel()
        held.release()
    assert issuer.fetched == ["/jwks"]
    assert found.count(None) == 10
    assert len(found) >= 20, "the one that left was the one who fetched"


async def test_keys_that_nobody_has_are_asked_for_now_and_then_alone(issuer: Issuer, clock: Time) -> None:
    keys = keys_of(issuer, clock)
    for number in range(100):
        assert await keys.find(f"made-up-{number}", ES256) is None
    assert len(issuer.fetched) == 1
    clock.seconds += RETRY_SECONDS
    for number in range(100):
        assert await keys.find(f"made-up-{number}", ES256) is None
        assert await keys.find("k1", ES256) is not None
    assert len(issuer.fetched) == 2


async def test_a_new_key_is_found_and_one_that_was_taken_back_is_not(issuer: Issuer, clock: Time) -> None:
    keys = keys_of(issuer, clock)
    assert await keys.find("k1", ES256) is not None
    issuer.keys = [public_jwk("k2")]
    clock.seconds += RETRY_SECONDS
    assert await keys.find("k1", ES256) is not None
    assert await keys.find("k2", ES256) is not None
    assert await keys.find("k1", ES256) is None
    issuer.keys = []
    clock.seconds += FRESH_SECONDS
    assert await keys.find("k2", ES256) is None
    assert len(issuer.fetched) == 3


async def test_keys_are_kept_for_a_bounded_time_while_the_issuer_is_down(issuer: Issuer, clock: Time) -> None:
    keys = keys_of(issuer, clock)
    assert await keys.find("k1", ES256) is not None
    issuer.answers["/jwks"] = gives(b"", 503)
    clock.seconds += STALE_SECONDS - 1
    for _ in range(20):
        assert await keys.find("k1", ES256) is not None
    assert len(issuer.fetched) == 2
    clock.seconds += 1
    assert await keys.find("k1", ES256) is None
    del issuer.answers["/jwks"]
    clock.seconds += RETRY_SECONDS
    assert await keys.find("k1", ES256) is not None


async def test_who_has_a_good_key_does_not_wait_for_the_one_who_fetches(issuer: Issuer, clock: Time) -> None:
    keys = keys_of(issuer, clock)
    assert await keys.find("k1", ES256) is not None
    held = issuer.answers["/jwks"] = Hold(gives({"keys": []}))
    clock.seconds += FRESH_SECONDS
    async with anyio.create_task_group() as group:
        group.start_soon(keys.find, "k1", ES256)
        await held.wait()
        assert await keys.find("k1", ES256) is not None
        held.release()
    assert await keys.find("k1", ES256) is None


def drips(handler: Handler) -> None:
    """An answer that never ends, a byte now and then."""
    handler.send_response(200)
    handler.end_headers()
    ended = threading.Event()
    while not ended.wait(0.01):
        handler.wfile.write(b" ")


UNUSABLE: dict[str, tuple[str, Callable[[Issuer], Answer]]] = {
    "huge": ("/jwks", lambda _: gives(b" " * ANSWER_BYTES + b'{"keys": []}')),
    "slow": ("/jwks", lambda _: drips),
    "redirected": ("/jwks", lambda i: gives(b"", 302, {"Location": f"{i.url}/other"})),
    "compressed": ("/jwks", lambda _: gives({"keys": [public_jwk("k1")]}, headers={"Content-Encoding": "gzip"})),
    "cut off": ("/jwks", lambda _: gives({"keys": [public_jwk("k1")]}, headers={"Content-Length": "5000"})),
    "an error": ("/jwks", lambda _: gives({"keys": [public_jwk("k1")]}, 500)),
    "a page": ("/jwks", lambda _: gives(b"<html>")),
    "a list": ("/jwks", lambda _: gives([public_jwk("k1")])),
    "no list": ("/jwks", lambda _: gives({"keys": {"k1": public_jwk("k1")}})),
    "two lists": ("/jwks", lambda _: gives(b'{"keys": [], "keys": []}')),
    "too many": ("/jwks", lambda _: gives({"keys": [public_jwk(f"k{number}") for number in range(101)]})),
    "metadata of another issuer": (METADATA, lambda i: gives({"issuer": "https://x", "jwks_uri": f"{i.url}/jwks"})),
    "metadata without keys": (METADATA, lambda i: gives({"issuer": i.url})),
    "keys over http": (METADATA, lambda i: gives({"issuer": i.url, "jwks_uri": "http://192.0.2.1/jwks"})),
    "keys in a file": (METADATA, lambda i: gives({"issuer": i.url, "jwks_uri": "file:///etc/passwd"})),
    "metadata redirected": (METADATA, lambda i: gives(b"", 307, {"Location": f"{i.url}/other"})),
}


@pytest.mark.parametrize(("path", "make"), UNUSABLE.values(), ids=UNUSABLE.keys())
async def test_an_answer_that_can_not_be_used_gives_no_key_and_takes_none(
    issuer: Issuer,
    clock: Time,
    path: str,
    make: Callable[[Issuer], Answer],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if make(issuer) is drips:
        monkeypatch.setattr(module, "FETCH_SECONDS", 0.2)
    issuer.answers["/other"] = gives({"keys": [public_jwk("k1")], "issuer": issuer.url, "jwks_uri": "/jwks"})
    before, after = keys_of(issuer, clock, None), keys_of(issuer, clock, None)
    assert await before.find("k1", ES256) is not None
    issuer.answers[path] = make(issuer)
    clock.seconds += FRESH_SECONDS
    assert await before.find("k1", ES256) is not None
    assert await after.find("k1", ES256) is None
    assert "can't be had" in caplog.text
    assert "/other" not in issuer.fetched


@pytest.mark.parametrize(
    ("path", "metadata"),
    [
        ("", "/.well-known/openid-configuration"),
        ("/", "/.well-known/openid-configuration"),
        ("/tenant", "/tenant/.well-known/openid-configuration"),
        ("/tenant", "/.well-known/oauth-authorization-server/tenant"),
    ],
)
async def test_keys_are_found_by_the_issuers_metadata(issuer: Issuer, clock: Time, path: str, metadata: str) -> None:
    named: dict[str, Any] = {"issuer": issuer.url + path, "jwks_uri": f"{issuer.url}/jwks"}
    issuer.answers[METADATA] = gives(b"", 404)
    issuer.answers[metadata] = gives(named)
    keys = IssuerKeys(issuer.url + path, None, (ES256,), clock)
    assert await keys.find("k1", ES256) is not None
