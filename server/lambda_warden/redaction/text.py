"""Secrets in text, found by their documented forms and by the names they are given.

Every form takes time linear in the text: a search starts at literals only, and what is repeated without bound can't
run across the start of another match.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final, NamedTuple

from pydantic import JsonValue
from pydantic_core import to_json

from lambda_warden.redaction.prefilter import Sieve, windows


@dataclass(frozen=True, slots=True)
class RedactedText:
    """Text without its secrets, and how many places were replaced."""

    text: str
    count: int


@dataclass(frozen=True, slots=True)
class Anchor:
    """What a secret of some form begins with, in lower case: literal at its start, so that a search for it is fast."""

    in_text: re.Pattern[str]
    in_bytes: re.Pattern[bytes]


@dataclass(frozen=True, slots=True)
class Form:
    """One form that a secret takes.

    `pattern` matches it where one of `anchors` stands, and nowhere else. What it matches is replaced, except for its
    groups `keep` and `scheme`, which say what the secret is for, and `quote`.
    """

    kind: str
    anchors: tuple[Anchor, ...]
    pattern: re.Pattern[str]


def _form(kind: str, anchors: Sequence[str], pattern: str, flags: re.RegexFlag = re.NOFLAG) -> Form:
    compiled = [Anchor(re.compile(anchor), re.compile(anchor.encode())) for anchor in anchors]
    return Form(kind, tuple(compiled), re.compile(pattern, re.ASCII | flags))


_MARK: Final = r"\[redacted(?::[a-z-]+)?\]"
_MARKED: Final = re.compile(_MARK)

# How a name says that its value is a secret. Tokens that continue a listing or repeat a request are none, and neither
# are the ARNs of secrets (…:123456789012:secret:name).
_LISTING: Final = ("next", "page", "continuation", "pagination", "cursor", "sync", "marker", "idempotency", "request")
_PHRASE: Final = r"pass(?:word|wd|phrase|code|(?<=db_pass)|(?<=user_pass)|(?<=smtp_pass))"
_KEYS: Final = ("api", "access", "account", "private", "auth", "signing", "encryption")
_KEY: Final = "key(?:" + "|".join(rf"(?<={word}key)|(?<={word}[_ -]key)" for word in _KEYS) + ")"
_NAME: Final = (
    rf"(?:(?P<password>{_PHRASE}(?:[_-]?hash)?|(?-i:[Pp]wd|(?<=_)PWD))"  # PWD is the working directory
    r"|(?P<secret>secret(?<![0-9]:secret)(?:[_ -]?(?:access[_ -]?)?key|[_-]?(?:string|binary|value|text))?)"
    r"|(?P<token>token" + "".join(rf"(?<!{word}token)(?<!{word}[_-]token)" for word in _LISTING) + r")"
    rf"|(?P<key>{_KEY}(?:[_-]?pem)?))"
)
_NAME_AT_END: Final = re.compile(_NAME + r"\Z", re.ASCII | re.IGNORECASE)

# Between a name and its value: quotes, escaped or not, then `=`, `:` or `=>`, or the end of an XML tag, and a bracket.
_IS: Final = (
    r"""(?>(?:\\{0,7}["'`]\]?)?\s{0,8}(?:=>|:=|=(?!=)|:(?!:)|>(?=[^<>\s]{1,256}</))\s{0,8}"""
    rf"""(?:(?!{_MARK})[\[({{])?)"""
)
# Words that messages put behind `token:` or `password:`, and that are no value.
_NO_VALUE: Final = (
    r"(?:(?:the|an?)\s"
    r"|(?:true|false|null|none|undefined|nil|is|was|not|no|must|has|invalid|expired|missing|required|unexpected)"
    r"(?:[\s,;)}\]\"'\\]|[.!](?:\s|\Z)|\Z))"
)
# A quoted value ends at a quote as escaped as its own (JSON stands in strings of JSON), or else with its line.
_QUOTED: Final = (
    rf"""(?P<quote>(?P<escape>\\{{1,7}})?["'`])(?!{_MARK}(?:(?P=quote)|[\r\n]|\Z))"""
    r"""(?:(?!(?P=quote))(?(escape)(?:\\++["'`]?|[^\\\r\n])|(?:\\[^\r\n]|[^\\\r\n])))++"""
)
# Any other value ends at white space, a quote or what looks like the next pair; brackets that close stay outside.
_BARE: Final = (
    rf"(?!{_MARK}(?:[\s\"'`,;&)}}\]\\@<]|\Z))(?!{_NO_VALUE})"
    rf"""(?:{_MARK}|[^\s"'`,;&\\<\[\](){{}}=]|<(?!/)|\\(?!["'`nrt\\/]))"""
    r"""(?:[^\s"'`,;&\\<)}\]]|[)}\]](?=[^\s"'`,;&)}\]<])|<(?!/)|\\(?!["'`nrt\\/])"""
    r"""|[,;&](?!\s|\Z|["'`]|[A-Za-z0-9_ .-]{1,64}[=:]))*+"""
)
_SCHEMES: Final = ("bearer", "basic", "token", "apikey", "negotiate")

_KEY_KIND: Final = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?(?: ?-{1,5})?"
_KEY_BEGIN: Final = re.compile(rf"----(?:-| )BEGIN {_KEY_KIND}")
_KEY_END: Final = re.compile(rf"----[- ]{{0,2}}END {_KEY_KIND}")

_FORMS: Final = (
    # RFC 7468 (PEM), RFC 9580 (OpenPGP), RFC 4716 (SSH2). One that is cut at its end goes to the end of the text.
    _form(
        "private-key",
        ["----(?:-| )begin [a-z0-9 ]{0,40}private key"],
        rf"{_KEY_BEGIN.pattern}(?:[^-]++|(?!{_KEY_END.pattern})-)*+(?:{_KEY_END.pattern}|\Z)",
    ),
    # PuTTY documentation, appendix "PPK file format".
    _form(
        "private-key",
        ["private-lines: "],
        r"Private-Lines: (?:[^P]++|P(?!rivate-MAC))*+(?:Private-MAC: ?[0-9a-f]*|\Z)",
    ),
    # RFC 3986, userinfo. Slashes that are not percent-encoded are taken for the password's, unless a port comes first.
    _form(
        "password",
        ["://", r":\\{1,8}/"],
        rf"""(?P<keep>:\\{{0,4}}/\\{{0,4}}/(?:{_MARK}|[^\s/:@?#"'`<>\\])*+:)"""
        rf"""(?!{_MARK}@)(?:(?:[^\s/?#"'`<>\\]|\\(?!["'`nrt/\\]))+(?=@(?!sha256:))"""
        r"""|(?!\d{1,5}[/?#])(?:[^\s@:"'`<>\\]|:(?!\\*/)|\\(?!["'`nrt\\]))++(?=@(?!sha256:)))""",
    ),
    # RFC 9110 Authorization, RFC 6750 Bearer, RFC 7617 Basic; "Signing AWS API requests".
    _form(
        "authorization",
        ["authorization"],
        rf"""(?P<keep>authorization{_IS}(?:\\{{0,7}}["'`])?)(?!{_MARK})"""
        rf"""(?:(?P<scheme>(?:{"|".join(_SCHEMES)})\s{{1,8}})(?!{_MARK}|{_NO_VALUE})[^\s"'`\\,;]++"""
        rf"""|(?!(?:{"|".join(_SCHEMES)}|aws4-hmac-sha256)\s)[^\s"'`\\,;]{{16,}}+"""
        rf"""|aws4-hmac-sha256\s(?!{_MARK})[^\r\n"'`\\]++)""",
        re.IGNORECASE,
    ),
    _form(
        "bearer-token",
        ["bearer"],
        r"(?P<keep>bearer\s{1,8})(?=[A-Za-z._~+/=-]{0,64}[0-9])[A-Za-z0-9._~+/=-]{16,}+",
        re.IGNORECASE,
    ),
    # IAM User Guide, "Unique identifiers": the prefixes of credentials; with the secret key, if it stands behind.
    _form(
        "aws-access-key",
        ["a(?:kia|sia|bia|cca)"],
        r"(?<![A-Z0-9])A(?:KIA|SIA|BIA|CCA)(?![ACGT]{16})[A-Z0-9]{16}(?![A-Z0-9])"
        r"(?:[\s,;:|\"'/\\]{1,8}[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=]))?",
    ),
    # "Authenticating requests: query parameters" (Signature Version 4): what makes a presigned URL work.
    _form(
        "aws-signature",
        ["x-amz-signature"],
        r"(?P<keep>X-Amz-Signature(?:=|%3D))[0-9a-f]{16,}+",
        re.IGNORECASE,
    ),
    # GitHub Docs, "GitHub's token formats". Before JWTs, which some of them hold.
    _form(
        "github-token",
        ["g(?:h[pousr]|ithub_pat)_"],
        r"gh[pousr]_[A-Za-z0-9_]{20,}+(?:\.[A-Za-z0-9_-]{16,}+){0,2}|github_pat_[A-Za-z0-9_]{22,}+",
    ),
    # RFC 7519 (JWT), RFC 7516 (JWE): base64url of `{"`, then further parts.
    _form(
        "jwt",
        ["eyj"],
        r"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrt]))eyJ[A-Za-z0-9_-]{8,}+(?:\.{1,2}[A-Za-z0-9_-]{2,}+){1,4}+",
    ),
    # GitLab Docs, "Token prefixes".
    _form(
        "gitlab-token",
        ["gl(?:pat|oas|dt|rtr?|cbt|ptt|ft|imt|agent|soat|ffct|wt)-", "gr1348941"],
        r"GR1348941[A-Za-z0-9_-]{20,}+|gl(?:pat|oas|dt|rtr?|cbt|ptt|ft|imt|agent|soat|ffct|wt)-[A-Za-z0-9_.-]{20,}+",
    ),
    # Slack docs, "Token types" and "Incoming webhooks".
    _form(
        "slack-token",
        [r"xox[abceoprs]", r"xapp-"],
        r"xox[abceoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,}+|xapp-\d-[A-Za-z0-9-]{10,}+",
    ),
    _form(
        "slack-webhook",
        [r"hooks\.slack\.com"],
        r"(?P<keep>hooks\.slack\.com\\?/(?:services|workflows|triggers)\\?/)[A-Za-z0-9+/_\\-]{20,}+",
    ),
    # Stripe docs, "API keys" and "Webhook signatures".
    _form(
        "stripe-key",
        ["sk_(?:live|test)_", "rk_(?:live|test)_", "whsec_"],
        r"(?<![A-Za-z0-9])[sr]k_(?:live|test)_[A-Za-z0-9]{10,}+|whsec_[A-Za-z0-9+/=]{24,}+",
    ),
    # SendGrid docs, "API keys".
    _form("sendgrid-key", [r"sg\."], r"(?<![A-Za-z0-9])SG\.[A-Za-z0-9_-]{16,64}+\.[A-Za-z0-9_-]{16,}+"),
    # npm docs, "About access tokens"; PyPI help, "API tokens" (macaroons).
    _form("npm-token", ["npm_"], r"npm_[A-Za-z0-9]{36,}+"),
    _form("pypi-token", ["pypi-ag"], r"pypi-Ag[A-Za-z0-9_-]{50,}+"),
    # Anthropic and OpenAI, "API keys"; others issue keys of OpenAI's older form.
    _form(
        "ai-key",
        ["sk-"],
        r"(?<![A-Za-z0-9])sk-(?:(?:ant|proj|svcacct|admin|None|or-v1)-[A-Za-z0-9_-]{20,}+|[A-Za-z0-9]{32,}+)",
    ),
    # Google Cloud docs, "API keys"; Google Identity, "OAuth 2.0": tokens and client secrets.
    _form(
        "google-key",
        ["aiza", r"ya29\.", "gocspx-"],
        r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])|ya29\.[A-Za-z0-9_-]{20,}+|GOCSPX-[A-Za-z0-9_-]{28,}+",
    ),
    _form(
        "named",
        [_PHRASE, "pwd", "secret", "token", _KEY],
        rf"(?P<keep>{_NAME}{_IS})(?:{_QUOTED}|{_BARE})",
        re.IGNORECASE,
    ),
)

