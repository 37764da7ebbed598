"""Bounds: texts and stack traces, cut where a reader sees that they are."""

from __future__ import annotations

from collections.abc import Sequence


def cut(text: str, limit: int) -> str:
    """The first `limit` characters of a text, with `…` behind them if there were more.

    Lone surrogates, which JSON may hold and no answer of ours can, become `?`.
    """
    shown = text if len(text) <= limit else text[:limit] + "…"
    return shown.encode(errors="replace").decode()


def cut_frames(frames: Sequence[str], limit: int, characters: int) -> list[str]:
    """Both ends of a stack trace, with how much is missing between them.

    Args:
        frames: in the order of the runtime.
        limit: how many are shown of a longer one; one more line says how many are not.
        characters: how much of each is shown.
    """
    if len(frames) <= limit + 1:  # the note would take as much
        return [cut(frame, characters) for frame in frames]
    half = limit // 2
    first, last = frames[:half], frames[len(frames) - half :]
    note = f"… {len(frames) - 2 * half} frames left out …"
    return [*(cut(frame, characters) for frame in first), note, *(cut(frame, characters) for frame in last)]
