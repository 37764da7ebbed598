"""Notifiers: in the background, so that no call waits for them, and the end of the server doesn't, either."""

from __future__ import annotations

import asyncio
import json
import logging
import shlex
import shutil
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from lambda_warden.approvals.webhook import NotTold, webhook
from lambda_warden.errors import SettingsError
from lambda_warden.report.visible import inline
from lambda_warden.settings import Settings
from lambda_warden.store.approvals import PendingApproval

logger = logging.getLogger(__name__)

REASON_CHARACTERS: Final = 500
COMMAND_SECONDS: Final = 30.0
UNDER_WAY: Final = 100
"""Messages that may be on their way at once. Nobody is told of requests beyond them."""


class Way(Protocol):
    """One way to tell people."""

    @property
    def name(self) -> str:
        """What it is called in logs."""

    async def tell(self, message_id: str, body: bytes) -> None:
        """Hand a message over. Raises `NotTold`."""


@dataclass(frozen=True, slots=True)
class Command:
    """A program of the operator's, which gets the message on stdin. No shell reads its arguments."""

    arguments: Sequence[str]
    seconds: float = COMMAND_SECONDS

    @property
    def name(self) -> str:
        """What it is called in logs."""
        return f"the command {self.arguments[0]}"

    async def tell(self, message_id: str, body: bytes) -> None:  # noqa: ARG002 - it is in the message, too
        """Run it once, and wait for its end; it is killed if it takes too long. Raises `NotTold` if it fails."""
        # Over stdio, stdout is the client's.
        try:
            process = await asyncio.create_subprocess_exec(
                *self.arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
            )
        except OSError as error:
            raise NotTold(f"it can't be started: {error.strerror}") from error
        try:
            async with asyncio.timeout(self.seconds):
                await process.communicate(body)
        except TimeoutError:
            raise NotTold(f"it took longer than {self.seconds:g} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise NotTold(f"it ended with {process.returncode}")


class BackgroundNotifier:
    """Tells people in some ways, in a thread that keeps no process alive. A failure goes to stderr, and no further.

    Args:
        ways: each is tried by itself.
    """

    def __init__(self, ways: Sequence[Way]) -> None:
        self._ways = ways
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._under_way = 0

    def notify(self, pending: PendingApproval, url: str | None = None) -> None:
        """Tell of a new request. Returns at once."""
        body = json.dumps(message(pending, url), ensure_ascii=False).encode()
        with self._lock:
            if self._under_way >= UNDER_WAY:
                logger.error("nobody was told of request %s: too many are on their way", pending.ask.approval_id)
                return
            self._under_way += 1
            loop = self._running_loop()
        asyncio.run_coroutine_threadsafe(self._tell_all(pending.ask.approval_id, body), loop)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, daemon=True, name="notify").start()
        return self._loop

    async def _tell_all(self, message_id: str, body: bytes) -> None:
        try:
            await asyncio.gather(*(self._tell(way, message_id, body) for way in self._ways))
        finally:
            with self._lock:
                self._under_way -= 1

    @staticmethod
    async def _tell(way: Way, message_id: str, body: bytes) -> None:
        try:
            await way.tell(message_id, body)
        except NotTold as problem:
            logger.error("request %s was not told by %s: %s", message_id, way.name, problem)
        except Exception as error:  # noqa: BLE001 - whose message might hold the URL
            logger.error("request %s was not told by %s: %s", message_id, way.name, type(error).__name__)


def message(pending: PendingApproval, url: str | None = None) -> dict[str, object]:
    """What people are told of a request: never its payload. The reason is in the model's words."""
    ask = pending.ask
    return {
        "type": "approval.requested",
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": {
            "approval_id": ask.approval_id,
            "function": ask.function,
            "principal": ask.principal,
            "reason": None if ask.reason is None else inline(ask.reason)[:REASON_CHARACTERS],
            "expires_at": pending.until,
            "url": url,
        },
    }


def make_notifier(settings: Settings) -> BackgroundNotifier | None:
    """What tells people, if the operator set anything up. Raises `SettingsError` if that can't be used."""
    ways: list[Way] = []
    if settings.approval_webhook is not None:
        if settings.approval_webhook_secret_file is None:
            raise SettingsError("an approval webhook needs --approval-webhook-secret-file")
        ways.append(webhook(settings.approval_webhook, settings.approval_webhook_secret_file))
    if settings.approval_command is not None:
        ways.append(_command(settings.approval_command))
    return BackgroundNotifier(ways) if ways else None


def _command(line: str) -> Command:
    try:
        words = shlex.shlex(line, posix=True)
        words.whitespace_split, words.commenters = True, ""
        if sys.platform == "win32":  # where a backslash parts folders
            words.escape = ""
        arguments = list(words)
    except ValueError as error:
        raise SettingsError(f"the approval command can't be read: {error}") from None
    if not arguments or shutil.which(arguments[0]) is None:
        raise SettingsError(f"the approval command is no program that can be run: {arguments[:1]}")
    return Command(arguments)