_ESCAPE: Final = re.compile(r"(?<!\\)\\++u00([0-7][0-9A-Fa-f])")
_ESCAPE_ANCHOR: Final = Anchor(re.compile(r"\\u00"), re.compile(rb"\\u00"))
_ESCAPE_LEVELS: Final = 4
_LARGE: Final = 4096  # characters of a text in which a sieve is faster
_TOGETHER: Final = 6  # anchors searched for at once: of many more, the search is no longer that for literals
_REACH: Final = 128  # more than any anchor takes with what it looks back at
_ROUNDS: Final = 4


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What a text may hold: forms, the anchors of theirs that it has, and whether JSON escapes may hide others."""

    forms: tuple[Form, ...]
    anchors: tuple[Anchor, ...]
    escapes: bool

    def in_text(self, text: str) -> bool:
        """Whether a part of the text may hold any of it."""
        folded = _folded(text)
        if len(text) > _LARGE and not _sieve(self.anchors).holds(folded):
            return False
        for anchor in self.anchors:  # noqa: SIM110 - this runs for every string of a payload, and any() costs twice
            if anchor.in_text.search(folded):
                return True
        return False

    def in_json(self, value: JsonValue) -> bool:
        """Whether a JSON value may hold any of it."""
        try:
            folded = to_json(value).lower()
        except ValueError:  # too deep, or lone surrogates
            return True
        for anchor in self.anchors:  # noqa: SIM110 - as above
            if anchor.in_bytes.search(folded):
                return True
        return False

    def __bool__(self) -> bool:
        return bool(self.anchors)


_EVERYTHING: Final = Suspicion(
    _FORMS, (*(anchor for form in _FORMS for anchor in form.anchors), _ESCAPE_ANCHOR), escapes=True
)


def suspicion(*texts: bytes) -> Suspicion:
    """What UTF-8 texts may hold, found by anchors alone: less than a millisecond for a megabyte."""
    found: set[Anchor] = set()
    searches = _searches()
    for text in texts:
        for window in windows(text, _REACH):
            folded = window.lower()
            searches = _without_found(searches, folded, folded.decode(errors="ignore"), found)
    anchors = tuple(anchor for anchor in _EVERYTHING.anchors if anchor in found)
    forms = tuple(form for form in _FORMS if not found.isdisjoint(form.anchors))
    return Suspicion(forms, anchors, _ESCAPE_ANCHOR in found)


class _Search(NamedTuple):
    """A search for some anchors at once; what it finds may be none of them. `alone` are those for each of them."""

    sieve: Sieve
    anchors: tuple[Anchor, ...]
    alone: tuple[_Search, ...] = ()


@cache
def _searches() -> tuple[_Search, ...]:
    anchors = _EVERYTHING.anchors
    alone = [_Search(Sieve(_beginning(anchor)), (anchor,)) for anchor in anchors]
    groups = [(anchors[i : i + _TOGETHER], tuple(alone[i : i + _TOGETHER])) for i in range(0, len(anchors), _TOGETHER)]
    return tuple(_Search(Sieve(*map(_beginning, some)), some, each) for some, each in groups)


@lru_cache(maxsize=64)
def _sieve(anchors: tuple[Anchor, ...]) -> Sieve:
    return Sieve(*map(_beginning, anchors))


def _beginning(anchor: Anchor) -> str:
    """An anchor as sieves take it: without what it looks back at."""
    pattern = anchor.in_text.pattern
    return pattern.split("(?")[0] if "(?<" in pattern else pattern


def _without_found(searches: Iterable[_Search], folded: bytes, decoded: str, found: set[Anchor]) -> tuple[_Search, ...]:
    """The searches that go on behind a text, once what stands there is among what is found."""
    left: list[_Search] = []
    for search in searches:
        if not search.sieve.holds(decoded):
            left.append(search)
        elif search.alone:  # from now on each for itself
            left += _without_found(search.alone, folded, decoded, found)
        elif search.anchors[0].in_bytes.search(folded):
            found.update(search.anchors)
        else:
            left.append(search)
    return tuple(left)


def redact_text(text: str, among: Suspicion = _EVERYTHING) -> RedactedText:
    """Replace the secrets in a text by `[redacted:KIND]`.

    What names a secret stays: the name of a pair, the scheme of a header, scheme, user and host of a URL. A secret
    that JSON escapes (`\\u0041`) hide is found, too; the text is then given without these escapes.

    Args:
        text: any text, of any length.
        among: what the text may hold, where that is known already.
    """
    if among.escapes and "\\u00" in text:
        redacted = _redact(unescaped(text), _FORMS)
        if redacted.count:
            return _settled(redacted)
    return _settled(_redact(text, among.forms))


def _settled(redacted: RedactedText) -> RedactedText:
    """Redact what is left until nothing more is found: what stands beside a mark may look like a pair only now."""
    found = redacted.count
    for _ in range(_ROUNDS):
        if not found:
            break
        again = _redact(redacted.text, _FORMS)
        found = again.count
        redacted = RedactedText(again.text, redacted.count + found)
    return redacted


def _redact(text: str, forms: tuple[Form, ...]) -> RedactedText:
    folded, count = _folded(text), 0
    for form in forms:
        starts = [match.start() for anchor in form.anchors for match in anchor.in_text.finditer(folded)]
        if not starts:
            continue
        pieces: list[str] = []
        end = 0
        for start in sorted(starts):
            if start >= end and (match := form.pattern.match(text, start)):
                pieces += text[end:start], _replacement(form.kind, match)
                end = match.end()
        if pieces:
            text = "".join(pieces) + text[end:]
            folded, count = _folded(text), count + len(pieces) // 2
    return RedactedText(text, count)


def _folded(text: str) -> str:
    """The text in lower case, each character at its place."""
    folded = text.lower()
    return folded if len(folded) == len(text) else text.replace("\u0130", "i").lower()


def redact_cut_text(text: str) -> RedactedText:
    """Redact a text whose beginning is missing, so that what is left of a secret does not show.

    Its first, partial word is dropped, and what follows that word as its value would. A private key whose beginning
    is missing is redacted up to its end.
    """
    rest = text[_end_of_cut_words(text) :]
    end = _KEY_END.search(rest)
    if end and not _KEY_BEGIN.search(rest, 0, end.start()):
        redacted = redact_text(rest[end.end() :])
        return RedactedText(mark("private-key") + redacted.text, redacted.count + 1)
    return redact_text(rest)


def mark(kind: str) -> str:
    """What stands in the place of a secret."""
    return f"[redacted:{kind}]"


def is_mark(text: str) -> bool:
    """Whether a text is nothing but what stands in the place of a secret."""
    return _MARKED.fullmatch(text) is not None


def secret_named(name: str) -> str | None:
    """The kind of secret that a name says its value is, or None: `db_password`, `clientSecret`, `X-Api-Key`."""
    found = _NAME_AT_END.search(name)
    return found.lastgroup if found else None


def opens_key(text: str) -> bool:
    """Whether a private key begins in a text and does not end there."""
    if "PRIVATE KEY" not in text:
        return False
    begins = [match.end() for match in _KEY_BEGIN.finditer(text)]
    return bool(begins) and not _KEY_END.search(text, begins[-1])


def closes_key(text: str) -> bool:
    """Whether a private key ends in a text."""
    return end_of_key(text) is not None


def end_of_key(text: str) -> re.Match[str] | None:
    """What stands in a text at the end of a private key, if there is one."""
    return _KEY_END.search(text)


def _replacement(kind: str, match: re.Match[str]) -> str:
    groups = match.groupdict()
    if kind == "named":
        kind = next(name for name in ("password", "secret", "token", "key") if groups[name])
    return "".join(groups.get(name) or "" for name in ("keep", "scheme", "quote")) + mark(kind)


def unescaped(text: str) -> str:
    """A text without the JSON escapes that can hide a secret, and without those that these hid."""
    for _ in range(_ESCAPE_LEVELS):
        before, text = text, _ESCAPE.sub(_character, text)
        if text == before:
            break
    return text


def _character(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    # A quote or backslash stays escaped, as it would be one level further out.
    return "\\" + character if character in '"\\' else character if character >= " " or character in "\t\n\r" else " "


def _end_of_cut_words(text: str) -> int:
    """Where a text whose beginning is missing can be read from."""
    value = text[:1] not in ("\r", "\n")
    for word in re.finditer(r"\S+", text):
        if not value and word[0][0] not in "=:":
            return word.start()
        # The word may be the end of a header's scheme.
        value = word[0][-1] in "=:>" or any(scheme.endswith(word[0].lower()) for scheme in _SCHEMES)
    return len(text)
