from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.redaction.policy import BUILT_IN
from lambda_warden.redaction.text import (
    is_mark,
    redact_text,
    redact_truncated_text,
    suspicion,
)

# Put together here, so that no scanner takes them for real ones.
ACCESS_KEY = "AKIA" + "IOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/" + "K7MDENG/bPxRfiCY" + "EXAMPLEKEY"
JWT = "ey" + "JhbGciOiJIUzI1NiJ9." + "ey" + "JzdWIiOiIxMjM0In0." + "dozjgNryP4J3jVmNHl0w5N"
BODY = "MIIEpAIBAAKCAQEA7bq1x2y3" * 4
A40 = "a1B2c3D4e5" * 4


def pem(kind: str, break_: str = "\n") -> str:
    return break_.join([f"-----BEGIN {kind}-----", BODY, BODY, f"-----END {kind}-----"])


@pytest.mark.parametrize(
    ("secret", "kind"),
    [
        (ACCESS_KEY, "aws-access-key"),
        ("ASIA" + ACCESS_KEY[4:], "aws-access-key"),
        ("ABIA" + ACCESS_KEY[4:], "aws-access-key"),
        (f"{ACCESS_KEY}\t{SECRET_KEY}", "aws-access-key"),
        (f"{ACCESS_KEY},{SECRET_KEY}", "aws-access-key"),
        (JWT, "jwt"),
        (JWT.rpartition(".")[0], "jwt"),
        (JWT.replace(".", "..", 1) + ".abc.def", "jwt"),
        ("gh" + "p_" + A40, "github-token"),
        ("gh" + "s_123_" + JWT, "github-token"),
        ("github" + "_pat_11ABCDE_" + A40, "github-token"),
        ("gl" + "pat-" + A40[:20], "gitlab-token"),
        ("glr" + "t-" + A40[:20], "gitlab-token"),
        ("xo" + "xb-123456789012-123456789012-" + A40[:24], "slack-token"),
        ("xo" + "xe.xo" + "xp-1-" + A40, "slack-token"),
        ("xa" + "pp-1-A111-222-" + A40, "slack-token"),
        ("sk" + "_live_" + A40[:24], "stripe-key"),
        ("rk" + "_test_" + A40[:24], "stripe-key"),
        ("wh" + "sec_" + A40[:32], "stripe-key"),
        ("S" + "G." + A40[:22] + "." + A40, "sendgrid-key"),
        ("np" + "m_" + A40[:36], "npm-token"),
        ("py" + "pi-AgEIcHlwaS5vcmc" + A40 * 2, "pypi-token"),
        ("sk" + "-ant-api03-" + A40 * 2, "ai-key"),
        ("sk" + "-proj-" + A40 * 2, "ai-key"),
        ("sk" + "-" + A40 + A40[:8], "ai-key"),
        ("AI" + "za" + A40[:35], "google-key"),
        ("ya" + "29." + A40, "google-key"),
        ("GOC" + "SPX-" + A40[:28], "google-key"),
        (pem("PRIVATE " + "KEY"), "private-key"),
        (pem("RSA PRIVATE " + "KEY"), "private-key"),
        (pem("EC PRIVATE " + "KEY", "\r\n"), "private-key"),
        (pem("OPENSSH PRIVATE " + "KEY", "\\n"), "private-key"),
        (pem("ENCRYPTED PRIVATE " + "KEY", "\\\\n"), "private-key"),
        (pem("PGP PRIVATE " + "KEY BLOCK"), "private-key"),
        (pem("SSH2 ENCRYPTED PRIVATE " + "KEY").replace("-----", " ---- ").strip(), "private-key"),
        (f"Private-Lines: 2\n{BODY}\n{BODY}\nPrivate-MAC: 0123abcd", "private-key"),
    ],
)
@pytest.mark.parametrize("around", ["{}", "key {} and more", "({})", '"{}"', "a={},b=1", "\n{}\n", "<{}>", "/x/{}?y"])
def test_each_documented_form_is_replaced_wherever_it_stands(secret: str, kind: str, around: str) -> None:
    redacted = redact_text(around.format(secret))

    assert redacted.text == around.format(f"[redacted:{kind}]")
    assert redacted.count == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"aws_secret_access_key = {SECRET_KEY}\nregion = x", "aws_secret_access_key = [redacted:secret]\nregion = x"),
        (f"AWS_SECRET_ACCESS_KEY={SECRET_KEY} done", "AWS_SECRET_ACCESS_KEY=[redacted:secret] done"),
        ('{"SecretAccessKey": "a/b+c", "x": 1}', '{"SecretAccessKey": "[redacted:secret]", "x": 1}'),
        ("{'SessionToken': 'a/b+c=', 'x': 1}", "{'SessionToken': '[redacted:token]', 'x': 1}"),
        ("AWS_SESSION_TOKEN=IQoJb3Jp//=", "AWS_SESSION_TOKEN=[redacted:token]"),
        ("password=hunter2", "password=[redacted:password]"),
        ("DB_PASSWD: hunter2, next", "DB_PASSWD: [redacted:password], next"),
        ('password="two words" x', 'password="[redacted:password]" x'),
        ('password="unterminated two\nx', 'password="[redacted:password]\nx'),
        (r'{"password":"a\"b c\\","x":1}', r'{"password":"[redacted:password]","x":1}'),
        (r'"{\"password\":\"a\\\"b c\",\"x\":1}"', r'"{\"password\":\"[redacted:password]\",\"x\":1}"'),
        (r"\\\"password\\\": \\\"a b\\\", 1", r"\\\"password\\\": \\\"[redacted:password]\\\", 1"),
        ("User(password=hunter2, name=Jo)", "User(password=[redacted:password], name=Jo)"),
        ("{apiKey:abc}", "{apiKey:[redacted:key]}"),
        ("tokens=[token=abc]", "tokens=[token=[redacted:token]]"),
        ("token => abc;", "token => [redacted:token];"),
        ("os.environ['API_KEY'] = 'abc'", "os.environ['API_KEY'] = '[redacted:key]'"),
        ("<dbPassword>hunter2</dbPassword>", "<dbPassword>[redacted:password]</dbPassword>"),
        ("X-Api-Key: abc", "X-Api-Key: [redacted:key]"),
        ("https://x.example/?access_token=abc&y=1", "https://x.example/?access_token=[redacted:token]&y=1"),
        ("client_secret=abc&private_key=def", "client_secret=[redacted:secret]&private_key=[redacted:key]"),
        ("DB_PWD=abc PWD=/var/task", "DB_PWD=[redacted:password] PWD=/var/task"),
        ("DB_PASS=abc", "DB_PASS=[redacted:password]"),
        ("Server=d;User Id=u;Password=p,w;d=1", "Server=d;User Id=u;Password=[redacted:password];d=1"),
        ("password=a,b)c&d", "password=[redacted:password]"),
        (
            "AccountName=n;AccountKey=abc+/==;EndpointSuffix=core.windows.net",
            "AccountName=n;AccountKey=[redacted:key];EndpointSuffix=core.windows.net",
        ),
        ("postgres://bob:hunter2@db:5432/x", "postgres://bob:[redacted:password]@db:5432/x"),
        ("redis://:hunter2@cache/0", "redis://:[redacted:password]@cache/0"),
        ("mongodb+srv://bob:p@ss@db/x?a=b@c", "mongodb+srv://bob:[redacted:password]@db/x?a=b@c"),
        ("postgres://bob:pa/ss?#@db/x", "postgres://bob:[redacted:password]@db/x"),
        (r"https:\/\/bob:hunter2@host\/x", r"https:\/\/bob:[redacted:password]@host\/x"),
        ("Authorization: Bearer abc", "Authorization: Bearer [redacted:authorization]"),
        ("authorization=Basic YTpi and", "authorization=Basic [redacted:authorization] and"),
        ('"Authorization":"Token abc"', '"Authorization":"Token [redacted:authorization]"'),
        ("Authorization: abcdefghijklmnop1", "Authorization: [redacted:authorization]"),
        (f"Authorization: AWS4-HMAC-SHA256 {'x'}=1, Signature=ab", "Authorization: [redacted:authorization]"),
        ("sent Bearer abcdefghijklmnop1", "sent Bearer [redacted:bearer-token]"),
        ("https://hooks.slack.com/services/" + A40, "https://hooks.slack.com/services/[redacted:slack-webhook]"),
        ("password=[redacted:jwt]rest", "password=[redacted:password]"),
    ],
)
def test_what_a_secret_is_for_stays_and_the_secret_goes(text: str, shown: str) -> None:
    assert redact_text(text).text == shown


