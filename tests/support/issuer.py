"""An issuer of access tokens: a real HTTP server on this machine, with keys of its own, that does as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

RESOURCE = "http://127.0.0.1:8000/mcp"
"""What tokens are for, unless a test says otherwise."""
_MAKERS: Mapping[str, tuple[Callable[[], Any], Any]] = {
    "ES256": (lambda: ec.generate_private_key(ec.SECP256R1()), ECAlgorithm),
    "EdDSA": (ed25519.Ed25519PrivateKey.generate, OKPAlgorithm),
    "RS256": (lambda: rsa.generate_private_key(65537, 2048), RSAAlgorithm),
}

Answer = Callable[["Handler"], None]


@cache
def private_key(kid: str, algorithm: str = "ES256") -> Any:
    """The private key with an id: always the same in one run of the tests."""
    return _MAKERS[algorithm][0]()


def public_jwk(kid: str, algorithm: str = "ES256", **keys: Any) -> dict[str, Any]:
    """Its public key, as a JWKS has it. A key that is None is left out."""
    jwk = _MAKERS[algorithm][1].to_jwk(private_key(kid, algorithm).public_key(), as_dict=True)
    made = {**jwk, "kid": kid, "alg": algorithm, "use": "sig", **keys}
    return {name: value for name, value in made.items() if value is not None}


class Issuer:
    """The server. `keys` is what its JWKS holds; `answers` are given instead of what it would answer, by path."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = [public_jwk("k1")]
        self.fetched: list[str] = []
        self.answers: dict[str, Answer] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"issuer": self}))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def token(
        self,
        *,
        kid: str = "k1",
        algorithm: str = "ES256",
        key: Any = None,
        headers: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """A token that is good, but for what is given. A claim or header that is None is left out."""
        now = int(time.time())
        usual = {"iss": self.url, "aud": RESOURCE, "sub": "ann", "client_id": "ide", "iat": now, "exp": now + 600}
        said = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        header = {"kid": kid, "typ": "at+jwt", **(headers or {})}
        header = {name: value for name, value in header.items() if value is not None}
        return jwt.encode(said, private_key(kid, algorithm) if key is None else key, algorithm, header)

    @contextmanager
    def running(self) -> Iterator[Issuer]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


class Handler(BaseHTTPRequestHandler):
    issuer: Issuer

    def do_GET(self) -> None:
        self.issuer.fetched.append(self.path)
        if answer := self.issuer.answers.get(self.path):
            answer(self)
        elif self.path == "/.well-known/openid-configuration":
            self.give({"issuer": self.issuer.url, "jwks_uri": f"{self.issuer.url}/jwks"})
        elif self.path == "/jwks":
            self.give({"keys": self.issuer.keys})
        else:
            self.send_error(404)

    def give(self, body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def gives(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer that is always this one."""
    return lambda handler: handler.give(body, status, headers)
