"""Watching manifests: a change, or SIGHUP, puts a new policy into force, whole or not at all."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from lambda_warden.errors import ManifestError, SettingsError
from lambda_warden.manifests.load import LoadedManifest, load_manifests
from lambda_warden.manifests.stamp import stamp_of

logger = logging.getLogger(__name__)

POLL_SECONDS: Final = 2.0


class Watcher:
    """Looks at the files of a manifest in a thread of its own.

    A change is read once two looks in a row have found the same, so that a file is not read while it is written. A
    writer that pauses longer can leave half a manifest that is valid: replace the file by renaming another onto it.

    Args:
        paths: as given to `load_manifests`.
        loaded: what they said when they were last read.
        apply: puts newly loaded manifests into force; SettingsError if they can't be.
        poll_seconds: how often the files are looked at.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        loaded: LoadedManifest,
        apply: Callable[[LoadedManifest], None],
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._paths = paths
        self._apply = apply
        self._poll_seconds = poll_seconds
        self._seen = dict(loaded.stamps)
        self._last_look = self._seen
        self._asked = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="manifest-watcher", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching, and wait until a reload under way has ended."""
        self._ended = True
        self._asked.set()
        self._thread.join()

    def reload(self) -> None:
        """Read the files again soon, changed or not. Safe to call from a signal handler."""
        self._asked.set()

    def _run(self) -> None:
        while True:
            asked = self._asked.wait(self._poll_seconds)
            if self._ended:
                return
            self._asked.clear()
            look = {path: stamp_of(path) for path in self._seen}
            if asked or (look != self._seen and look == self._last_look):
                self._seen = look
                self._load()
            self._last_look = look

    def _load(self) -> None:
        try:
            loaded = load_manifests(self._paths)
            self._apply(loaded)
        except (ManifestError, SettingsError) as error:
            logger.error("the manifest was not reloaded, and what was in force stays in force:\n%s", error)
        except Exception:
            logger.exception("the manifest was not reloaded, and what was in force stays in force")
        else:
            # Taken before the files were read: what was changed since then is seen at the next look.
            self._seen = dict(loaded.stamps)
            logger.warning("the manifest was reloaded: %s rules", len(loaded.rules.all))
