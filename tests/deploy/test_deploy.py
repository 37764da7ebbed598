"""The files for deployment: what they set exists, and the image's steps make a server that starts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import botocore.session
import click
import pytest
import yaml
from botocore.validate import validate_parameters

from lambda_warden.cli import main
from support.loopback_only import environment
from support.warden import allow, write_manifest

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "manifests" / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


class _Template(yaml.SafeLoader):
    """Reads CloudFormation's short forms (`!Ref`) as what they hold."""


def _short_form(loader: yaml.SafeLoader, _: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None


_Template.add_multi_constructor("!", _short_form)
STACK: dict[str, Any] = yaml.load((DEPLOY / "ecs.yaml").read_text(), _Template)["Resources"]  # noqa: S506 - as above


@pytest.mark.parametrize("name", ["Dockerfile", "ecs.yaml"])
def test_each_variable_is_one_of_an_option(name: str) -> None:
    assert isinstance(main, click.Group)
    serve = main.commands["serve"]
    options = {parameter.envvar for parameter in serve.params}
    set_here = set(re.findall(r"\bLAMBDA_WARDEN_[A-Z_]+\b", (DEPLOY / name).read_text()))
    assert set_here
    assert set_here <= options


def test_the_containers_can_write_nowhere_else_and_have_no_more_rights_than_they_need() -> None:
    for container in STACK["Task"]["Properties"]["ContainerDefinitions"]:
        assert container["ReadonlyRootFilesystem"] is True
        assert container["User"] == re.search(r"^USER (\S+)$", DOCKERFILE, re.M)[1]  # type: ignore[index]
        assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
        assert [mount["ContainerPath"] for mount in container["MountPoints"]] == ["/var/lib/warden"]
    (statements,) = (policy["PolicyDocument"]["Statement"] for policy in STACK["TaskRole"]["Properties"]["Policies"])
    for statement in statements:
        granted = statement[1] if isinstance(statement, list) else statement
        assert "*" not in str(granted["Action"])
        assert granted["Resource"] != "*"


def test_the_gateways_target_is_one_that_its_api_takes() -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "agentcore-gateway.md").read_text(), re.S)
    api = botocore.session.get_session().get_service_model("bedrock-agentcore-control")
    taken = api.operation_model("CreateGatewayTarget").input_shape
    assert taken is not None
    validate_parameters({"gatewayIdentifier": "gateway", **json.loads(shown)}, taken)


@pytest.mark.slow
def test_the_images_steps_make_a_server_that_starts(tmp_path: Path) -> None:
    """Runs the build stage's commands in a clean folder, with what the image is made of and nothing else."""
    context, target = tmp_path / "src", tmp_path / "warden"
    context.mkdir()
    for name in re.findall(r"^!(\S+)$", (DEPLOY / "Dockerfile.dockerignore").read_text(), re.M):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, context / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, context / name)
    (build,) = re.findall(r"^RUN (python -m venv (?:.*\\\n)*.*)$", DOCKERFILE, re.M)
    commands = build.replace("\\\n", "").replace("/opt/warden", str(target)).split("&&")
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "base")], check=True)
    path = {"PATH": f"{tmp_path / 'base' / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    outside = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    for command in commands:
        subprocess.run(["/bin/sh", "-c", command], cwd=context, env=outside | path, check=True)
    manifest = write_manifest(tmp_path, "http://127.0.0.1:9", [allow("f")])
    home = environment(str(tmp_path)) | {"PYTHONPATH": ""}
    served = subprocess.run(
        [target / "bin" / "lambda-warden", "serve", "--manifest", str(manifest), "--metrics-port", "0"],
        env=outside | home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert served.returncode == 0, served.stderr
    assert "serving metrics at" in served.stderr
