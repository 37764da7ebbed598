"""How the server is built: the arrows of import, as pyproject.toml states them, and what stands in one place."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "server" / "lambda_warden"
LOADED_LATE = (
    "lambda_warden.aws",
    "lambda_warden.store.dynamodb",
    "lambda_warden.store.s3",
    "lambda_warden.telemetry.sdk",
)


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


def test_imports_stand_at_the_top_but_for_what_loads_boto3_or_an_extra() -> None:
    inner = {
        module
        for path in PACKAGE.rglob("*.py")
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for module in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [name.name for name in node.names])
        if not (module.startswith(LOADED_LATE) or "functions" in path.parts)
    }
    assert inner == set()


def imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    froms = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return froms | {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}


def test_sqlite_is_known_to_its_own_folder_alone_and_the_seam_of_stores_to_one_line() -> None:
    store = PACKAGE / "store"
    outside = [path for path in PACKAGE.rglob("*.py") if store / "sqlite" not in path.parents]
    assert {path.name for path in outside if "sqlite3" in imported(path)} == set()
    assert [(path.name, name) for path in outside for name in imported(path) if "store.sqlite" in name] == [
        ("opening.py", "lambda_warden.store.sqlite.store")
    ]
    assert not any("pathlib" in imported(store / f"{name}.py") for name in ("audit_log", "results", "hash_chain"))


def test_a_start_does_not_load_boto3() -> None:
    late = {"boto3", "botocore", "genson", "ministack", "questionary", "rich"}
    look = f"import sys, lambda_warden.cli; print(sorted({late} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_only_the_sqlite_store_knows_sqlite() -> None:
    knows = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if "sqlite3" in _imported(path)}
    assert knows
    assert {path.parts[:2] for path in knows} == {("store", "sqlite")}


def test_the_denial_of_a_call_is_recorded_in_one_place() -> None:
    places = {path.name for path in (PACKAGE / "invocation").glob("*.py") if '"denial"' in path.read_text()}
    assert places == {"recording.py"}


def test_no_two_classes_share_a_name() -> None:
    names = Counter(
        node.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in names.items() if count > 1] == []


def _imported(path: Path) -> set[str]:
    return {
        module
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for module in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [name.name for name in node.names])
    }
