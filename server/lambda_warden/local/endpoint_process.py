"""The embedded endpoint's own process: ministack, until the parent closes our standard input.

That pipe closes however the parent ends, also by SIGKILL, so no endpoint outlives its server.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import threading


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    shutil.rmtree(tempfile.gettempdir(), ignore_errors=True)
    os.killpg(os.getpgid(0), signal.SIGKILL)


if __name__ == "__main__":
    from ministack.app import main

    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.argv = sys.argv[:1]
    main()
