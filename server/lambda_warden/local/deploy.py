"""Deploy the sample functions, with versions and aliases."""

from __future__ import annotations

import io
import zipfile
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

FUNCTIONS = {
    "order-lookup": 10,
    "order-refund": 10,
    "sales-report": 10,
    "inventory-sync": 10,
    "nightly-export": 3,
}
"""Each function's name, and its own timeout in seconds. The code is `functions/NAME.py`."""


def deploy(client: LambdaClient, account: str) -> None:
    """Create the sample functions, publish a version of each, and point the alias `live` at the newest."""
    for name, timeout in FUNCTIONS.items():
        module = name.replace("-", "_")
        source = resources.files("lambda_warden.local.functions").joinpath(f"{module}.py").read_text("utf-8")
        version = client.create_function(
            FunctionName=name,
            Description=source.splitlines()[0].strip('"'),
            Runtime="python3.12",
            Role=f"arn:aws:iam::{account}:role/demo",
            Handler=f"{module}.handler",
            Code={"ZipFile": zipped(module, source)},
            Timeout=timeout,
            MemorySize=128,
            Publish=True,
        )["Version"]
        if name == "order-lookup":
            # A second version, so that an alias and a pinned version differ.
            client.update_function_code(FunctionName=name, ZipFile=zipped(module, source + "\n# second edition\n"))
            version = client.publish_version(FunctionName=name)["Version"]
        client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)


def zipped(module: str, source: str) -> bytes:
    """A deployment package with one module."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"{module}.py", source)
    return buffer.getvalue()