@pytest.mark.parametrize(
    "text",
    [
        "The token expired, so the password must be reset; ask Asia's key secretary.",
        "Invalid token: expired",
        "password: must have 8 characters",
        "secret: null, token: true, password: None",
        "UnrecognizedClientException: The security token included in the request is invalid.",
        "nextToken=abc next_page_token: abc, ContinuationToken: 'abc', ClientRequestToken=abc",
        "tokens: 512, max_tokens=7, token_count: 5, passwordLength=3, secretArn=arn:aws:x, apiKeyId=1",
        "if token == expected: return key['id']",
        "8f507cfc-6c1b-4f0e-9d3f-000000000001",
        "arn:aws:lambda:us-east-1:123456789012:function:orders-refund:live",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf",
        "data:image/png;base64," + "iVBORw0KGgoAAAANSUhEUgAA" * 50,
        "commit 1f0c2d3e4b5a69788796a5b4c3d2e1f001234567",
        "order A-1, orders ORD-20261102-000001, sku SKU-AKIA-1",
        "AIDA" + "IOSFODNN7EXAMPLE" + " is a user's id, no credential",
        "ACCA" + "TGACTGACTGACTGAC",
        "https://user@example.com/a:b http://localhost:8080/users/@me mailto:a@b.example",
        "docker://alpine:3.19@sha256:0123",
        "risk-assessment task-12345678901234567890123456789012 msg.SG.",
        "npm_config_registry=https://packages.example.com",
        "Basic authentication is off. The bearer of bad news.",
        "WWW-Authenticate: Basic realm=x, Authorization: required",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
        "\\u001b[31mred\\u0022",
        "",
    ],
)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    redacted = redact_text(text)

    assert (redacted.text, redacted.count) == (text, 0)


