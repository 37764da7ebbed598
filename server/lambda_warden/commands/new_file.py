"""Files that commands write whole: a new one stands beside the old one until it can take its place."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path


def written_beside(place: Path, text: str, like: Path | None) -> Path:
    """Write a text to a file beside its place, on disk when this returns.

    Args:
        place: where it is to stand.
        text: what is written, in UTF-8.
        like: the file whose permissions it gets; if None, it is its owner's alone.

    Raises:
        OSError: if it can't be written. Then nothing of it is left.
    """
    descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}-", suffix=".tmp")
    made = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        if like is not None:
            shutil.copymode(like, made)
    except OSError:
        made.unlink(missing_ok=True)
        raise
    return made
