"""The door between a call's worker thread and whoever waits for it: a call that was given up is not sent any more."""

from __future__ import annotations

import threading


class Passage:
    """Decides, once, whether a call is sent or given up. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun = self._sent = self._given_up = False

    def begin(self) -> bool:
        """The worker starts. False: it was given up before, and there is nothing to do."""
        with self._lock:
            self._begun = not self._given_up
            return self._begun

    def send(self) -> bool:
        """The worker is about to send. False: nobody waits any more, so it must not."""
        with self._lock:
            self._sent = not self._given_up
            return self._sent

    def give_up(self) -> None:
        """Nobody waits any more. What was not sent yet stays unsent."""
        with self._lock:
            self._given_up = True

    @property
    def begun(self) -> bool:
        """Whether the worker started."""
        return self._begun

    @property
    def sent(self) -> bool:
        """Whether the call was sent, or was about to be when it was given up."""
        return self._sent
