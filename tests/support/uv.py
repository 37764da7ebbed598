"""uv, as CI runs it: with this machine's settings and cache of packages, and with the index, which may be reached."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

# As it was before tests changed it. What is installed for them must not be found by what they install.
_ENVIRONMENT: Final = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
UV: Final = os.environ.get("UV") or shutil.which("uv") or ""
_NO_INDEX: Final = re.compile(r"Failed to fetch|error sending request|network was disabled|dns error", re.I)

needs_uv: Final = pytest.mark.skipif(not UV, reason="uv is not there")


def uv(*arguments: str | Path) -> str:
    """Run a command, and give its stdout. The test skips where the index can't be reached, and fails otherwise."""
    done = subprocess.run([UV, *arguments], env=_ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode and _NO_INDEX.search(done.stderr):
        pytest.skip(f"the package index can't be reached: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return done.stdout
