"""What `npm install --prefix tests/clients` gets for the tests. Those that want it skip where that was not run."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

CLIENTS: Final = Path(__file__).parents[1] / "clients"
_PROGRAMS: Final = CLIENTS / "node_modules" / ".bin"
NODE: Final = str(_PROGRAMS / "node")
CONFORMANCE: Final = str(_PROGRAMS / "conformance")
MCPB: Final = str(_PROGRAMS / "mcpb")

needs_npm: Final = pytest.mark.skipif(
    not all(Path(path).exists() for path in (NODE, CONFORMANCE, MCPB)),
    reason="npm install --prefix tests/clients was not run",
)
