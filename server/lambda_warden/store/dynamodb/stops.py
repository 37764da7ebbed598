"""What keeps calls from being admitted: a pause, and functions that failed too often in a row.

All calls of all servers would have the pause in their transactions, and get in each other's way. So each server has a
sign of its own, which whoever pauses puts up for all that are there, with the pause or right after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Final

from lambda_warden.store.audit_log import CircuitBreaker, CircuitOpen, FailureRun, Pause
from lambda_warden.store.dynamodb import keys
from lambda_warden.store.dynamodb.transaction import Body, Transaction

_AT_ONCE: Final = 50
"""How many servers one transaction stops."""
_FAILED: Final = ("function_error", "unknown")


def stopped_by(tx: Transaction, now: float, breaker: CircuitBreaker | None) -> Pause | CircuitOpen | None:
    """What keeps a call from being admitted now."""
    if pause := paused(tx):
        return pause
    return None if breaker is None else circuit(tx, now, breaker)


def circuit(tx: Transaction, now: float, breaker: CircuitBreaker) -> CircuitOpen | None:
    """Whether a function has failed too often, a moment ago at the latest.

    While there are no failures the transaction does not depend on that: all calls of the function would.
    """
    key = keys.run(breaker.function)
    if tx.peek(key) is None or (run := tx.get(key)) is None:
        return None
    wait = breaker.wait_seconds(run["failures"], now - run["failed_at"])
    return CircuitOpen(breaker.function, run["failures"], wait) if wait > 0 else None


def paused(tx: Transaction) -> Pause | None:
    """The pause, if calls are paused."""
    found = tx.peek(keys.PAUSE)
    return None if found is None else Pause(**found)


def paused_for(tx: Transaction, writer: str) -> Pause | None:
    """The pause, if calls are paused, for a call that is about to be admitted by a server."""
    if tx.get(keys.stop(writer)) is None:
        return None
    if (found := tx.get(keys.PAUSE)) is None:
        tx.delete(keys.stop(writer))
        return None
    return Pause(**found)


def pause(tx: Transaction, begun: Pause) -> None:
    """Pause calls, which are not paused yet, for all servers that begin from now on. For the others, see `stop`."""
    tx.get(keys.PAUSE)
    tx.put(keys.PAUSE, asdict(begun))


def stop(tx: Transaction, writers: Iterable[str]) -> bool:
    """Have servers look for the pause before they admit a call; as many as fit. Returns whether there were any."""
    signs = [keys.stop(writer) for writer in writers]
    tx.fetch(signs)
    missing = [sign for sign in signs if tx.peek(sign) is None][:_AT_ONCE]
    for sign in missing:
        tx.put(sign, {})
    return bool(missing)


def count(tx: Transaction, now: float, time_of_day: str, function: str, outcome: object) -> None:
    """Count how a call ended. What says neither that the function failed nor that it works changes nothing."""
    run = tx.peek(keys.run(function))
    if outcome == "succeeded":
        if run is not None:
            tx.delete(keys.run(function))
    elif outcome in _FAILED:
        failures = 1 if run is None else run["failures"] + 1
        tx.put(keys.run(function), {"failures": failures, "failed_at": now, "time_of_day": time_of_day})


def forget(tx: Transaction, function: str) -> bool:
    """End a function's run of failures. Returns whether there was one."""
    found = tx.peek(keys.run(function)) is not None
    if found:
        tx.delete(keys.run(function))
    return found


def failure_run(function: str, body: Body) -> FailureRun:
    """A run of failures, as an item says it."""
    return FailureRun(function, body["failures"], body["time_of_day"])
