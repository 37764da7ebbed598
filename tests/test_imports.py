"""The arrows of import, as pyproject.toml states them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_imports_go_the_ways_that_are_stated(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout
