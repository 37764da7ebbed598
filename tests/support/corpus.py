"""The answers and logs of `tests/report/corpus`: each `NAME.yaml` there holds cases by their titles.

A case gives what AWS returns: `error` (X-Amz-Function-Error), `log` (the log tail; with `cut`, repeated until AWS would
cut it), and the payload as `json` (a value), `text` or `base64`. `$ID` is the request id of the call, `$OTHER` that of
another one; `$SECRET`, `$JWT` and the like are put together here, so that no scanner takes them for real.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any, Final

import yaml

from lambda_warden.answers.log import TAIL_LIMIT
from lambda_warden.model.outcome import Returned

FOLDER: Final = Path(__file__).parents[1] / "report" / "corpus"
SECRET: Final = "q7Zx3Kv9Wj5Yh2Bn8Dm4Fp6Rt1Gc0Ls7Uq3Ea9To"
WORDS: Final = {
    "ID": "8f507cfc-6c1b-4f0e-9d3f-000000000001",
    "OTHER": "8f507cfc-6c1b-4f0e-9d3f-000000000002",
    "AWSKEY": "AKIA" + "QZ7XKV3WJ5YH2BND",
    "SECRET": SECRET,
    "GITHUB": "gh" + f"p_{SECRET}",
    "JWT": "ey" + f"JhbGciOiJIUzI1NiJ9.ey{'J'}{SECRET}.{SECRET[::-1]}",
    "BEGINKEY": f"-----BEGIN RSA PRIVATE {'KEY'}-----",
    "ENDKEY": f"-----END RSA PRIVATE {'KEY'}-----",
}
FILES: Final = {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}
CASES: Final[dict[str, dict[str, Any]]] = {name: yaml.safe_load(path.read_text()) for name, path in FILES.items()}


def returned(case: dict[str, Any]) -> Returned:
    unknown = case.keys() - {"error", "log", "json", "text", "base64", "durable", "cut", "cause", "says", "next"}
    assert not unknown, unknown
    payload = b""
    if "json" in case:
        payload = filled(json.dumps(case["json"], ensure_ascii=False)).encode()
    elif "text" in case:
        payload = filled(case["text"]).encode()
    elif "base64" in case:
        payload = base64.b64decode(case["base64"])
    log = case.get("log")
    tail = log if isinstance(log, bytes) else filled(log).encode() if log else None
    if tail and case.get("cut"):
        tail = tail * (TAIL_LIMIT // len(tail) + 1)
    return Returned(
        200,
        payload,
        case.get("error"),
        tail and tail[-TAIL_LIMIT:],
        "42",
        case.get("durable"),
        WORDS["ID"],
        payload_sha256=hashlib.sha256(payload).hexdigest(),
    )


def filled(text: str) -> str:
    """The text with its words. A `$` that begins no word, as in `$LATEST`, stays."""
    return Template(text).safe_substitute(WORDS)


def strings_in(value: Any) -> Iterator[str]:
    """Every string in what JSON can say, but for names."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings_in(item)
