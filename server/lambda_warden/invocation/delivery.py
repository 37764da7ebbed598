"""Who gets the answer of a call: its caller, as long as that one waits for it; else whoever asks for it later."""

from __future__ import annotations

import threading

from lambda_warden.model.result import InvokeResult


class Delivery:
    """Decides, for the thread of a call and for its caller, which of the two came first. Safe to use from any thread.

    >>> delivery = Delivery()
    >>> delivery.begin(), delivery.leave(), delivery.begin()
    (True, False, False)
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = False
        self.answered_with: InvokeResult | None = None
        """What its caller is about to get."""
        self.admitted = False
        """Whether the call stands in the store, so that others find it."""
        self.waits_for_room = False
        """Whether nothing was admitted, and the call will be tried again."""
        self.taken: str | None = None
        """Whose answer its caller waits for: its own, or that of an earlier one that is the same."""

    def begin(self) -> bool:
        """The call is about to be admitted. Gives whether it still may."""
        with self._lock:
            self.waits_for_room = False
            return not self._left

    def wait_for_room(self) -> bool:
        """There is no room for the call yet. Gives whether it may wait for that, and begin again."""
        with self._lock:
            self.waits_for_room = not self._left
            return self.waits_for_room

    def takes(self, invocation_id: str) -> bool:
        """The answer of this call is about to count as its caller's. Gives whether that one still waits."""
        with self._lock:
            if not self._left:
                self.taken = invocation_id
            return not self._left

    def answer(self, result: InvokeResult) -> bool:
        """This answer is about to be recorded. Gives whether its caller will get it."""
        with self._lock:
            if not self._left:
                self.answered_with = result
            return not self._left

    def leave(self) -> bool:
        """Its caller waits no more. Gives whether its answer counts as delivered already, and is there in a moment."""
        with self._lock:
            self._left = True
            return self.answered_with is not None
