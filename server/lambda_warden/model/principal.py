"""Who asks."""

from __future__ import annotations

from typing import Final

LOCAL: Final = "local"
"""The principal of a server that was told of no other: whoever can start it."""
