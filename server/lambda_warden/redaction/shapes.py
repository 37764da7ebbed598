"""Secrets whose shape has parts that depend on each other, or no literal at its beginning.

Each has a pattern of its own, tried where one of its literals matches the text in lower case; what it matches is
replaced, except for its groups `keep` and `scheme`, which say what the secret is for. Every pattern takes time linear
in the text: what is repeated without bound can't run across the start of another match.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from lambda_warden.jsontools.possessive import possessive
from lambda_warden.redaction.marks import MARK
from lambda_warden.redaction.pairs import SCHEMES


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of secret that a pattern finds.

    Args:
        kind: what the mark in its place says.
        literals: patterns for the text in lower case that begin with a literal, each where `pattern` may match.
        pattern: matches the secret.
        back: characters before such a place where the match begins.
    """

    kind: str
    literals: tuple[str, ...]
    pattern: re.Pattern[str]
    back: int = 0


def _shape(kind: str, literals: list[str], pattern: str, flags: re.RegexFlag = re.NOFLAG, back: int = 0) -> Shape:
    return Shape(kind, tuple(literals), re.compile(pattern, re.ASCII | flags), back)


def _azure_key(back: int, *signatures: str) -> Shape:
    """A key of Azure that has one of these signatures after so many characters of base64."""
    return _shape(
        "azure-key",
        [each.lower() for each in signatures],
        rf"(?<![\w+-])[\w+/-]{{{back}}}(?:{'|'.join(signatures)})[A-Za-z0-9+/]{{4,6}}(?![\w+-])",
        back=back,
    )


_IS: Final = r"""(?>(?:\\{0,7}["'`]\]?)?\s{0,8}(?:=>|:=|=(?!=)|:(?!:))\s{0,8}(?:\\{0,7}["'`])?)"""
_KEY_KIND: Final = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?(?: ?-{1,5})?"
KEY_BEGIN: Final = re.compile(rf"----(?:-| )BEGIN {_KEY_KIND}")
KEY_END: Final = re.compile(rf"----[- ]{{0,2}}END {_KEY_KIND}")
_UP_TO_KEY_END: Final = possessive(rf"[^-]++|(?!{KEY_END.pattern})-", "*")

