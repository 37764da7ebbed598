"""The wheel and the sdist: what they hold, and that each makes a server in an environment where nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path
from zipfile import ZipFile

import pytest
from mcp import Client, StdioServerParameters

from lambda_warden import __version__
from support.loopback_only import environment
from support.scripted_endpoint import ScriptedEndpoint
from support.uv import needs_uv, uv
from support.warden import allow, arn, structured, write_manifest

pytestmark = [needs_uv, pytest.mark.anyio]

ROOT = Path(__file__).parents[2]
DATA = ("py.typed", "approvals_page/style.css", "approvals_page/templates/layout.html", "local/manifest.yaml")


def files_in(base: Path, folders: Iterable[str]) -> set[str]:
    """Paths below `base` of all files in its folders."""
    return {
        path.relative_to(base).as_posix()
        for folder in folders
        for path in (base / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_package_and_nothing_else(built: Path) -> None:
    (path,) = built.glob("*.whl")
    with ZipFile(path) as wheel:
        names = set(wheel.namelist())
        about = {name.partition(".dist-info/")[2] for name in names if ".dist-info/" in name}
        metadata = wheel.read(f"lambda_warden-{__version__}.dist-info/METADATA").decode()
    assert about == {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
    assert {name for name in names if ".dist-info/" not in name} == files_in(ROOT / "server", ["lambda_warden"])
    assert {f"lambda_warden/{name}" for name in DATA} <= names
    for line in ("License-Expression: MIT", f"Version: {__version__}", "mcp-name: "):
        assert line in metadata


def test_the_sdist_holds_what_users_get_and_no_tests(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    texts = {"README.md", "SECURITY.md", "CHANGELOG.md", "LICENSE"}
    made = {"PKG-INFO", "pyproject.toml", ".gitignore"}
    assert names == files_in(ROOT, ["server", "docs", "manifests"]) | texts | made


@pytest.mark.parametrize("kind", ["whl", pytest.param("tar.gz", marks=pytest.mark.slow)])
async def test_each_is_installed_into_an_empty_environment_and_serves(
    kind: str, built: Path, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    (package,) = built.glob(f"*.{kind}")
    uv("venv", "--python", sys.executable, tmp_path / "venv")
    uv("pip", "install", "--link-mode", "symlink", "--python", tmp_path / "venv", package)
    uv("pip", "check", "--python", tmp_path / "venv")
    variables = environment(str(tmp_path))

    def ran(program: str, *arguments: str) -> str:
        return subprocess.run(
            [str(tmp_path / "venv" / "bin" / program), *arguments],
            env=os.environ | variables,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert Path(ran("python", "-c", "import lambda_warden; print(lambda_warden.__file__)")).is_relative_to(tmp_path)
    assert ran("lambda-warden", "--version") == f"lambda-warden, version {__version__}\n"
    assert "orders-refund" in ran("lambda-warden", "check", str(ROOT / "manifests" / "example.yaml"))
    manifest = write_manifest(tmp_path, endpoint.url, [allow("f", effect="read")])
    command = str(tmp_path / "venv" / "bin" / "lambda-warden")
    serve = ["serve", "--manifest", str(manifest), "--no-sign-request"]
    async with Client(StdioServerParameters(command=command, args=serve, env=variables)) as client:
        listed = structured(await client.call_tool("list_functions", {}))
        called = structured(await client.call_tool("invoke_function", {"function": "f", "qualifier": "live"}))
    assert [function["function"] for function in listed["functions"]] == [arn("f")]
    assert called["outcome"] == "succeeded"


def test_it_runs_without_being_installed(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    run = uv("tool", "run", "--python", sys.executable, "--from", wheel, "lambda-warden", "--version")
    assert run == f"lambda-warden, version {__version__}\n"
