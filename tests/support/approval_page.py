"""The approvals page on a port of this machine, and a browser without a screen, which keeps cookies."""

from __future__ import annotations

import http.client
import itertools
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lambda_warden.approvals.secret import ApproverKey, SecretError
from lambda_warden.approvals_page.app import ApprovalPages
from lambda_warden.approvals_page.serving import page_server
from lambda_warden.approvals_page.sessions import Sessions
from lambda_warden.store.approvals import ApprovalAsk, PendingApproval
from lambda_warden.store.audit_log import AuditLog
from lambda_warden.store.opening import open_store

SECRET = "correct horse battery"
_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
_number = itertools.count(1)


def asked(**fields: object) -> ApprovalAsk:
    """A request, as the core makes one."""
    number = next(_number)
    ask = ApprovalAsk(
        approval_id=f"{number:032x}",
        request_digest=f"{number:064x}",
        principal="ops@example.com",
        client="claude-desktop 1.4",
        function="arn:aws:lambda:eu-west-1:123456789012:function:orders-refund:live",
        effect="destructive",
        rule="/etc/warden/manifest.yaml:14",
        executed_version="7",
        manifest_sha256="e" * 64,
        question="Run the Lambda function orders-refund:live?\n\nEffect: destructive\n\nPayload (26 bytes):\n│ "
        '{"orderId":"A-1","amount":12.50}',
        reason="The customer wrote that the parcel never came.",
        expires_seconds=900.0,
    )
    return replace(ask, **fields)  # type: ignore[arg-type]


def unlock(secret: str) -> ApproverKey:
    """As `approvals/secret.py` does it, without its slow hash."""
    if secret != SECRET:
        raise SecretError("that is not the approver's secret")
    return ApproverKey(_KEY)


@dataclass
class Page:
    """A page that is served."""

    port: int
    base: str
    tokens: list[str]
    seconds: list[float] = field(default_factory=lambda: [0.0])
    """What the sessions' clock says: its last item."""
    records: AuditLog | None = None

    @property
    def store(self) -> AuditLog:
        """Where it keeps requests, if that is open in this process."""
        assert self.records is not None
        return self.records

    def ask(self, ask: ApprovalAsk | None = None) -> str:
        """Have something asked; its id."""
        pending = self.store.request_approval(ask or asked())
        assert pending is not None
        return pending.ask.approval_id

    def found(self, approval_id: str) -> PendingApproval:
        """What became of a request."""
        pending = self.store.find_approval(approval_id)
        assert pending is not None
        return pending

    def state(self, approval_id: str) -> str:
        return self.found(approval_id).state

    def clear(self) -> None:
        """Let nothing wait."""
        for pending in self.store.approvals():
            unlock(SECRET).decide(self.store, pending, "denied", by="mo", how="terminal")

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def link(self) -> str:
        return f"http://{self.host}{self.base}/login?token={self.tokens[-1]}"

    def browser(self, *, signed_in: bool = True) -> Browser:
        browser = Browser(self)
        if signed_in:
            assert browser.post("/login", token=self.tokens[-1]).status == 303
        return browser


@contextmanager
def approval_page(folder: Path, unlocking: Callable[[str], ApproverKey] = unlock) -> Iterator[Page]:
    """Serve the page in a thread, with its records in a folder."""
    store = open_store(folder / "records.sqlite3").audit_log()
    with closing(store), socket.create_server(("127.0.0.1", 0)) as listener:
        page = Page(listener.getsockname()[1], "/base", [], records=store)
        sessions = Sessions(page.tokens.append, lambda: page.seconds[-1])
        pages = ApprovalPages(store, unlocking, "mo", sessions, page.base)
        app = pages.app({page.host, f"localhost:{page.port}"})
        server = page_server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield page
        finally:
            server.should_exit = True
            thread.join()


@dataclass
class Answer:
    """What the server said."""

    status: int
    headers: http.client.HTTPMessage
    html: str

    @property
    def location(self) -> str:
        return self.headers["location"] or ""

    @property
    def form_token(self) -> str:
        found = re.search(r'name="form_token" value="([^"]+)"', self.html)
        assert found is not None, self.html
        return unescape(found[1])


@dataclass
class Browser:
    """Sends what a browser sends. Headers given as None are left out."""

    page: Page
    cookie: str | None = None

    def get(self, path: str, method: str = "GET", **headers: str | None) -> Answer:
        return self._send(method, path, None, headers)

    def post(self, path: str, headers: Mapping[str, str | None] | None = None, **fields: str) -> Answer:
        sent = {"Origin": f"http://{self.page.host}", "Sec-Fetch-Site": "same-origin", **(headers or {})}
        return self._send("POST", path, urlencode(fields), sent)

    def decide(self, approval_id: str, decision: str = "approve", **changed: str) -> Answer:
        """Open a request and send its form."""
        path = f"/requests/{approval_id}"
        form_token = changed.get("form_token") or self.get(path).form_token
        fields = {"decision": decision, "note": "", "secret": SECRET, "form_token": form_token}
        return self.post(path, None, **{**fields, **changed})

    def _send(self, method: str, path: str, body: str | None, headers: Mapping[str, str | None]) -> Answer:
        sent = {"Host": self.page.host, "Content-Type": "application/x-www-form-urlencoded", "Cookie": self.cookie}
        connection = http.client.HTTPConnection("127.0.0.1", self.page.port, timeout=30)
        try:
            connection.putrequest(method, self.page.base + path, skip_host=True)
            for name, value in {**sent, "Content-Length": str(len(body or "")), **headers}.items():
                if value is not None:
                    connection.putheader(name.replace("_", "-"), value)
            connection.endheaders((body or "").encode())
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read().decode())
        finally:
            connection.close()
        if set_cookie := answer.headers["set-cookie"]:
            self.cookie = set_cookie.split(";")[0]
        return answer
