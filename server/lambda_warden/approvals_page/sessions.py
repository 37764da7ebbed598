"""Who may see the page: one-time links, and the sessions that they open. In memory only, gone with the process."""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

IDLE_SECONDS: Final = 15 * 60
"""After so long without a request of the person's own, a session is over."""
LONGEST_SECONDS: Final = 8 * 3600
"""After so long a session is over in any case."""


def _unguessable() -> str:
    return secrets.token_urlsafe(32)


@dataclass(slots=True)
class Session:
    """One browser that opened a link.

    Attributes:
        began: when it was opened, in seconds of the clock.
        used: when its person last asked for something.
        form_token: stands in each form, so that no other site can send one.
    """

    began: float
    used: float
    form_token: str = field(default_factory=_unguessable)

    def sent_by(self, form_token: str) -> bool:
        """Whether a form came from a page of this session."""
        return _same(self.form_token, form_token)


class Sessions:
    """One link that waits to be opened, and the sessions of those that were.

    Args:
        link_changed: told the token of each new link, for the terminal.
        clock: seconds, never going back.
    """

    def __init__(self, link_changed: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._announce = link_changed
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}
        self._token = ""
        self.new_link()

    def new_link(self) -> None:
        """Make a link; the one before is good no longer."""
        self._token = _unguessable()
        self._announce(self._token)

    def is_link(self, token: str) -> bool:
        """Whether a link is good. It stays so."""
        return _same(self._token, token)

    def open(self, token: str) -> str | None:
        """Use a link up.

        Returns:
            The id of a new session, whatever the browser had before; None if the link is not good.
        """
        with self._lock:
            if not self.is_link(token):
                return None
            self.new_link()
            now = self._clock()
            self._sessions = {name: each for name, each in self._sessions.items() if self._is_open(each, now)}
            session_id = _unguessable()
            self._sessions[session_id] = Session(began=now, used=now)
            return session_id

    def find(self, session_id: str, *, by_person: bool = True) -> Session | None:
        """The session of a browser, unless it is over.

        Args:
            session_id: as its cookie says.
            by_person: False for a page that reloads itself, which keeps no session open.
        """
        session, now = self._sessions.get(session_id), self._clock()
        if session is None or not self._is_open(session, now):
            return None
        if by_person:
            session.used = now
        return session

    @staticmethod
    def _is_open(session: Session, now: float) -> bool:
        return now - session.used < IDLE_SECONDS and now - session.began < LONGEST_SECONDS


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode(errors="surrogatepass"))