@pytest.mark.parametrize("backslash", ["\\", "\\\\", "\\\\\\\\"])
def test_json_escapes_hide_no_secret(backslash: str) -> None:
    escaped = "".join(f"{backslash}u{ord(character):04x}" for character in ACCESS_KEY)
    assert redact_text(f"key {escaped}.").text == "key [redacted:aws-access-key]."

    quote = f"{backslash}u0022"
    pair = redact_text(f"{{{quote}password{quote}:{quote}hunter2 three{quote}}}")
    assert "hunter2" not in pair.text
    assert "three" not in pair.text


def test_a_private_key_that_is_cut_goes_to_the_end() -> None:
    assert redact_text("x " + pem("PRIVATE " + "KEY")[:90]).text == "x [redacted:private-key]"
    assert redact_text("x " + pem("PRIVATE " + "KEY")[:-5]).text == "x [redacted:private-key]"


def test_private_keys_that_touch_are_each_redacted() -> None:
    assert redact_text(pem("PRIVATE " + "KEY") * 3).text == "[redacted:private-key]" * 3


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("alf-a-word whole", "whole"),
        ("\nwhole line", "whole line"),
        ("no-white-space", ""),
        ("   ", ""),
        ("word: value rest", "rest"),
        ("ord = value rest", "rest"),
        ("ation: Bearer value rest", "rest"),
        ("rer value rest", "rest"),
        (" value rest", "rest"),
        (f"{BODY}\n{BODY}\n-----END PRIVATE {'KEY'}-----\nrest", "[redacted:private-key]\nrest"),
        (f"x {pem('PRIVATE ' + 'KEY')} rest", "[redacted:private-key] rest"),
    ],
)
def test_a_text_whose_beginning_is_missing_loses_what_may_be_half_a_secret(text: str, shown: str) -> None:
    assert redact_truncated_text(text).text == shown


@pytest.mark.parametrize(
    "name",
    [
        *("password", "dbPassword", "DB_PASSWD", "passphrase", "clientSecret", "SecretString", "aws_secret_access_key"),
        *("token", "id_token", "X-Api-Key", "privateKey", "accessKey"),
    ],
)
def test_a_name_may_say_that_its_value_is_a_secret(name: str) -> None:
    assert BUILT_IN.meaning_of(name)


