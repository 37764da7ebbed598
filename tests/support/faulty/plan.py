"""What is to happen to the calls of one function: a fault by name or by draw, and how its answer looks.

Pure, so that tests can tell beforehand what the endpoint will do.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Final


class PlanError(ValueError):
    """A function's name, or a behaviour that was set, asks for something that there is not."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way for a call to end.

    Attributes:
        starts: whether the function starts.
        argument: its number where none is given: milliseconds, if `what` says nothing else.
        what: what the client meets.
        of_streams: whether it is for InvokeWithResponseStream alone.
    """

    starts: bool
    what: str
    argument: int = 0
    of_streams: bool = False


FAULTS: Final[Mapping[str, Fault]] = MappingProxyType(
    {
        "ok": Fault(True, "the answer: the payload that was sent"),
        "slow": Fault(True, "the answer, that much later; given up if the client leaves", 200),
        "answer_late": Fault(True, "the answer, that much later, written even if the client left", 1000),
        "drip": Fault(True, "the answer in 40 pieces, or of `chunk` bytes each, with that much between two", 5),
        "hang": Fault(True, "no answer until the client closes"),
        "hold": Fault(True, "no answer until the control API releases all that are held"),
        "function_error": Fault(True, "200 with X-Amz-Function-Error: Unhandled; a stream without a chunk"),
        "stale": Fault(True, "the answer, and that much later the idle connection is closed", 5),
        "stale_race": Fault(True, "the answer, and the connection is reset when it brings the next request"),
        "reset_before_reading": Fault(False, "RST, with nothing read"),
        "close_before_reading": Fault(False, "FIN, with nothing read"),
        "reset_after_headers": Fault(False, "RST after the headers and at most a part of the body"),
        "reset_after_body": Fault(True, "RST instead of an answer"),
        "close_after_body": Fault(True, "FIN instead of an answer"),
        "reset_mid_answer": Fault(True, "half of the body, then RST"),
        "truncated_body": Fault(True, "half of the body that Content-Length announced, then FIN"),
        "wrong_length": Fault(True, "the whole answer and, uncounted by Content-Length, a second, forged one"),
        "short_length": Fault(True, "a Content-Length of half of the body that follows"),
        "malformed_error": Fault(True, "500 with a body that is half of a JSON document"),
        "garbage": Fault(True, "bytes that are not HTTP, then FIN"),
        "headers_only": Fault(True, "status line and headers, and that much later FIN"),
        "headers_hang": Fault(True, "status line and headers, then nothing until the client closes"),
        "400": Fault(False, "InvalidParameterValueException"),
        "403": Fault(False, "AccessDeniedException"),
        "404": Fault(False, "ResourceNotFoundException"),
        "409": Fault(False, "ResourceConflictException"),
        "413": Fault(False, "RequestTooLargeException"),
        "429": Fault(False, "TooManyRequestsException"),
        "429_retry_after": Fault(False, "TooManyRequestsException with Retry-After, in seconds", 1),
        "500_started": Fault(True, "ServiceException, and the function runs"),
        "500_not_started": Fault(False, "ServiceException, and it does not"),
        "502": Fault(True, "a gateway's HTML: it runs, and its answer is lost"),
        "503": Fault(False, "ServiceUnavailableException"),
        "504": Fault(True, "a gateway's HTML: it runs longer than the gateway waits"),
        "stream_error": Fault(True, "half of the chunks, then InvokeComplete with an ErrorCode", of_streams=True),
        "stream_exception": Fault(True, "half of the chunks, then a message of type exception", of_streams=True),
        "stream_unmodeled": Fault(True, "half of the chunks, then a message of type error", of_streams=True),
        "stream_cut": Fault(True, "half of the chunks, then RST", of_streams=True),
        "stream_cut_frame": Fault(True, "half of the chunks and half a frame, then RST", of_streams=True),
        "stream_no_complete": Fault(True, "half of the chunks, then an orderly end of the body", of_streams=True),
        "stream_bad_crc": Fault(True, "half of the chunks, then a frame whose checksum is wrong", of_streams=True),
        "stream_hang": Fault(True, "half of the chunks, then nothing until the client closes", of_streams=True),
        "stream_drip": Fault(True, "all chunks, with that much between two", 20, of_streams=True),
    }
)

BEFORE_BODY: Final = frozenset({"reset_before_reading", "close_before_reading", "reset_after_headers"})
"""Faults that meet a request which the endpoint does not take in."""

OF_CONNECTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "reset_before_reading": "RST as soon as the connection is there",
        "close_before_reading": "FIN as soon as the connection is there",
        "accept_hang": "nothing is ever read",
        "tls_refuse": "RST after the ClientHello",
        "tls_close": "FIN after the ClientHello",
        "tls_alert": "a handshake_failure alert after the ClientHello",
    }
)
"""Faults that meet a connection, whatever it would have brought."""

_ENDLESS = ("hang", "hold", "headers_hang", "stream_hang")

WEIGHTS: Final[Mapping[str, float]] = MappingProxyType(
    {name: 20.0 if name == "ok" else 1.0 for name, f in FAULTS.items() if not f.of_streams and name not in _ENDLESS}
)
"""What is drawn from for Invoke, if nothing else is said: ok in about 4 of 10 calls, and every fault that ends."""

STREAM_WEIGHTS: Final[Mapping[str, float]] = MappingProxyType(
    {name: 20.0 if name == "ok" else 1.0 for name in FAULTS if name not in _ENDLESS}
)
"""As above, for InvokeWithResponseStream."""


def draw(seed: int, call: str, attempt: int, weights: Mapping[str, float]) -> str:
    """The fault of one attempt (from 1) of a call: the same for the same arguments, whatever else goes on."""
    return _choose(f"{seed}:{call}:{attempt}", weights)


def draw_version(seed: int, call: str, weights: Mapping[str, float]) -> str:
    """The version that an alias leads a call to."""
    return _choose(f"{seed}:{call}:version", weights)


def _choose(seed: str, weights: Mapping[str, float]) -> str:
    names = sorted(weights)
    return random.Random(seed).choices(names, [weights[name] for name in names])[0]  # noqa: S311


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens to the calls of a function.

    Attributes:
        fault: a name in FAULTS.
        argument: the fault's number; None for its default.
        draws: whether each attempt's fault is drawn instead.
        weights: what is drawn from; None for the endpoint's own.
        sleep_ms: how long the function runs.
        size: bytes of the answer; None to echo the payload.
        chunk: bytes of a piece, of a stream or of `drip`; None for a default.
        log_lines: lines that the function logs.
        aliases: which versions an alias leads to, by weight; `*` stands for all aliases that are not named.
        configuration: members that GetFunctionConfiguration answers with, beside the usual or instead of them.
        metadata: a name in FAULTS, for GetFunctionConfiguration and GetAlias.
    """

    fault: str = "ok"
    argument: int | None = None
    draws: bool = False
    weights: Mapping[str, float] | None = None
    sleep_ms: int = 0
    size: int | None = None
    chunk: int | None = None
    log_lines: int = 1
    aliases: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: {"*": {"1": 1.0}})
    configuration: Mapping[str, Any] = field(default_factory=dict)
    metadata: str = "ok"

    def routes(self, alias: str) -> Mapping[str, float]:
        """Versions and weights behind an alias."""
        return self.aliases.get(alias) or self.aliases["*"]


