"""Values that are no secrets, whatever their name tells: placeholders, paths, ARNs, words of messages."""

from __future__ import annotations

import re
from typing import Final

from lambda_warden.redaction.names import PASSWORD, TOKEN, NameMeaning

STATES: Final = frozenset(
    "true false null none nil undefined nan n/a na unset empty blank unknown yes no on off ok default"
    " redacted hidden masked filtered removed omitted withheld suppressed sensitive obfuscated encrypted"
    " is was are has have had must should shall may might will would can cannot can't could couldn't does doesn't did"
    " didn't isn't wasn't not never invalid expired missing required unexpected expected incorrect wrong denied failed"
    " failure error absent present provided specified found mismatch mismatched malformed rejected accepted revoked"
    " rotated valid verified changed updated reset created deleted loaded optional enabled disabled unauthorized"
    " forbidden unavailable unsupported too field value password token secret credentials please your this that length"
    " string str bytes int integer number boolean bool object any unmatched illegal"
    " eof identifier exists already contains known inconsistent matches matched".split()
)
"""Words that a message begins with behind `password:`, and what a serialiser puts there."""
FUNCTION_WORDS: Final = frozenset(
    "the a an and or of for from in on at by await new yield async lambda function func return to with as if"
    " then than but be been it its we you i he she they my our"
    " their there here where when while because only also used using via set given".split()
)
"""Words of sentences, which no pass phrase is expected to begin with unless it is quoted."""
TECHNICAL: Final = frozenset(
    "oauth2 oauth1 oauth2.0 saml2 http2 sha1 sha256 sha512 md5 ed25519 rs256 hs256 es256 ps256 hs512 rs512 sigv4 v1 v2"
    " v4 s3v4 s3 auth0 aws4-hmac-sha256 hmac-sha256 hmac-sha1 sha256-rsa base64 2fa ec2 rsa2048 tls1.2 ipv4".split()
)
"""Names of algorithms and protocols: words with digits."""

_PLACEHOLDER: Final = re.compile(
    r"""\$\{[^}\n]{0,200}\}? | \$\([^)\n]{0,200}\)? | \$[A-Za-z_]\w{0,99} | %[A-Za-z_]\w{0,99}% | %\(?\w{0,40}\)?[sdrvq]
    | \{\{.{0,400}\}\}? | \{[\w.:!-]{0,60}\}? | <[^<>\n]{0,100}>? | \[[\w .:!?/-]{0,100}\]? | \[object\ Object\]
    | :[a-z_]\w{0,40} | @[A-Za-z_]\w{0,40} | \#\{.{0,100}\} | ENC\[.{0,4096}\] | ![A-Z]\w{1,20}(?:\ .{0,200})?""",
    re.VERBOSE | re.ASCII,
)
_STARS: Final = re.compile(r"[*\u2022\u25cf]{3,}|[xX]{4,}|\.{3,}|\u2026|_{3,}|-{3,}|#{4,}")
_REFERENCE: Final = re.compile(
    r"arn:aws[a-z-]*:|(?:ssm|secretsmanager|asm|env|file|vault|op|sm|gcp|keyvault|secretref|aws-?sm|kms|projects|s3|gs)"
    r"(?:://|:/?(?=[A-Za-z/_]))|secret/data/|alias/|@Microsoft\.KeyVault|resolve:",
    re.IGNORECASE,
)
_FILE: Final = re.compile(
    r"[\w@ ./\\-]{1,200}\.(?:json|pem|key|crt|cer|p12|pfx|jks|txt|ya?ml|env|py|m?js|ts|go|java|rb|php|cs|conf|cfg|ini"
    r"|toml|xml|html?|log|csv|sh|sql|properties|tf|lock|md)(?::\d{1,9}){0,2}[.,;:]?",
    re.ASCII | re.IGNORECASE,
)
_CODE: Final = re.compile(
    r"(?:self|this|process|os|env|config|settings|ctx|event|req|request|args|opts|options|props|secrets|var|local|data"
    r"|each|module|params|input|conf|cfg|app|user|body|context|state|System|Environment)(?:\??[.\[]|\s?->).{1,200}"
    r"|(?:await |new |\$)?[A-Za-z_][\w.]{0,80}\(.{0,200}",
    re.DOTALL,
)
_PART: Final = r"(?:[A-Z]?[a-z]{1,24}|[A-Z]{1,24})"
_WORD: Final = re.compile(rf"[\"'(]?(?:{_PART}){{1,4}}(?:['’._-](?:{_PART}){{1,4}}){{0,5}}[.,:;!?)\"']{{0,3}}")
_LOWER_PATH: Final = re.compile(r"[a-z][a-z0-9_.-]{0,63}(?:[/:][A-Za-z0-9_.*-]{1,64}){1,12}[.,;:]?")
_ABSOLUTE: Final = re.compile(r"(?:[A-Za-z]:\\|~?/|\.{1,2}/)[\w@ .+~/\\:*-]{0,4096}", re.ASCII)
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]{1,20}://[^\s@?#]{1,2048}", re.IGNORECASE)
_RANDOM: Final = re.compile(r"(?=[^/\\:]*[0-9])(?=[^/\\:]*[A-Za-z])[A-Za-z0-9_+=-]{20,}")
_MIXED: Final = re.compile(r"(?=[^/\\:]*[0-9])(?=[^/\\:]*[A-Z])(?=[^/\\:]*[a-z])[A-Za-z0-9_+=-]{8,}")
_LOOKED_AT: Final = 4096


