"""People whom rules name, at the approvals pages of a server, with access tokens of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import httpx2

from support.identity import Served
from support.issuer import RESOURCE

ORIGIN = RESOURCE.removesuffix("/mcp")


def key_file(folder: Path, byte: int = 7) -> Path:
    path = folder / f"approvals-{byte}.key"
    path.write_text(bytes([byte] * 32).hex())
    return path


@dataclass
class Person:
    """Somebody in a browser behind the company's proxy, which adds `headers` to each request."""

    url: str
    headers: Mapping[str, str]
    browser: Mapping[str, str] = field(default_factory=lambda: {"origin": ORIGIN, "sec-fetch-site": "same-origin"})

    async def open(self, path: str = "/") -> httpx2.Response:
        async with httpx2.AsyncClient(headers=self.headers) as client:
            return await client.get(f"{self._base}{path}")

    async def form_token(self, approval_id: str) -> str:
        shown = await self.open(f"/requests/{approval_id}")
        found = re.search(r'name="form_token" value="([^"]+)"', shown.text)
        return unescape(found[1]) if found else ""

    async def send(self, approval_id: str, **fields: str) -> int:
        """Send a form, or JSON where the headers say so, and give the status."""
        return (await self.answer(approval_id, **fields)).status_code

    async def answer(self, approval_id: str, **fields: str) -> httpx2.Response:
        """Send it, and give the whole answer."""
        async with httpx2.AsyncClient(headers={**self.headers, **self.browser}) as client:
            is_json = "content-type" in self.browser
            sent: Any = {"content": json.dumps(fields)} if is_json else {"data": fields}
            return await client.post(f"{self._base}/requests/{approval_id}", **sent)

    async def decide(self, approval_id: str, decision: str = "approve", note: str = "") -> int:
        """Open a request, and decide on it: 303 if that counts."""
        token = await self.form_token(approval_id)
        return await self.send(approval_id, form_token=token, decision=decision, note=note)

    @property
    def _base(self) -> str:
        return f"{self.url.removesuffix('/mcp')}/approvals"


def person(served: Served, name: str, *groups: str, **claims: Any) -> Person:
    token = served.issuer.token(**{"sub": name, "groups": list(groups), **claims})
    return Person(served.url, {"authorization": f"Bearer {token}"})
