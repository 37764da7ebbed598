"""Builds the bundle that MCP hosts install by a click: `python build_mcpb.py WHEEL` writes it beside the wheel.

It holds the wheel of lambda-warden; what that depends on, the host's uv gets for the machine that it runs on.
"""

import sys
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

PACKAGES = Path(__file__).parent
PROJECT = """\
[project]
name = "lambda-warden-bundle"
version = "{version}"
requires-python = ">=3.11"
dependencies = ["lambda-warden"]

[tool.uv]
package = false

[tool.uv.sources]
lambda-warden = {{ path = "{wheel}" }}
"""


def build(wheel: Path) -> Path:
    """Write the bundle beside a wheel: of the same wheel, always the same bytes. Gives its path."""
    version = wheel.name.split("-")[1]
    files = {
        "manifest.json": (PACKAGES / "mcpb" / "manifest.json").read_bytes(),
        "pyproject.toml": PROJECT.format(version=version, wheel=wheel.name).encode(),
        "serve.py": (PACKAGES / "mcpb" / "serve.py").read_bytes(),
        "LICENSE": (PACKAGES.parents[1] / "LICENSE").read_bytes(),
        wheel.name: wheel.read_bytes(),
    }
    bundle = wheel.with_name(f"lambda-warden-{version}.mcpb")
    with ZipFile(bundle, "w") as archive:
        for name, content in files.items():
            archive.writestr(ZipInfo(name), content, ZIP_DEFLATED)
    return bundle


if __name__ == "__main__":
    print(build(Path(sys.argv[1])))