SHAPES: Final = (
    # RFC 7468 (PEM), RFC 9580 (OpenPGP), RFC 4716 (SSH2). One that is cut at its end goes to the end of the text.
    _shape(
        "private-key",
        ["----(?:-| )begin [a-z0-9 ]{0,40}private key"],
        rf"{KEY_BEGIN.pattern}{_UP_TO_KEY_END}(?:{KEY_END.pattern}|\Z)",
    ),
    # PuTTY documentation, appendix "PPK file format".
    _shape(
        "private-key",
        ["private-lines: "],
        "Private-Lines: " + possessive("[^P]++|P(?!rivate-MAC)", "*") + r"(?:Private-MAC: ?[0-9a-f]*|\Z)",
    ),
    # RFC 3986, userinfo. Slashes that are not percent-encoded are taken for the password's, unless a port comes first.
    _shape(
        "password",
        ["://", r":\\{1,8}/"],
        r"(?P<keep>:\\{0,4}/\\{0,4}/" + possessive(rf"""{MARK}|[^\s/:@?#"'`<>\\]""", "*") + ":)"
        rf"""(?!{MARK}@|\*{{3,}}@|\$\{{|\{{\{{|<|%[sdv]@)(?:(?:[^\s/?#"'`<>\\]|\\(?!["'`nrt/\\]))+(?=@(?!sha256:))"""
        r"""|(?!\d{1,5}[/?#])"""
        + possessive(r"""[^\s@:"'`<>\\]|:(?!\\*/)|\\(?!["'`nrt\\])""", "+")
        + "(?=@(?!sha256:)))",
    ),
    # The same, percent-encoded as a whole.
    _shape(
        "password",
        ["%3a%2f%2f"],
        rf"(?P<keep>%3A%2F%2F[\w.~-]{{0,128}}+%3A)(?!{MARK}%40)"
        + possessive(r"[\w.~-]|%(?!40|2F|3F|23)[0-9A-F]{2}", "{1,256}")
        + "(?=%40)",
        re.IGNORECASE,
    ),
    # Sentry's DSN: the public key of a project, with which anybody sends events (Sentry docs, "DSN").
    _shape(
        "sentry-dsn",
        ["://[0-9a-f]{32}@"],
        r"(?P<keep>://)[0-9a-f]{32}(?=@[\w.-]+/\d)",
    ),
    # RFC 9110 Authorization, RFC 6750 Bearer, RFC 7617 Basic; "Signing AWS API requests".
    _shape(
        "authorization",
        ["authorization"],
        rf"""(?P<keep>authorization{_IS})(?!{MARK})"""
        rf"""(?:(?P<scheme>(?:{"|".join(SCHEMES)})\s{{1,8}})(?!{MARK}|(?:realm|is|was|not|required)\b|\$|\{{\{{|<|\*)[^\s"'`\\,;]++"""
        rf"""|(?!(?:{"|".join(SCHEMES)}|aws4-hmac-sha256)\s|\$|\{{\{{|<)(?=[^\s"'`\\,;]*[0-9])[^\s"'`\\,;]{{16,}}+"""
        rf"""|aws4-hmac-sha256\s(?!{MARK})[^\r\n"'`\\]++)""",
        re.IGNORECASE,
    ),
    # RFC 6265, Cookie and Set-Cookie: names and attributes of the cookie that is set stay.
    _shape(
        "cookie",
        ["set-cookie"],
        rf"(?P<keep>set-cookie2?{_IS}[\w!#$%&*+.^|~-]{{1,128}}=)(?!{MARK})[^\s;,\"'\\]++",
        re.IGNORECASE,
    ),
    _shape(
        "cookie",
        ["cookie"],
        rf"(?P<keep>(?<!set-)cookie{_IS})(?!{MARK})(?=[\w!#$%&*+.^|~-]{{1,128}}=)[^\r\n\"'`\\]++",
        re.IGNORECASE,
    ),
    _shape(
        "bearer-token",
        ["bearer"],
        r"(?P<keep>bearer(?:\s{1,8}|%20|\+))(?=[A-Za-z._~+/=-]{0,64}[0-9])[A-Za-z0-9._~+/=-]{16,}+",
        re.IGNORECASE,
    ),
    _shape(
        "authorization",
        ["basic "],
        r"(?<![A-Za-z])(?P<keep>basic )(?=[A-Za-z+/]{0,64}(?:[0-9]|[A-Za-z0-9+/]{0,256}=))"
        r"[A-Za-z0-9+/]{12,}+={0,2}(?![\w.-])",
        re.IGNORECASE,
    ),
    # IAM User Guide, "Unique identifiers": the prefixes of credentials; with the secret key, if it stands behind.
    _shape(
        "aws-access-key",
        ["akia", "asia", "abia", "acca"],
        r"(?<![A-Z0-9])A(?:KIA|SIA|BIA|CCA)(?![ACGT]{16})[A-Z0-9]{16}(?![A-Z0-9])"
        r"(?:[\s,;:|\"'/\\]{1,8}[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=]))?",
    ),
    # "Authenticating requests: query parameters" (Signature Version 4): what makes a presigned URL work.
    _shape("aws-signature", ["x-amz-signature"], r"(?P<keep>X-Amz-Signature(?:=|%3D))[0-9a-f]{16,}+", re.IGNORECASE),
    # GitHub Docs, "GitHub's token formats". Before JWTs, which some of them hold.
    _shape(
        "github-token",
        ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
        r"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrt])|(?<=%3[Dd])|(?<=%20)|(?<=%22))gh[pousr]_[A-Za-z0-9_]{20,}+(?:\.[A-Za-z0-9_-]{16,}+){0,2}",
    ),
    # RFC 7519 (JWT), RFC 7516 (JWE): base64url of `{"`, then further parts.
    _shape(
        "jwt",
        ["eyj", "ewo"],
        r"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrt])|(?<=%3[Dd])|(?<=%20)|(?<=%22))e(?:yJ|wo)[A-Za-z0-9_-]{8,}+"
        + possessive(r"\.{1,2}[A-Za-z0-9_-]{2,}+", "{1,4}"),
    ),
    # Slack docs, "Token types".
    _shape(
        "slack-token",
        ["xox", "xapp-", "xwfp-"],
        r"xox[abcdeoprs](?:\.xox[bp])?-[A-Za-z0-9%-]{10,}+|xapp-\d-[A-Za-z0-9-]{10,}+|xwfp-[A-Za-z0-9-]{10,}+",
    ),
    # Entra ID, client secrets: three characters, a digit, `Q~` and the rest.
    _shape("azure-client-secret", ["q~"], r"(?<![\w~.-])[\w~.-]{3}\dQ~[\w~.-]{31,34}(?![\w~-])", back=4),
    # Azure DevOps, personal access tokens: a signature at a place of its own.
    _shape(
        "azure-devops-token", ["azdo"], r"(?<![A-Za-z0-9])[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}(?![A-Za-z0-9])", back=76
    ),
    # Entra ID, refresh tokens.
    _shape(
        "azure-token",
        [r"[01]\.a[a-z0-9_-]{50}"],
        r"(?<![\w.-])[01]\.A[\w-]{50,}+(?:\.\d)?\.A[\w-]{100,}+(?:\.A[\w-]{100,}+)?",
    ),
    # Azure, keys whose signature stands at a place of its own: Redis, IoT, Event Hubs, Service Bus; Search, registries;
    # Functions; Storage, Batch, Cosmos DB, API Management; OpenAI, Machine Learning.
    _azure_key(33, "AzCa", r"AIoT", r"\+AEh", r"\+ASb"),
    _azure_key(42, "AzSe", r"\+ACR"),
    _azure_key(44, "AzFu"),
    _azure_key(76, r"\+ASt", r"\+ABa", r"\+AMC", "ACDb", "APIM", "ACOG", "AAML", "AAAM"),
    # Salesforce, session ids: that of the organisation, `!` and the rest; its consumer keys and refresh tokens.
    _shape("salesforce-token", ["00d[a-z0-9]{12,15}(?:!|%21)"], r"(?<!\w)00D\w{12,15}(?:!|%21)[A-Za-z0-9._]{60,}+"),
    _shape("salesforce-token", ["3mvg9", "5aep861"], r"(?<!\w)(?:3MVG9|5Aep861)[A-Za-z0-9._+/=]{60,}+"),
    # New Relic, license keys; Mailgun; MaxMind, license keys: what tells them stands at their end.
    _shape("newrelic-key", ["ffffnral"], r"(?<!\w)(?:eu01xx[0-9a-f]{26}|[0-9a-f]{32})FFFFNRAL(?!\w)", back=32),
    _shape("newrelic-key", ["-nrma"], r"(?<!\w)(?:eu01xx[0-9a-f]{36}|AA[0-9a-f]{40})-NRMA(?!\w)", back=42),
    _shape(
        "mailgun-key", ["-[0-9a-f]{8}-[0-9a-f]{8}"], r"(?<![\w-])[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}(?![\w-])", back=32
    ),
    _shape("maxmind-key", ["_mmk"], r"(?<!\w)[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk(?!\w)", back=36),
    # NATS, nkeys; Stellar, SEP-23: a seed in base32.
    _shape("seed", ["s[a-z2-7]{55}"], r"(?<!\w)S[A-Z2-7]{55,57}(?!\w)"),
    # Bitwarden, access tokens of machine accounts.
    _shape("bitwarden-token", [r"0\.[0-9a-f]{8}-"], r"(?<![\w.])0\.[0-9a-f-]{36}\.[A-Za-z0-9]{30}:[A-Za-z0-9+/=]{24}"),
    # .NET, RSAKeyValue: the private members of a key, and the public ones before them stay.
    _shape(
        "private-key",
        ["<rsakeyvalue>"],
        r"(?P<keep><RSAKeyValue>\s{0,8}(?:<(?:Modulus|Exponent)>[^<]{1,2048}</\w{1,16}>\s{0,8}){0,2})"
        r"(?:<(?:P|Q|DP|DQ|InverseQ|D)>[^<]{1,2048}</\w{1,16}>\s{0,8}){1,6}",
    ),
    # HCP Terraform, "API tokens".
    _shape(
        "terraform-token", [r"\.atlasv1\."], r"(?<![A-Za-z0-9])[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,}+", back=14
    ),
    # Telegram Bot API, "Authorizing your bot"; Discord developer docs, "Authentication".
    _shape("telegram-token", [":aa", "%3aaa"], r"(?<=\d{8})(?P<keep>:|%3A)AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])"),
    _shape(
        "discord-token",
        [r"\.[a-z0-9_-]{6}\.[a-z0-9_-]{27}"],
        r"(?<=[A-Za-z0-9_-]{23})\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,45}(?![A-Za-z0-9_.-])",
    ),
    _shape("discord-token", [r"mfa\."], r"(?<![\w.-])mfa\.[A-Za-z0-9_-]{60,}+"),
    # Mailchimp, "About API keys": the data centre stands behind the key.
    _shape("mailchimp-key", [r"-us[0-9]"], r"(?<![\w-])[0-9a-f]{32}-us\d{1,2}(?![\w-])", back=32),
    # curl(1), wget(1), mysql(1), sshpass(1): passwords on a command line.
    _shape(
        "password",
        ["curl ", "wget ", "http --auth", "https --auth"],
        rf"(?P<keep>(?:curl|wget|https?)\s[^\r\n|;]{{0,512}}?(?<=\s)"
        r"(?:-u\s?|--(?:proxy-)?user[ =]|-U\s?|--auth[ =]|-a\s)[\"']?[^\s:\"'/]{1,128}:)"
        rf"(?!{MARK}|\$|\*|<|//)[^\s\"']++",
    ),
    _shape(
        "password",
        ["mysql", "mariadb", "sshpass ", "mongo", "redis-cli ", "smbclient ", "ldapsearch ", "sqlcmd ", "pg_dump "],
        r"(?P<keep>(?:mysql(?:dump|admin|import)?|mariadb(?:-dump)?)\s(?:[^\r\n|;]{0,512}?\s)?-p[\"']?|sshpass\s-p\s?[\"']?"
        r"|mongo(?:sh|dump|restore|export)?\s[^\r\n|;]{0,512}?-p\s?[\"']?|redis-cli\s(?:[^\r\n|;]{0,256}?\s)?(?:-a\s|--pass\s)[\"']?"
        r"|(?:ldapsearch|sqlcmd)\s(?:[^\r\n|;]{0,256}?\s)?-[wP]\s?[\"']?)"
        rf"(?!{MARK}|\$|\*|<|[\s\"'-]|assword)[^\s\"'`;|]++",
    ),
    _shape(
        "password",
        [" -p"],
        rf"(?P<keep>[ ]-p)(?!{MARK})(?=[A-Za-z0-9!@#%^&*._-]*[0-9!@#%^&])(?=[^\s\"']*[A-Za-z])"
        r"(?![a-z]+\.|\d+:\d)[A-Za-z][^\s\"'`;|,)=:/]{3,}",
    ),
    # SQL: CREATE USER, ALTER USER, as MySQL and Oracle write them. In English, what is identified is named by its ARN,
    # its address, or (Alembic) its revision.
    _shape(
        "password",
        ["identified "],
        r"(?P<keep>(?<!revision )"
        rf"IDENTIFIED\s{{1,8}}(?:WITH\s{{1,8}}[\w\"'`]{{1,64}}\s{{1,8}})?(?:BY|AS)\s{{1,8}}(?:PASSWORD\s{{1,8}})?(?P<q>\\?[\"'`])?)"
        rf"(?!{MARK}|\$|<|\*{{3}}|arn:|https?:)(?(q)" + possessive(r"(?!(?P=q))[^\r\n]", "+") + r"|[^\s\"'`;,]++)",
        re.IGNORECASE,
    ),
    # Terraform's plan, and others: what a value that is gone now becomes.
    _shape(
        "secret",
        [r"\][\"'\\]{0,8} -> "],
        rf"(?<=[a-z])(?P<keep>\][\"'\\]{{0,8}} -> \\{{0,7}}[\"'])(?!{MARK})[^\"'\\\r\n]++",
    ),
    # netrc(5).
    _shape(
        "password",
        ["login "],
        rf"(?P<keep>login\s{{1,8}}[^\s]{{1,128}}\s{{1,8}}(?:account\s{{1,8}}[^\s]{{1,128}}\s{{1,8}})?password\s{{1,8}})(?!{MARK})[^\s\"'\\]++",
    ),
)
"""Tried in this order, before the detectors: the first may hold others."""

LATER_SHAPES: Final = (
    # A word in a key's own name says what it is: `bb_live_…`, `ramp_sec_…`, `xnd_production_…`.
    _shape(
        "api-key",
        [r"[_-](?:live|prod|production|secret|sec|sk|pat|api)[_-]"],
        r"(?P<keep>[_-](?:live|prod|production|secret|sec|sk|pat|api)[_-](?:[a-z]{2,12}[_-])?)"
        r"(?:(?=[A-Za-z]{0,64}[0-9])(?=[a-z0-9]{0,64}[A-Z])(?=[A-Z0-9]{0,64}[a-z])[A-Za-z0-9]{16,}+"
        r"|(?<=_)(?<!(?:prod|.api|tion)_)(?=[0-9]{0,32}[a-f])[0-9a-f]{32,}+)" + possessive(r"[\w+/=-]|\.(?=\w)", "*"),
    ),
)
"""Tried in this order, behind the detectors, of which the prefix tells more."""
