"""The .mcpb bundle: what its manifest says exists, and a host can start what is in it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from mcp import Client, StdioServerParameters

from lambda_warden import __version__
from lambda_warden.cli import main
from support.loopback_only import environment
from support.npm import CLIENTS, MCPB, NODE, needs_npm
from support.scripted_endpoint import ScriptedEndpoint
from support.uv import UV, needs_uv, uv
from support.warden import allow, arn, structured, write_manifest

ROOT = Path(__file__).parents[2]
SNAPSHOTS = ROOT / "tests" / "tools" / "snapshots"
PACKAGES = ROOT / "manifests" / "packages"
MANIFEST = PACKAGES / "mcpb" / "manifest.json"
SAID: dict[str, Any] = json.loads(MANIFEST.read_text())
# The package's own library says what a host makes of the manifest and of what its user filled in.
STARTED_AS = """
import { getMcpConfigForManifest } from "@anthropic-ai/mcpb";
const [manifest, extensionPath, userConfig] = process.argv.slice(-3);
const config = await getMcpConfigForManifest({ manifest: JSON.parse(manifest), extensionPath,
  userConfig: JSON.parse(userConfig), systemDirs: {}, pathSeparator: "/" });
console.log(JSON.stringify(config));
"""


def test_the_manifest_says_what_is_there() -> None:
    assert SAID["version"] == __version__
    assert {tool["name"] for tool in SAID["tools"]} == {path.stem for path in SNAPSHOTS.glob("*.json")}
    assert isinstance(main, click.Group)
    options = {option.envvar for option in main.commands["serve"].params}
    assert SAID["server"]["mcp_config"]["env"].keys() <= options
    asked = json.dumps(SAID["server"]["mcp_config"])
    assert all(f"${{user_config.{name}}}" in asked for name in SAID["user_config"])


@needs_npm
def test_the_manifest_fits_the_published_schema() -> None:
    subprocess.run([NODE, MCPB, "validate", str(MANIFEST)], check=True, timeout=60)


@needs_npm
@needs_uv
@pytest.mark.anyio
async def test_a_host_starts_what_is_in_the_bundle(built: Path, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    shutil.copy(wheel, tmp_path)
    build = [sys.executable, str(PACKAGES / "build_mcpb.py"), str(tmp_path / wheel.name)]
    bundle, again = (_ran(*build), Path(_ran(*build)).read_bytes())
    assert Path(bundle).name == f"lambda-warden-{__version__}.mcpb"
    assert Path(bundle).read_bytes() == again
    unpacked = tmp_path / "extension"
    _ran(NODE, MCPB, "unpack", bundle, str(unpacked))
    manifest = write_manifest(tmp_path, endpoint.url, [allow("f", effect="read")])
    filled_in = json.dumps({"manifest": str(manifest)})
    said = (unpacked / "manifest.json").read_text()
    config = json.loads(
        _ran(NODE, "--input-type=module", "-e", STARTED_AS, "--", said, str(unpacked), filled_in, cwd=CLIENTS)
    )
    assert config["command"] == "uv"
    uv(
        "sync", "--link-mode", "symlink", "--python", sys.executable, "--directory", unpacked
    )  # `uv run` would: but it knows no index from here
    variables = config["env"] | environment(str(tmp_path)) | {"LAMBDA_WARDEN_SIGN_REQUESTS": "false"}
    server = StdioServerParameters(command=UV, args=config["args"], env=variables)
    async with Client(server) as client:
        listed = structured(await client.call_tool("list_functions", {}))
    assert [function["function"] for function in listed["functions"]] == [arn("f")]


def _ran(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
