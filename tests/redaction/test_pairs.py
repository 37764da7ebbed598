"""Secrets in text beyond the corpora: what stays beside them, what hides them, and how long a search takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.redaction.policy import Detectors
from lambda_warden.redaction.text import redact_text, secret_named, suspicion
from support.harmless import MESSAGES
from support.secret_names import NAMES, SECRET, STYLES, WRITINGS
from support.secret_shapes import KINDS, make


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"access_token: Basic {SECRET}", "access_token: Basic [redacted:token]"),
        (f'"token": "Bearer {SECRET}"', '"token": "Bearer [redacted:token]"'),
        ("passphrase: correct horse battery staple\nnext: 1", "passphrase: [redacted:password]\nnext: 1"),
        ("seed phrase: witch collapse practice feed shame open", "seed phrase: [redacted:secret]"),
        ("password = correct horse battery staple", "password = [redacted:password]"),
        ("mysqldump -u root -phunter2 orders", "mysqldump -u root -p[redacted:password] orders"),
        ("tool --password hunter2 --port 5", "tool --password [redacted:password] --port 5"),
        ("curl -u bob:hunter2 https://x.example", "curl -u bob:[redacted:password] https://x.example"),
        (
            "curl -s --user 'bob:hunter2' https://x.example",
            "curl -s --user 'bob:[redacted:password]' https://x.example",
        ),
        ("sshpass -p hunter2 ssh bob@x", "sshpass -p [redacted:password] ssh bob@x"),
        ("redis-cli -h x -a hunter2 ping", "redis-cli -h x -a [redacted:password] ping"),
        ("CREATE USER a IDENTIFIED BY 'hunter2';", "CREATE USER a IDENTIFIED BY '[redacted:password]';"),
        ("ALTER USER a IDENTIFIED BY hunter2;", "ALTER USER a IDENTIFIED BY [redacted:password];"),
        ("CREATE ROLE a LOGIN PASSWORD 'hunter2'", "CREATE ROLE a LOGIN PASSWORD '[redacted:password]'"),
        ("db:\n  password: |\n    one\n    two\n  port: 5", "db:\n  password: |\n    [redacted:password]\n  port: 5"),
        ("password: >-\n  one\nport: 5", "password: >-\n  [redacted:password]\nport: 5"),
        ("Set-Cookie: sid=abc; Path=/", "Set-Cookie: sid=[redacted:cookie]; Path=/"),
        ("Cookie: a=b; c=d\nHost: x", "Cookie: [redacted:cookie]\nHost: x"),
        ("machine x login bob password hunter2\n", "machine x login bob password [redacted:password]\n"),
        ("https://x.example/?sig=" + "aB3dE6gH9jK2mN5pQ8rS" * 3, "https://x.example/?sig=[redacted:azure-signature]"),
        (
            "Server=d;User Id=u;Password=p;CONNECTION_STRING=x1",
            "Server=d;User Id=u;Password=[redacted:password];CONNECTION_STRING=[redacted:secret]",
        ),
    ],
)
def test_the_secret_goes_and_what_it_is_for_stays(text: str, shown: str) -> None:
    assert redact_text(text).text == shown


@pytest.mark.parametrize("hidden", ["\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u202e"])
def test_characters_that_nobody_sees_hide_nothing(hidden: str) -> None:
    secret, _ = make("GitHub token")
    assert redact_text(f"see {secret[:9]}{hidden}{secret[9:]}").text == "see [redacted:github-token]"
    assert redact_text(f"pass{hidden}word=hun{hidden}ter2").text == "password=[redacted:password]"
    assert redact_text(f"caf{hidden}e").text == f"caf{hidden}e"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, "password") for name in ("REDIS_PASS", "db.password", "Admin Password", "wifiPassword", "passwd2")),
        *((name, "key") for name in ("OPENAI_KEY", "app-key", "azure.storage.key", "x-functions-key", "rsaPrivateKey")),
        *((name, "secret") for name in ("SECRET_KEY_BASE", "SENTRY_DSN", "connectionString", "Cookie", "card.cvv")),
        *((name, None) for name in ("taskToken", "nextForwardToken", "primary_key", "monkey", "bypass", "secretArn")),
        *((name, None) for name in ("keyId", "tokenType", "PWD", "shipping", "author", "", "_", "key", "2")),
    ],
)
def test_the_last_words_of_a_name_tell(name: str, kind: str | None) -> None:
    assert secret_named(name) == kind


_DETECTORS = Detectors(names=("kundennummer",), allow=frozenset(("hunter2",)))
_PIECES = (
    st.sampled_from(MESSAGES)
    | st.sampled_from(sorted(KINDS)).map(lambda kind: make(kind)[0])
    | st.builds(
        lambda name, style, write: write(STYLES[style](name.split()), SECRET),
        st.sampled_from(NAMES),
        st.sampled_from(sorted(STYLES)),
        st.sampled_from(list(WRITINGS.values())),
    )
    | st.sampled_from(
        ["[redacted:jwt]", "[redacted]", "\u200b", "\\u0041", "&quot;", "%22", " | ", "\t", "\n", ": ", "="]
    )
)


@given(st.lists(_PIECES, max_size=6).map("".join))
def test_what_is_redacted_once_stays_as_it_is(text: str) -> None:
    once = redact_text(text)

    assert redact_text(once.text) == type(once)(once.text, 0)
    assert once.count > 0 or once.text == text


@given(st.lists(_PIECES, max_size=6).map("".join))
def test_a_text_without_suspicion_has_nothing(text: str) -> None:
    data = text.encode()
    assert redact_text(text, suspicion(data)) == redact_text(text)
    among = suspicion(data, detectors=_DETECTORS)
    assert among.in_text(text) == bool(among)
    assert redact_text(text, among) == redact_text(text, detectors=_DETECTORS)


_STARTS = (
    *(
        "pat.",
        "hvs.",
        "dp.pt.",
        "glpat-",
        "npm_",
        "sig=",
        "Signature=",
        "$6$",
        "eyJa.",
        "SG.",
        "AKIA",
        "hooks.slack.com/services/",
    ),
    *(
        "password: ",
        "password:\n",
        "password: |\n ",
        "key key ",
        "api key: ",
        "token\t",
        "secret | ",
        "-p",
        "-pa1",
        "login a ",
    ),
    *("curl -u ", "curl ", "mysql ", "mysql -p", "identified by ", "cookie: a=", "set-cookie: a=", "basic ", "\u200b"),
    *(
        "<password>",
        "<password a=",
        '"password" value=',
        "password&quot;",
        "password%3D",
        "_key",
        ".a_key=",
        "seed phrase: a ",
    ),
    *(
        "passphrase: aa bb cc ",
        "token token ",
        "--password ",
        "a.b-c_d",
        ".abcdef.",
        "Q~",
        "-us1",
        ":AA",
        "://a:",
        "%3a%2f%2f",
    ),
)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("repeated", _STARTS)
def test_a_search_takes_time_linear_in_the_text(repeated: str) -> None:
    """Nothing is measured: with a search that is not linear, this test would not end."""
    text = repeated * (1_000_000 // len(repeated))
    assert len(redact_text(text).text) <= 12 * len(text)
