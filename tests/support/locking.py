"""Lock files as `lambda-warden lock` writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lambda_warden.manifests.lock import lock_beside, lock_text
from lambda_warden.model.selector import Selector


def select(**keys: Any) -> dict[str, Any]:
    """A selector, as it stands in a manifest: of the usual account and region unless told otherwise."""
    return {"accounts": ["123456789012"], "regions": ["us-east-1"], **keys}


def write_lock(manifest: Path, *selected: tuple[Mapping[str, Any], list[str]]) -> Path:
    """Lock what selectors selected."""
    path = lock_beside(manifest)
    path.write_text(lock_text(manifest, [(Selector.model_validate(keys), arns) for keys, arns in selected]))
    return path
