"""Reads the JSON Schemas that stand in files of their own."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from lambda_warden.jsontools.strict_json import parse_json
from lambda_warden.manifests.document import SIZE_LIMIT
from lambda_warden.manifests.regular_file import read_regular


def read_schema(name: str, folder: Path) -> tuple[dict[str, Any], str]:
    """Read a schema file below a manifest's folder, and its SHA-256: links that lead out of it are not followed.

    Raises:
        ValueError: if it is not below that folder, can't be read or holds no JSON object.
    """
    try:
        root = folder.resolve()
        path = (root / name).resolve()
        if path.is_relative_to(root):
            data = read_regular(path, SIZE_LIMIT + 1)
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a loop of links; ValueError: a NUL
        problem = error.strerror if isinstance(error, OSError) else error
        raise ValueError(f"{name!r} can't be read: {problem}. Expected a JSON Schema file") from None
    if not path.is_relative_to(root):
        raise ValueError(f"{name!r} leads out of the manifest's folder. Expected a file below it")
    if len(data) > SIZE_LIMIT:
        raise ValueError(f"{name!r} is over {SIZE_LIMIT:,} bytes. Expected a JSON Schema file")
    try:
        schema = parse_json(data)
    except ValueError as error:
        raise ValueError(f"{name!r} is not JSON: {error}. Expected a JSON Schema file") from None
    if not isinstance(schema, dict):
        raise ValueError(f"{name!r} holds no JSON object. Expected a JSON Schema")
    return schema, hashlib.sha256(data).hexdigest()
