"""The manifests: whether they can be read, and what stands there that is hardly meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lambda_warden.doctor.finding import Finding, State
from lambda_warden.errors import ManifestError
from lambda_warden.manifests.load import LoadedManifest, load_manifests
from lambda_warden.report.visible import inline

_PLACED: Final = re.compile(r"(?P<source>.+?:[0-9]+): (?P<problem>.*)", re.DOTALL)
_CORRECT: Final = "correct that; `lambda-warden check` reads it again"
_LOCK: Final = "`lambda-warden lock`, and review what it writes"
_MEANT: Final = "correct the manifest, unless that is meant"


def look_at_manifests(paths: Sequence[Path]) -> tuple[LoadedManifest | None, list[Finding]]:
    """Read manifests as one. Gives them, or None if they can't be used, and what there is to say of them."""
    try:
        loaded = load_manifests(paths)
    except ManifestError as error:
        step = make_step(paths) or _CORRECT
        return None, [_placed("problem", named(paths), line, step) for line in error.problems]
    warnings = [_placed("warning", named(paths), line, _MEANT) for line in loaded.warnings()]
    return loaded, [*warnings, *(_placed("problem", named(paths), line, _LOCK) for line in loaded.lock_problems())]


def named(paths: Sequence[Path]) -> str:
    """The manifests, as they were given."""
    return inline(", ".join(map(str, paths)))


def make_step(paths: Sequence[Path]) -> str | None:
    """How to make the first manifest that is not there; None if all are."""
    missing = next((path for path in paths if not path.exists()), None)
    return None if missing is None else f"`lambda-warden init --output {inline(str(missing))}` makes one to review"


def _placed(state: State, subject: str, line: str, step: str) -> Finding:
    """A finding of a line that begins with the place it speaks of, or with the file's name."""
    if match := _PLACED.fullmatch(line):
        return Finding(state, "manifest", subject, inline(match["problem"]), step, match["source"])
    return Finding(state, "manifest", subject, inline(line).removeprefix(f"{subject}: "), step)