def parse_name(name: str) -> Plan:
    """Read a plan off a function's name.

    Raises:
        PlanError: if a part begins with a word of the language and does not go on as it has to.
    """
    plan = Plan()
    for part in name.split("--"):
        word = part.split("-", 1)[0]
        if word in _PARTS:
            match = _PARTS[word].fullmatch(part)
            if match is None:
                raise PlanError(f"{part!r} does not fit {_PARTS[word].pattern}")
            plan = change(plan, _changes(plan, word, match.groupdict()))
    return plan


def change(plan: Plan, changes: Mapping[str, Any]) -> Plan:
    """A plan with some attributes set, as the control API gives them. Weights make it draw.

    Raises:
        PlanError: if there is no such attribute or fault.
    """
    if unknown := set(changes) - {known.name for known in fields(Plan)}:
        raise PlanError(f"a behaviour has no {', '.join(sorted(unknown))}")
    for name, least in _NUMBERS.items():
        if not isinstance(changes.get(name, least), int) or changes.get(name, least) < least:
            raise PlanError(f"{name} is a whole number from {least}")
    changed = replace(plan, **changes)
    if changed.weights is not None:
        changed = replace(changed, draws=True, weights=checked_weights(changed.weights))
    if missing := {changed.fault, changed.metadata} - FAULTS.keys():
        raise PlanError(f"there is no fault {', '.join(sorted(missing))}")
    return replace(changed, aliases={**Plan().aliases, **changed.aliases})


