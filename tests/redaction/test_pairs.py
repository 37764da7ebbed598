"""Secrets in text beyond the corpora: what stays beside them, what hides them, and how long a search takes."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from lambda_warden.redaction.hidden import without_hidden
from lambda_warden.redaction.policy import BUILT_IN, Detectors
from lambda_warden.redaction.text import redact_text, suspicion
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


# General_Category Cf, a variation selector, fillers, a tag, blanks: of each kind.
UNSEEN = ["\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u202e", "\u3164", "\u115f", "\u2800", "\ufe0f"]
UNSEEN += ["\u061c", "\u180e", "\ufff9", "\U000e0041", "\U000e0100", "\U0001d173", "\U000110bd"]


@pytest.mark.parametrize("hidden", UNSEEN, ids=ascii)
@pytest.mark.parametrize("escape", [str, lambda text: json.dumps(text)[1:-1]], ids=["as it is", "escaped for JSON"])
def test_characters_that_nobody_sees_hide_nothing(hidden: str, escape: Callable[[str], str]) -> None:
    secret, _ = make("GitHub token")
    long, _ = make("npm token")
    mark = "[redacted:password]"
    for text, shown in {
        f"see {secret[:9]}{hidden}{secret[9:]}": "see [redacted:github-token]",
        f"see {long}{hidden}{long[9:]} there": "see [redacted:npm-token] there",
        f"pass{hidden}word=hun{hidden}ter2": f"password={mark}",
        f"pass{hidden}word=hun{hidden}ter2&user=bob": f"password={mark}&user=bob",
        f"pass{hidden}word=hun{hidden}ter2 body=password%3Dzq7x9%26user%3Dbob": (
            f"password={mark} body=password%3D{mark}%26user%3Dbob"
        ),
        f"password=hunter2 pass{hidden}word=hunter3": f"password={mark} password={mark}",
        f"caf{hidden}e": escape(f"caf{hidden}e"),
        f"caf{hidden}e password=hunter2": escape(f"caf{hidden}e") + f" password={mark}",
    }.items():
        once = redact_text(escape(text))
        assert once.text == shown, text
        assert redact_text(once.text).count == 0


def test_what_nobody_sees_is_known_by_its_properties() -> None:
    unseen = regex.compile(r"[\p{Cf}\p{Default_Ignorable_Code_Point}]")
    assert [
        hex(code) for code in range(0x110000) if unseen.match(chr(code)) and without_hidden(f"ä{chr(code)}") != "ä"
    ] == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, "password") for name in ("REDIS_PASS", "db.password", "Admin Password", "wifiPassword", "passwd2")),
        *((name, "key") for name in ("OPENAI_KEY", "app-key", "azure.storage.key", "x-functions-key", "rsaPrivateKey")),
        *((name, "token") for name in ("access_token", "to\u00adken", "auth\u200bToken", "refresh_\ufe0ftok\u2060en")),
        *((name, "secret") for name in ("SECRET_KEY_BASE", "SENTRY_DSN", "connectionString", "Cookie", "card.cvv")),
        *((name, None) for name in ("taskToken", "nextForwardToken", "primary_key", "monkey", "bypass", "secretArn")),
        *((name, None) for name in ("keyId", "tokenType", "PWD", "shipping", "author", "", "_", "key", "2")),
    ],
)
def test_the_last_words_of_a_name_tell(name: str, kind: str | None) -> None:
    meaning = BUILT_IN.meaning_of(name)
    assert (meaning and meaning.kind) == kind


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
@example("pa\u200bssword=zQ7\u200dxK9vW3jbody=password%3DzQ7xK9vW3j%26user%3Dbob")
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
