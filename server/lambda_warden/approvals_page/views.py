"""What the pages show of a request, and the templates that show it. Every text is escaped, whoever wrote it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from lambda_warden.report.text import OUTSIDE
from lambda_warden.report.visible import visible
from lambda_warden.store.approvals import ApprovalState, DecidedHow, PendingApproval

_HERE: Final = Path(__file__).parent
STYLE: Final = (_HERE / "style.css").read_text(encoding="utf-8")

STATES: Final[dict[ApprovalState, str]] = {
    "pending": "waits for a decision",
    "approved": "approved",
    "denied": "denied",
    "used": "approved, and the call was made",
    "expired": "expired",
    "void": "void: asked for again, and something else would have run",
}
HOWS: Final[dict[DecidedHow, str]] = {"terminal": "on the terminal", "page": "on the page", "token": "by a program"}
# Words of scripts that are written from right to left (the ranges that Unicode keeps for them).
_RIGHT_TO_LEFT: Final = re.compile(
    "[{0}]+(?: +[{0}]+)*".format("\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff")
)


def block(text: str) -> Markup:
    """A text of several lines as HTML, in the order in which it stands.

    A browser would turn `["א", 1, 2]` round: what is between words of such a script follows them, unless each such
    word stands for itself.
    """
    return Markup(_RIGHT_TO_LEFT.sub(r"<bdi>\g<0></bdi>", str(escape(visible(text)))))  # noqa: S704 - escaped


def lines(text: str) -> list[tuple[str, bool]]:
    """The lines of a question, each with whether it is data from outside, without the mark of these.

    A browser breaks a long line, and its rest then stands where a line of ours would: the page has to mark it whole.
    """
    return [(line.removeprefix(OUTSIDE), line.startswith(OUTSIDE)) for line in text.split("\n")]


def left(seconds: float) -> str:
    """How long there is still time, in words.

    >>> left(725), left(59.9), left(7200), left(-1)
    ('12 min 5 s', '59 s', '2 h 0 min', 'no time')
    """
    if seconds <= 0:
        return "no time"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes_left} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def expires(pending: PendingApproval) -> str:
    """When a request expires, by the clock of this machine, where its reader is."""
    at = (datetime.now(UTC) + timedelta(seconds=pending.left_seconds)).astimezone()
    return f"{at:%Y-%m-%d %H:%M:%S %Z}"


def function(pending: PendingApproval) -> dict[str, str]:
    """The parts of a qualified ARN by name, the function with its qualifier as `name`.

    Whoever can write to the records can have put there what is none: that is shown whole.
    """
    parts = pending.ask.function.split(":", 6)  # arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME:QUALIFIER
    if len(parts) < 7:
        return {"region": "?", "account": "?", "name": pending.ask.function}
    return {"region": parts[3], "account": parts[4], "name": parts[6]}


def _shown(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_shown,  # for every text, so that none is forgotten
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters.update(block=block, lines=lines, left=left, expires=expires, function=function)
_TEMPLATES.globals.update(states=STATES, hows=HOWS)


def render(template: str, **values: Any) -> str:
    """A page as HTML."""
    return _TEMPLATES.get_template(f"{template}.html").render(values)