def checked_weights(weights: Mapping[str, float]) -> Mapping[str, float]:
    """Weights of faults that there are, at least one above 0.

    Raises:
        PlanError: otherwise.
    """
    if unknown := weights.keys() - FAULTS.keys():
        raise PlanError(f"there is no fault {', '.join(sorted(unknown))}")
    if min(weights.values(), default=0) < 0 or not any(weights.values()):
        raise PlanError("weights are numbers from 0, and not all 0")
    return dict(weights)


_NUMBERS: Final = {"argument": 0, "sleep_ms": 0, "size": 0, "chunk": 1, "log_lines": 0}
_SIZE = r"(?P<number>\d+)(?P<unit>kb|mb|)"
_UNITS = {"": 1, "kb": 1024, "mb": 1024 * 1024}
_PARTS: Final = {
    word: re.compile(pattern, re.ASCII)
    for word, pattern in {
        "fault": r"fault-(?P<fault>[a-z0-9_]+)(?:-(?P<argument>\d+))?",
        "draw": "draw",
        "sleep": r"sleep-(?P<number>\d+)",
        "bytes": rf"bytes-{_SIZE}",
        "stream": rf"stream-{_SIZE}",
        "chunk": rf"chunk-{_SIZE}",
        "log": r"log-(?P<number>\d+)",
        "route": r"route-(?P<routes>\d+_\d+(?:-\d+_\d+)*)",
        "timeout": r"timeout-(?P<number>\d+)",
        "durable": "durable",
        "metadata": r"metadata-(?P<fault>[a-z0-9_]+)",
    }.items()
}


def _changes(plan: Plan, word: str, found: Mapping[str, str | None]) -> dict[str, Any]:
    number = int(found.get("number") or 0)
    match word:
        case "fault":
            return {"fault": found["fault"]} | ({"argument": int(found["argument"])} if found["argument"] else {})
        case "draw":
            return {"draws": True}
        case "sleep":
            return {"sleep_ms": number}
        case "bytes" | "stream":
            return {"size": number * _UNITS[found["unit"] or ""]}
        case "chunk":
            return {"chunk": max(1, number * _UNITS[found["unit"] or ""])}
        case "log":
            return {"log_lines": number}
        case "route":
            routes = (route.split("_") for route in (found["routes"] or "").split("-"))
            return {"aliases": {"*": {version: int(percent) / 100 for version, percent in routes}}}
        case "timeout":
            return {"configuration": {**plan.configuration, "Timeout": number}}
        case "durable":
            durable = {"DurableConfig": {"RetentionPeriodInDays": 1, "ExecutionTimeout": 3600}}
            return {"configuration": {**plan.configuration, **durable}}
        case _:
            return {"metadata": found["fault"]}