def is_harmless(value: str, meaning: NameMeaning, *, prose: bool = False, quoted: bool = True) -> bool:
    """Whether a value is no secret, though its name tells that it is one.

    Args:
        value: the value, without quotes.
        meaning: what its name tells.
        prose: whether it stands in a sentence, where a word or a path is what the sentence is about.
        quoted: whether it stands in quotes, or is the string of a JSON member: it is all of the value then.
    """
    text = value.strip()
    if not any(map(str.isalnum, text[:_LOOKED_AT])):
        return len(text) < 4 or len(set(text)) < 4
    if len(text) > _LOOKED_AT:
        return False
    if _PLACEHOLDER.fullmatch(text) or _is_masked(text) or _REFERENCE.match(text):
        return True
    if is_path(text):
        return True
    if text.isdigit() and _counts(text, meaning):
        return True
    words = text.split()
    first = words[0].lower().strip("\"'.,:;!?()[]{}").replace("’", "'")
    if first in STATES and not (meaning.phrase and len(words) > 2):
        return True
    if not quoted and (first in FUNCTION_WORDS or _CODE.fullmatch(text)):
        return True
    if prose or meaning.weak:
        if all(map(is_word, words)) and not (meaning.phrase and len(words) > 2):
            return True
        if first in TECHNICAL:
            return True
    return bool((prose or meaning.kind != PASSWORD) and _LOWER_PATH.fullmatch(text) and not _RANDOM.search(text))


def _counts(digits: str, meaning: NameMeaning) -> bool:
    """Whether a number says how many there are: `pass: 12`, `token: 512`, the pin 13 of a chip."""
    counted = (meaning.kind == PASSWORD and meaning.weak) or meaning.kind == TOKEN
    return len(digits) < (5 if counted else 3 if meaning.weak else 1)


def is_word(text: str) -> bool:
    """Whether a text is a word as people write it, or some joined: `EOF`, `same-origin`, `AWS_IAM`, `doesn't`."""
    return _WORD.fullmatch(text) is not None


def is_path(text: str) -> bool:
    """Whether a text is the path of a file, or an address without credentials."""
    if _FILE.fullmatch(text):
        return not _RANDOM.search(text)
    if _URL.fullmatch(text):
        return not _RANDOM.search(text) and not _MIXED.search(text)
    if not _ABSOLUTE.fullmatch(text) or _MIXED.search(text):
        return False
    return text.count("/") > 1 or "\\" in text or is_word(text.lstrip("/~."))


def _is_masked(text: str) -> bool:
    if not _STARS.search(text):
        return False
    return len(_STARS.sub("", text)) <= 12 and " " not in text.strip()
