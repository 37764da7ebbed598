"""Completion, as shells do it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from lambda_warden.cli import main
from support.loopback_only import environment

COMPLETED = {
    "rec": "records",
    "records ver": "verify",
    "serve --manif": "--manifest",
    "schema ": "manifest settings",
}
SCRIPT = """
source <(lambda-warden completion bash)
[[ $(complete -p lambda-warden) =~ -F\\ ([^ ]+) ]]
for line in "$@"; do
    IFS=' ' read -ra words <<< "$line"
    [[ $line = *' ' ]] && words+=('')
    COMP_WORDS=(lambda-warden "${words[@]}") COMP_CWORD=${#words[@]} COMPREPLY=()
    "${BASH_REMATCH[1]}" lambda-warden
    echo "${COMPREPLY[@]}"
done
"""


def program(name: str) -> str:
    """A program, or a skip."""
    found = shutil.which(name)
    return found or pytest.skip(f"{name} is not there")


def test_bash_completes_commands_options_and_choices(tmp_path: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        [program("bash"), "-c", SCRIPT, "bash", *COMPLETED],
        env=os.environ | environment(str(tmp_path)) | {"PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == list(COMPLETED.values())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_reads_what_is_printed(shell: str, tmp_path: Path) -> None:
    printed = CliRunner().invoke(main, ["completion", shell])
    assert printed.exit_code == 0
    file = tmp_path / "completion"
    file.write_text(printed.stdout)
    subprocess.run([program(shell), "-n", str(file)], check=True)
