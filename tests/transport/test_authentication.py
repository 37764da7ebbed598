"""Whose a token is, and which are nobody's: each check of RFC 8725 and RFC 9068, by a real issuer over HTTP."""

from __future__ import annotations

import base64
import hmac
import json
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm
from pydantic import ValidationError

from lambda_warden.errors import SettingsError
from lambda_warden.model.caller import Caller
from lambda_warden.settings import Settings
from lambda_warden.tools.caller import VerifiedToken
from lambda_warden.transport.authentication.keys import IssuerKeys
from lambda_warden.transport.authentication.verifier import JwtVerifier, identity_from
from support.issuer import RESOURCE, Issuer, private_key, public_jwk

pytestmark = pytest.mark.anyio


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer().running() as running:
        yield running


def verifier(issuer: Issuer, **settings: Any) -> JwtVerifier:
    made = Settings(**{"auth_issuer": issuer.url, "public_url": RESOURCE, **settings})
    return JwtVerifier(made, IssuerKeys(issuer.url, None, made.auth_algorithms))


async def caller(issuer: Issuer, token: str, **settings: Any) -> Caller | None:
    verified = await verifier(issuer, **settings).verify_token(token)
    return None if verified is None else verified.caller


def unsigned(header: dict[str, Any], token: str, signature: bytes = b"") -> str:
    """The claims of a token under another header."""
    parts = json.dumps(header).encode(), None, signature
    first, _, last = (None if part is None else base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    return f"{first}.{token.split('.')[1]}.{last}"


# Accepted


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
@pytest.mark.parametrize("named", [True, False], ids=["alg in the JWKS", "no alg in the JWKS"])
async def test_a_good_token_says_whose_it_is(issuer: Issuer, algorithm: str, named: bool) -> None:
    issuer.keys = [public_jwk("other"), public_jwk("k2", algorithm, alg=algorithm if named else None)]
    token = issuer.token(kid="k2", algorithm=algorithm, scope="run read", groups=["sre", 7, "", "x" * 300, "sre"])
    assert await caller(issuer, token) == Caller(
        "user:ann", subject="ann", client_id="ide", groups=("sre",), scopes=frozenset({"run", "read"})
    )


async def test_what_is_kept_of_a_token_is_named_and_nothing_else(issuer: Issuer) -> None:
    token = issuer.token(email="ann@example.com", jti="secret-id", act={"sub": "bot", "extra": "x"})
    verified = await verifier(issuer).verify_token(token)
    assert verified is not None
    assert verified == VerifiedToken(
        token="",
        client_id="ide",
        scopes=[],
        resource=RESOURCE,
        subject="user:ann, through the agent bot",
        claims={"iss": issuer.url},
        caller=Caller("user:ann", subject="ann", actor="bot", client_id="ide"),
    )


@pytest.mark.parametrize(
    ("claims", "settings"),
    [
        ({"aud": ["https://other", RESOURCE]}, {}),
        ({"aud": "api://warden"}, {"auth_audience": ("api://other", "api://warden")}),
        ({"exp": 20}, {}),
        ({"nbf": 20, "iat": 20}, {}),
        ({"scope": "a b"}, {"auth_required_scopes": ("a",)}),
    ],
    ids=["several audiences", "another audience", "expired within the leeway", "of a faster clock", "scopes"],
)
async def test_a_token_is_taken_within_what_is_set(issuer: Issuer, claims: dict[str, Any], settings: Any) -> None:
    times = {"exp": -1, "nbf": 1, "iat": 1}
    now = int(time.time())
    said = {name: now + times[name] * value if name in times else value for name, value in claims.items()}
    assert await caller(issuer, issuer.token(**said), **settings) is not None


# Refused

NOW = int(time.time())
RSA = private_key("k3", "RS256")
WEAK = rsa.generate_private_key(65537, 1024)  # noqa: S505 - so that it is refused
ALGORITHM, KID, KEY, KIND = "algorithm", "which key it is signed with", "no such key", "another kind of token"


def by_hmac_with_the_public_key(issuer: Issuer) -> str:
    """The oldest trick: a public key as the secret of a symmetric signature."""
    public = private_key("k1").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = {"alg": "HS256", "kid": "k1", "typ": "at+jwt"}
    signed = unsigned(header, issuer.token()).rpartition(".")[0].encode()
    return unsigned(header, issuer.token(), hmac.digest(public, signed, "sha256"))


def altered(token: str) -> str:
    """A token whose subject is another one."""
    head, claims, signature = token.split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    other = base64.urlsafe_b64encode(json.dumps(said | {"sub": "admin"}).encode()).decode().rstrip("=")
    return f"{head}.{other}.{signature}"


def by_an_evil_key(issuer: Issuer, **headers: Any) -> str:
    return issuer.token(key=private_key("evil"), headers=headers)


REFUSED: dict[str, tuple[Callable[[Issuer], str], str]] = {
    "no JWT": (lambda _: "abc", "DecodeError"),
    "empty": (lambda _: "", "DecodeError"),
    "not ASCII": (lambda i: i.token() + "é", "not ASCII"),
    "too long": (lambda i: i.token(extra="x" * 20_000), "too long"),
    "expired": (lambda i: i.token(exp=NOW - 60), "ExpiredSignatureError"),
    "without expiry": (lambda i: i.token(exp=None), "MissingRequiredClaimError"),
    "an expiry that is no number": (lambda i: i.token(exp="soon"), "DecodeError"),
    "not yet valid": (lambda i: i.token(nbf=NOW + 86_400), "ImmatureSignatureError"),
    "issued in the future": (lambda i: i.token(iat=NOW + 86_400), "ImmatureSignatureError"),
    "wrong audience": (lambda i: i.token(aud="https://other"), "InvalidAudienceError"),
    "an audience that begins as ours": (lambda i: i.token(aud=RESOURCE + "/x"), "InvalidAudienceError"),
    "no audience": (lambda i: i.token(aud=None), "MissingRequiredClaimError"),
    "audiences that are no texts": (lambda i: i.token(aud=[1]), "InvalidAudienceError"),
    "wrong issuer": (lambda i: i.token(iss="https://evil.example"), "InvalidIssuerError"),
    "an issuer with a slash more": (lambda i: i.token(iss=i.url + "/"), "InvalidIssuerError"),
    "no issuer": (lambda i: i.token(iss=None), "MissingRequiredClaimError"),
    "alg none": (lambda i: unsigned({"alg": "none", "kid": "k1"}, i.token()), ALGORITHM),
    "alg None": (lambda i: unsigned({"alg": "None", "kid": "k1"}, i.token()), ALGORITHM),
    "no alg": (lambda i: unsigned({"kid": "k1"}, i.token()), ALGORITHM),
    "alg is a list": (lambda i: unsigned({"alg": ["ES256"], "kid": "k1"}, i.token()), ALGORITHM),
    "HMAC with the public key": (by_hmac_with_the_public_key, ALGORITHM),
    "an algorithm that is not listed": (lambda i: i.token(kid="k3", algorithm="RS512", key=RSA), ALGORITHM),
    "an algorithm that is not its key's": (lambda i: i.token(kid="k3", algorithm="PS256", key=RSA), KEY),
    "another key": (by_an_evil_key, "InvalidSignatureError"),
    "altered claims": (lambda i: altered(i.token()), "InvalidSignatureError"),
    "no signature": (lambda i: i.token().rpartition(".")[0] + ".", "InvalidSignatureError"),
    "a key of 1,024 bits": (lambda i: i.token(kid="weak", algorithm="RS256", key=WEAK), "InvalidKeyError"),
    "no kid": (lambda i: i.token(headers={"kid": None}), KID),
    "kid of no key": (lambda i: i.token(headers={"kid": "nobody"}), KEY),
    "kid is a path": (lambda i: i.token(headers={"kid": "../../../../dev/null"}), KEY),
    "kid is a URL": (lambda i: by_an_evil_key(i, kid=f"{i.url}/evil-jwks"), KEY),
    "kid is SQL": (lambda i: i.token(headers={"kid": "k1' OR '1'='1"}), KEY),
    "kid is a number": (lambda i: unsigned({"alg": "ES256", "kid": 1}, i.token()), "InvalidTokenError"),
    "kid is long": (lambda i: i.token(headers={"kid": "k" * 5000}), KID),
    "kid that two keys have": (lambda i: i.token(kid="twice"), KEY),
    "kid of a key for encryption": (lambda i: i.token(kid="enc"), KEY),
    "kid of a key that is not for checking": (lambda i: i.token(kid="ops"), KEY),
    "kid of a key whose private half is published": (lambda i: i.token(kid="leaked", algorithm="EdDSA"), KEY),
    "kid of a secret": (lambda i: i.token(kid="oct", key=private_key("oct")), KEY),
    "a key in its own header": (lambda i: by_an_evil_key(i, kid="evil", jwk=public_jwk("evil")), KEY),
    "a URL of keys in its own header": (
        lambda i: by_an_evil_key(i, kid="evil", jku=f"{i.url}/evil-jwks", x5u=f"{i.url}/evil-jwks"),
        KEY,
    ),
    "a critical header that nobody knows": (
        lambda i: i.token(headers={"crit": ["exp"], "exp": 1}),
        "InvalidTokenError",
    ),
    "a type of another token": (lambda i: i.token(headers={"typ": "logout+jwt"}), KIND),
    "a type that is no text": (lambda i: unsigned({"alg": "ES256", "kid": "k1", "typ": []}, i.token()), KIND),
    "a header that is nested deeply": (
        lambda i: f"{base64.urlsafe_b64encode(b'[' * 9000).decode()}.e30.e30",
        "Error",
    ),
    "nobody": (lambda i: i.token(sub=None), "sub: no name"),
    "a subject that is no text": (lambda i: i.token(sub=7), "InvalidSubjectError"),
    "a subject of look-alike letters": (lambda i: i.token(sub="\u0430nn"), "sub: no name"),
    "a long subject": (lambda i: i.token(sub="a" * 256), "sub: no name"),
    "an actor that is nobody": (lambda i: i.token(act={"iss": "x"}), "sub: no name"),
    "an actor that is no object": (lambda i: i.token(act="bot"), "act: is no object"),
    "a client that is no name": (lambda i: i.token(client_id="a b"), "client_id: no name"),
}


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize(("make", "reason"), REFUSED.values(), ids=REFUSED.keys())
async def test_a_token_that_is_not_good_is_nobodys(
    issuer: Issuer, make: Callable[[Issuer], str], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    weak = RSAAlgorithm.to_jwk(WEAK.public_key(), as_dict=True)
    issuer.keys += [
        {**weak, "kid": "weak", "alg": "RS256"},
        public_jwk("k3", "RS256"),
        public_jwk("twice"),
        {**public_jwk("other"), "kid": "twice"},
        public_jwk("enc", use="enc"),
        public_jwk("ops", key_ops=["encrypt"]),
        {**OKPAlgorithm.to_jwk(private_key("leaked", "EdDSA"), as_dict=True), "kid": "leaked"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "oct", "alg": "ES256"},
    ]
    issuer.answers["/evil-jwks"] = lambda handler: handler.give({"keys": [public_jwk("evil")]})
    token = make(issuer)
    with caplog.at_level(logging.INFO):
        assert await caller(issuer, token) is None
    assert set(issuer.fetched) <= {"/.well-known/openid-configuration", "/jwks"}, "a token says where keys are"
    assert len(issuer.fetched) <= 2
    (said,) = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
    assert reason in said
    assert not any(part and part in said for part in token.split(".")), "a log holds a token"


# Settings


@pytest.mark.parametrize(
    "settings",
    [
        {"public_url": None},
        {"auth_issuer": "http://issuer.example.com"},
        {"auth_issuer": "https://user:password@issuer.example.com"},
        {"auth_jwks_url": "http://issuer.example.com/jwks"},
        {"auth_jwks_url": "file:///etc/passwd"},
        {"public_url": "http://warden.example.com/mcp"},
    ],
    ids=repr,
)
def test_settings_that_are_not_safe_are_refused(settings: dict[str, Any]) -> None:
    usual = {"auth_issuer": "https://issuer.example.com", "public_url": "https://warden.example.com/mcp"}
    with pytest.raises(SettingsError):
        identity_from(Settings(**{**usual, **settings}))


@pytest.mark.parametrize("algorithm", ["none", "HS256", "HS512", "rs256", "ES256K", ""])
def test_only_algorithms_with_a_public_key_can_be_set(algorithm: str) -> None:
    with pytest.raises(ValidationError):
        Settings(auth_algorithms=(algorithm,))  # type: ignore[arg-type]


def test_no_issuer_means_no_identity() -> None:
    assert identity_from(Settings()) is None
