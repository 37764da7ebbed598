"""Watching manifests: a change, or SIGHUP, puts a new policy into force, whole or not at all, before the next call."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import anyio.to_thread

from lambda_warden.errors import ManifestError, SettingsError
from lambda_warden.manifests.load import LoadedManifest, load_manifests
from lambda_warden.manifests.stamp import Stamp, stamp_of

logger = logging.getLogger(__name__)

POLL_SECONDS: Final = 2.0
STILL_SECONDS: Final = 0.25
"""How long files have to look the same before they are read."""
WAIT_SECONDS: Final = 10.0
"""How long a call waits for files that go on changing."""


class Watcher:
    """Looks at the files of a manifest in a thread of its own.

    A change is read once two looks in a row have found the same, so that a file is not read while it is written. A
    writer that pauses longer can leave half a manifest that is valid: replace the file by renaming another onto it.

    Args:
        paths: as given to `load_manifests`.
        loaded: what they said when they were last read.
        apply: puts newly loaded manifests into force; SettingsError if they can't be. What else it raises says that
            they could not be put into force yet: that is tried again, and they are not current before.
        failed: is told why changed manifests did not come into force.
        poll_seconds: how often the files are looked at where no call comes.
        still_seconds: how far apart the two looks are.
        wait_seconds: how long a call waits for files that go on changing.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        loaded: LoadedManifest,
        apply: Callable[[LoadedManifest], None],
        failed: Callable[[str], None],
        poll_seconds: float = POLL_SECONDS,
        still_seconds: float = STILL_SECONDS,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._paths = paths
        self._apply = apply
        self._failed = failed
        self._poll_seconds = poll_seconds
        self._still_seconds = still_seconds
        self._wait_seconds = wait_seconds
        self._seen = dict(loaded.stamps)
        self._wake = threading.Event()
        self._asked = False
        self._told: str | None = None
        self._ending = threading.Event()
        self._settled = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="manifest-watcher", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching, and wait until a reload under way has ended."""
        self._ending.set()
        self._wake.set()
        self._thread.join()

    def reload(self) -> None:
        """Read the files again soon, changed or not. Safe to call from a signal handler."""
        self._asked = True
        self._wake.set()

    async def until_current(self) -> bool:
        """Wait until what is in force is what the files say now, or is known to be all that can be in force.

        Returns:
            False if the files went on changing all the time, or what they say could not be put into force yet.
        """
        return self.is_current() or await anyio.to_thread.run_sync(self.wait_until_current)

    def is_current(self) -> bool:
        """Whether that is so now. Waits for nothing."""
        seen = self._seen
        return _look(seen) == seen

    def wait_until_current(self) -> bool:
        """Wait as `until_current` does, in a thread."""
        end = time.monotonic() + self._wait_seconds
        with self._settled:
            while not self.is_current():
                self._wake.set()
                if (left := end - time.monotonic()) <= 0 or self._ending.is_set():
                    return False
                self._settled.wait(min(left, self._still_seconds))
        return True

    def _run(self) -> None:
        last: dict[Path, Stamp] = {}
        while not self._ending.is_set():
            look = _look(self._seen)
            if self._asked or (look != self._seen and look == last):
                self._asked = False
                self._load(look)
            last = look
            if look != self._seen and not self._asked:
                self._ending.wait(self._still_seconds)
            else:
                self._wake.wait(self._poll_seconds)
                self._wake.clear()

    def _load(self, look: dict[Path, Stamp]) -> None:
        seen = look
        try:
            loaded = load_manifests(self._paths)
            self._apply(loaded)
        except (ManifestError, SettingsError) as error:
            logger.error("the manifest was not reloaded, and what was in force stays in force:\n%s", error)
            self._failed(str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, what the files say is not in force
            if self._told != (told := f"{type(error).__name__}: {error}"):
                self._told = told
                logger.error("the manifest can't be put into force yet, so no call is decided on: %s", told)
            return
        else:
            self._told = None
            # Taken before the files were read: what was changed since then is seen at the next look.
            seen = dict(loaded.stamps)
            logger.warning("the manifest was reloaded: %s rules; the record has what changed", len(loaded.rules.all))
            for line in loaded.lock_problems():
                logger.warning("%s", line)
        with self._settled:  # not before: a call would be decided on by what is not in force yet
            self._seen = seen
            self._settled.notify_all()


def _look(paths: dict[Path, Stamp]) -> dict[Path, Stamp]:
    return {path: stamp_of(path) for path in paths}
