"""The approver's secret: only who knows it has the key, and nobody tries many."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from lambda_warden.approvals.secret import FREE_TRIES, SecretError, read_approver, set_secret, unlock

RIGHT = "correct horse battery staple"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "new folder" / "approver.json"
    set_secret(path, RIGHT)
    return path


def test_the_file_is_the_owners_and_does_not_hold_the_secret(file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert json.loads(file.read_text()).keys() == {"version", "n", "salt", "public_key"}
    before = read_approver(file)
    set_secret(file, RIGHT)
    assert before is not None
    assert read_approver(file) not in (None, before), "the salt is another one"


@pytest.mark.parametrize("wrong", ["", "correct horse battery stapl", "Correct horse battery staple", RIGHT + " "])
def test_another_secret_has_no_key(file: Path, wrong: str) -> None:
    with pytest.raises(SecretError, match="not the approver's secret"):
        unlock(file, wrong)
    unlock(file, RIGHT)


def test_a_short_secret_is_not_taken(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="at least 12 characters"):
        set_secret(tmp_path / "a.json", "x" * 11)
    assert read_approver(tmp_path / "a.json") is None


def test_wrong_ones_in_a_row_have_to_wait_and_the_right_one_too(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr("lambda_warden.approvals.secret.time.time", lambda: now)
    for _ in range(FREE_TRIES):
        with pytest.raises(SecretError, match="not the approver's secret"):
            unlock(file, "wrong")
    for wait in (2, 4, 8):
        with pytest.raises(SecretError, match=f"the next try is in {wait} s"):
            unlock(file, RIGHT)
        now += wait
        with pytest.raises(SecretError, match="not the approver's secret"):
            unlock(file, "wrong")
    now += 16
    unlock(file, RIGHT)
    with pytest.raises(SecretError, match="not the approver's secret"):
        unlock(file, "wrong")
    unlock(file, RIGHT)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"version": 2}', '{"version": 1, "n": 65536, "salt": "00", "public_key": "00"}'],
)
def test_a_file_that_is_none_is_no_approvers(file: Path, text: str) -> None:
    file.write_text(text)
    for use in (lambda: read_approver(file), lambda: unlock(file, RIGHT)):
        with pytest.raises(SecretError, match="can't be read"):
            use()