@pytest.mark.parametrize(
    "name",
    [
        *("nextToken", "NextContinuationToken", "page_token", "tokens", "tokenType", "secretArn", "secretary"),
        *("passwordUpdatedAt", "compass", "PWD", "key", "keys", "apiKeyId", ""),
    ],
)
def test_other_names_say_nothing(name: str) -> None:
    assert BUILT_IN.meaning_of(name) is None


_PIECES = st.sampled_from(
    [
        *(ACCESS_KEY, SECRET_KEY, JWT, "gh" + "p_" + A40, "sk" + "-" + A40, "hunter2", "null", "next", "password"),
        *("token", "secret_key", "://", "u:p@h", "Bearer ", "Authorization: ", "[redacted:jwt]", "[redacted]"),
        *("\\u0022", "\\u005c", "u0041", "\\n", "\u0130", ": ", '\\"', "</"),
        *(f"-----{word} PRIVATE {'KEY'}-----" for word in ("BEGIN", "END")),
        *"=:\"'\\[]{}(,;& \n@/<>-",
    ]
)
_TEXTS = st.lists(_PIECES, max_size=12).map("".join) | st.text()


@given(_TEXTS)
def test_what_is_redacted_once_stays_as_it_is(text: str) -> None:
    once = redact_text(text)
    twice = redact_text(once.text)

    assert (twice.text, twice.count) == (once.text, 0)
    assert (once.count > 0) or once.text == text


@given(_TEXTS)
def test_a_text_without_hints_is_the_one_that_redaction_leaves(text: str) -> None:
    data = text.encode(errors="surrogatepass")

    assert suspicion(data) or redact_text(text).text == text
    assert redact_text(text, suspicion(data)) == redact_text(text)


@pytest.mark.parametrize("text", ["[redacted]", "[redacted:jwt]"])
def test_marks_are_known(text: str) -> None:
    assert is_mark(text)
    assert not is_mark(text + "x")


def test_one_letter_alone_is_not_as_long_in_lower_case() -> None:
    """Anchors are looked for in lower case, where each character has to stand at its place."""
    assert [c for c in map(chr, range(sys.maxunicode + 1)) if len(c.lower()) != 1] == ["\u0130"]
    assert redact_text("\u0130" * 5 + " password=hunter2").text == "\u0130" * 5 + " password=[redacted:password]"


_HOSTILE = [
    *("a", "A", " ", "-", "eyJ", "\\neyJ", "eyJaaaaaaaa.", "\\", "\\u005c", "SG." + "a" * 22, "bearer a", "[redacted"),
    *("password=", "password=\\", "password=,a", "password=," + "a" * 63, 'token="', "token:[", "token        "),
    *("<token>", "token>a", '\\"password\\":\\"', "://", "://a:", "://a:b", "-----BEGIN "),
    f"-----BEGIN PRIVATE {'KEY'}-----",
]


_STARTS = ["", "password=", 'token="', "x://u:", '\\"token\\":\\"', f"-----BEGIN PRIVATE {'KEY'}-----"]


@pytest.mark.parametrize(
    ("start", "repeated"),
    [  # each beginning and each repetition; all pairs of them are slow
        pytest.param(start, repeated, marks=[] if i == j % len(_STARTS) else pytest.mark.slow)
        for j, repeated in enumerate(_HOSTILE)
        for i, start in enumerate(_STARTS)
    ],
)
def test_no_megabyte_takes_longer_than_another(start: str, repeated: str) -> None:
    """Nothing is measured: with a search that is not linear, this test would not end."""
    text = start + repeated * (1_000_000 // len(repeated))
    assert len(redact_text(text).text) <= 8 * len(text)


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("signingKey=abcdef123456", "signingKey=[redacted:key]"),
        ("ENCRYPTION_KEY: abcdef123456", "ENCRYPTION_KEY: [redacted:key]"),
        (
            "https://b.s3.amazonaws.com/k?X-Amz-Expires=60&X-Amz-Signature=" + "0a" * 32 + "&x=1",
            "https://b.s3.amazonaws.com/k?X-Amz-Expires=60&X-Amz-Signature=[redacted:aws-signature]&x=1",
        ),
    ],
)
def test_keys_that_sign_or_encrypt_and_signatures_of_urls_are_replaced(text: str, redacted: str) -> None:
    assert redact_text(text).text == redacted
    assert redact_text("monkey=banana signing off key=1").text == "monkey=banana signing off key=1"
