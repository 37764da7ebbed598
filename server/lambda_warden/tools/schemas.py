"""The schemas of the tools, as `schemas.json` has them: made of the models once, when these change, and not at every
start, since making them takes longer than all else that a first tools/list needs.

    python -m lambda_warden.tools.schemas

writes them anew. A test holds them to the models.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from pydantic import BaseModel

FILE: Final = Path(__file__).with_name("schemas.json")

Mode = Literal["validation", "serialization"]


@cache
def schemas() -> dict[str, dict[str, dict[str, Any]]]:
    """By the name of a tool, its `input` and `output` schema."""
    read: dict[str, dict[str, dict[str, Any]]] = json.loads(FILE.read_text("utf-8"))
    return read


def made_of_the_models() -> dict[str, dict[str, dict[str, Any]]]:
    """What `schemas` has to be."""
    from lambda_warden.model import request, result

    models: dict[str, tuple[type[BaseModel], type[BaseModel]]] = {
        "list_functions": (request.ListArguments, result.ListResult),
        "dry_run": (request.InvokeArguments, result.DryRunResult),
        "invoke_function": (request.InvokeArguments, result.InvokeResult),
        "read_logs": (request.ReadLogsArguments, result.LogsResult),
        "read_result": (request.ReadResultArguments, result.ReadResult),
    }
    return {
        name: {"input": _schema(arguments, "validation"), "output": _schema(answer, "serialization")}
        for name, (arguments, answer) in models.items()
    }


def _schema(model: type[BaseModel], mode: Mode) -> dict[str, Any]:
    from lambda_warden.tools.plain_schema import PlainSchema

    schema = model.model_json_schema(mode=mode, schema_generator=PlainSchema)
    for definition in schema.get("$defs", {}).values():
        definition.pop("title", None)
    return {key: value for key, value in schema.items() if key not in ("title", "description")}


if __name__ == "__main__":
    FILE.write_text(json.dumps(made_of_the_models(), indent=1, ensure_ascii=False) + "\n", "utf-8")
