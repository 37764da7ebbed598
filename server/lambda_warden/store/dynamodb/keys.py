"""Where each thing stands in the table: its partition key and its sort key.

| pk | sk | what |
|---|---|---|
| `writer#WRITER` | `head` | the end of a server's chain, and until when it is taken to live |
| `writer#WRITER` | SEQ, in 12 digits | an event |
| `writer#WRITER` | `stop` | calls may be paused: look |
| `writers` | WRITER | every server that ever wrote |
| `roster` | `roster` | the servers that write, and those whose end no start follows yet |
| `id#INVOCATION_ID` | `event#WRITER#SEQ` | that this event is of this call |
| `id#INVOCATION_ID` | `call` | how far a call is, and its answer, where another one may want it |
| `same#DIGEST` | `calls` | the calls of a principal for one request that another one may meet |
| `key#DIGEST` | `call` | the call that has an idempotency key |
| `limit#DIGEST` | `units` | what counts in a limit |
| `pause` | `pause` | the pause, while calls are paused |
| `runs` | FUNCTION | a function's failures in a row |
| `question#ID` | `question` | a question to a person, through the client |
| `approval#ID` | `request` | a request for approval out of band |
| `approvals` | TIME#ID | that there is such a request |
| `asked#DIGEST` | `requests` | the open requests of a principal for one request |
| `pending#DIGEST` | `requests` | the requests of a principal that nobody has decided on |

What others choose, such as keys and principals, stands there as a digest: of any length, and no one's secret.
"""

from __future__ import annotations

import hashlib
import json
from typing import Final

Key = tuple[str, str]

PAUSE: Final[Key] = ("pause", "pause")
ROSTER: Final[Key] = ("roster", "roster")
WRITERS: Final = "writers"
RUNS: Final = "runs"
APPROVALS: Final = "approvals"
EVENT: Final = "event#"
LIMIT: Final = "limit#"


def head(writer: str) -> Key:
    """The end of a chain."""
    return f"writer#{writer}", "head"


def stop(writer: str) -> Key:
    """The sign that calls may be paused."""
    return f"writer#{writer}", "stop"


def event(writer: str, seq: int) -> Key:
    """An event."""
    return f"writer#{writer}", f"{seq:012d}"


def event_of(invocation_id: str, writer: str, seq: int) -> Key:
    """That an event is of a call."""
    return f"id#{invocation_id}", f"{EVENT}{writer}#{seq:012d}"


def call(invocation_id: str) -> Key:
    """A call."""
    return f"id#{invocation_id}", "call"


def same(principal: str, request_digest: str) -> Key:
    """The calls for one request."""
    return f"same#{_digest(principal, request_digest)}", "calls"


def claimed(principal: str, key: str) -> Key:
    """Who has an idempotency key."""
    return f"key#{_digest(principal, key)}", "call"


def limit(key: str) -> Key:
    """A limit."""
    return f"{LIMIT}{_digest(key)}", "units"


def run(function: str) -> Key:
    """A run of failures."""
    return RUNS, function


def question(approval_id: str) -> Key:
    """A question to a person."""
    return f"question#{approval_id}", "question"


def approval(approval_id: str) -> Key:
    """A request for approval."""
    return f"approval#{approval_id}", "request"


def listed_approval(asked_at: float, approval_id: str) -> Key:
    """That there is a request for approval."""
    return APPROVALS, f"{round(asked_at * 1e6):016d}#{approval_id}"


def asked(principal: str, request_digest: str) -> Key:
    """The open requests for approval of one request."""
    return f"asked#{_digest(principal, request_digest)}", "requests"


def pending(principal: str) -> Key:
    """The requests for approval that nobody has decided on."""
    return f"pending#{_digest(principal)}", "requests"


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
