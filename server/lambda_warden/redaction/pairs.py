"""Secrets that a name stands before, in the many ways that a name and its value are written.

A pair is looked for where a name may stand (`names.STEMS`), so that a text without any costs one search. All that is
repeated is bounded or possessive: time is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from lambda_warden.jsontools.possessive import possessive
from lambda_warden.redaction.harmless import FUNCTION_WORDS, STATES, is_harmless, is_word
from lambda_warden.redaction.marks import MARK, SecretSpan
from lambda_warden.redaction.names import PASSWORD, NameMeaning

MeaningOf = Callable[[str], NameMeaning | None]

SCHEMES: Final = ("bearer", "basic", "token", "apikey", "negotiate", "digest", "jwt", "ssws")
"""Authentication schemes (IANA's registry, and some that are usual), which stay before what they carry."""

# Quotes as they are, escaped for JSON in strings of JSON, percent-encoded, or as entities of HTML.
_QUOTE: Final = r"""(?:\\{0,7}["'`]|&(?:quot|apos|\#0?3[49]|\#[xX]2[27]);|%2[27])"""
_NAME_BEFORE: Final = re.compile(r"(?<![\w.$-])[\w.$-]*+\Z")
_NAME_BEHIND: Final = re.compile(
    "[A-Za-z0-9ß-ÿ]{0,32}+"
    + possessive("[_.-]{1,2}[A-Za-z0-9ß-ÿ]{1,32}+", "{0,4}")
    + possessive(" (?i:value|string|hash|confirmation|key base|base|pem|data|url|id|codes?)(?![A-Za-z0-9_])", "?")
)
_WORD_BEFORE: Final = re.compile(r"(?<![A-Za-z])([A-Za-z]{1,24}) \Z")
_FLAG: Final = re.compile(  # also as a Dockerfile and shells set a variable
    r"(?:(?:^|[\s\"'`,\[(=])-{1,2}|(?:^|\n)[ \t]{0,8}(?:ENV|ARG|setenv|setx)[ ]{1,4})[\w.-]{0,60}\Z"
)
_FORM: Final = re.compile(r"\bname=\\{0,7}[\"'][\w.-]{0,60}\Z")
_NAME_LIMIT: Final = 64

_NEWLINE: Final = r"(?:\r?\n|\\{1,7}n)"
_SCOPE: Final = r"(?::(?:protected|private|[\w\\\"]{1,64}:private))?"
"""How PHP says of a property who sees it."""
_SIGN: Final = (
    r"(?:=>|:=|=(?![=~])"
    r"|:[ ]?&?[A-Za-z][\w.<>\[\]]{0,40}[ ]?=[ ]?(?=[\"'])"  # with a type: `password: str = "…"`
    r"|:(?!:|//)|%3[AaDd]|%253[AaDd]|&\#(?:0?61|0?58|[xX]3[dDaA]);|&(?:equals|colon);|\\u003[dDaA])"
)
_IS: Final = re.compile(
    rf"""(?:
      (?P<pair>(?:{_QUOTE}{_SCOPE}[)\]]?|{_SCOPE}[\])])?\s{{0,32}}{_SIGN})(?:\s{{0,16}}(?={_QUOTE}|string\()|[^\S\r\n]{{0,16}})
        (?:string\(\d{{1,9}}\)\s)?
    | (?P<beside>{_QUOTE}\s{{0,8}}(?:,\s{{0,8}}{_QUOTE}(?i:\w{{0,24}}value|val|default){_QUOTE}\s{{0,8}}[:=]
        |(?:\s[\w:-]{{1,24}}={_QUOTE}[^"'<>]{{0,64}}{_QUOTE}){{0,3}}\s{{1,8}}(?i:value|val|default)\s?=)\s{{0,8}})
    | (?P<below>{_QUOTE}?[ ]{{0,8}}{_NEWLINE}[ \t]{{1,64}}(?:(?i:value|default)[ ]{{0,32}}[:=][ ]{{0,32}}(?=\S)
        |[A-Z][^\r\n\\]{{1,200}}?input_value=(?={_QUOTE})))
    | (?P<form>{_QUOTE}{_NEWLINE}{{2}}(?=[^\s-]))
    | (?P<plist></(?:key|name|Key|Name)>\s{{0,32}}<(?:string|value|data|String|Value)>)
    | (?P<element>{_QUOTE}?(?:\s[^<>]{{0,200}})?/?>(?:<!\[CDATA\[)?(?=[^<>]{{1,512}}(?:</|\]\]>)))
    | (?P<html>&gt;(?=[^&\s]{{1,256}}&lt;))
    | (?P<call>\(\s?(?={_QUOTE}))
    | (?P<list>{_QUOTE}\s?,\s{{0,8}}(?={_QUOTE}))
    | (?P<said>(?:{_QUOTE}?[)\]])?[ ]{{1,4}}(?:(?:\|\||\?\?|or)[ ])?(?=['"]))
    | (?P<table>[ ]{{0,32}}[|\u2502]\s{{0,32}}|[ ]{{0,8}}\t[\t ]{{0,16}}|[ ]{{2,32}}(?=\S))
    | (?P<flag>[ ]{{1,4}}(?=[^\s-]))
    )""",
    re.VERBOSE,
)
_OPENED: Final = re.compile(
    rf"(?!{MARK})(?:\{{\s?{_QUOTE}(?:S|[sS]tring_?[vV]alue){_QUOTE}\s?:\s?(?={_QUOTE})"
    r"|[\[{(]\s?(?=[\"'`\w])|(?:[bru]|(?:SecretStr|Some|Just|Ok)\()(?=['\"])|!!str )"
)
_SCHEME: Final = re.compile(rf"(?:{'|'.join(SCHEMES)})(?:[ ]{{1,8}}|%20|\+)(?=[^\s\"'`,;]{{2}})", re.IGNORECASE)
_QUOTED: Final = re.compile(
    r"""(?P<quote>(?P<escape>\\{1,7})?["'`])"""
    + "(?P<value>"
    + possessive(r"""(?!(?P=quote))(?(escape)(?:\\++["'`]?|[^\\\r\n])|(?:\\[^\r\n]|[^\\\r\n]))""", "+")
    + ")"
)
_ENTITY: Final = re.compile(
    r"(?P<quote>&(?:quot|apos|#0?3[49]|#[xX]2[27]);|%2[27])"
    + "(?P<value>"
    + possessive(r"(?!(?P=quote))[^\r\n\"<>]", "+")
    + ")"
)
_PERCENT_END: Final = re.compile(r"%(?:25)?(?:26|22|27|7[dD]|2[cC]|3[bB]|0[aAdD])")
# Any other value ends at white space, a quote or what looks like the next pair; brackets that close stay outside.
_BARE: Final = re.compile(
    rf"""(?:{MARK}|[^\s"'`,;&\\<\[\](){{}}=|]|&(?!\w{{1,8}};)|<(?!/)|\\(?!["'`nrt\\/]))"""
    + possessive(
        r"""[^\s"'`,;&\\<)}\]|]|[)}\]](?=[^\s"'`,;&)}\]<|.])|<(?!/)|\\(?!["'`nrt\\/])|[|](?=[^\s|])"""
        r"""|[,;&](?!\s|\Z|["'`]|(?:quot|apos|amp|lt|gt|\#\w{1,6});|[A-Za-z0-9_ .-]{1,64}[=:])""",
        "*",
    )
)
_BRACED: Final = re.compile(  # placeholders
    r"\$\{[^}\n]{0,200}\}|\$\([^)\n]{0,200}\)|\{\{[^}\n]{0,200}\}\}|<[^<>\n]{1,60}>|\[[A-Za-z .]{1,40}\]"
    r"|[=#]\{[^}\n]{0,99}\}|%\(\w{1,99}\)s|\*{3,}"
)
_BLOCK: Final = re.compile(r"[|>][+-]?[0-9]?[+-]?[ \t]*(?:#[^\n]*)?\r?\n")
_REST_OF_LINE: Final = re.compile(r"(?:[ \t]+[^\s\"'`,;|&<>(){}\[\]=:]+)+")
_REST: Final = re.compile(r"[^\r\n]{0,200}+")
_SEPARATORS: Final = re.compile(r"[_.$-]|(?<=[a-z])(?=[A-Z])")
_LEVELS: Final = frozenset(
    [
        "info",
        "debug",
        "warn",
        "warning",
        "trace",
        "notice",
        "export",
        "set",
        "env",
        "arg",
        "let",
        "const",
        "var",
        "with",
        "and",
        "or",
        "user",
    ]
)
_MARK_END: Final = re.compile(rf"(?:[\w!#$%&*+.^~-]{{1,128}}=)?{MARK}(?=[\s\"'`,;&)}}\]\\@<|]|\Z)")
_MARK: Final = re.compile(MARK)
_PHRASE_WORDS: Final = (3, 32)


def find_pair(text: str, stem: int, meaning_of: MeaningOf, allows: Callable[[str], bool]) -> SecretSpan | None:
    """The secret whose name has its stem at a place of a text, or None.

    Args:
        text: any text.
        stem: where one of the stems of telling names stands.
        meaning_of: what a name tells.
        allows: whether a name is let pass, whatever words stand before it.
    """
    behind = _NAME_BEHIND.match(text, stem)
    if behind is None:
        return None
    end = behind.end()
    separator = _IS.match(text, end)
    if separator is None:
        return None
    head = _NAME_BEFORE.search(text, max(0, stem - _NAME_LIMIT), stem)
    start = head.start() if head else stem
    if text[start - 1 : start] == ":" and separator[0] == ":":  # a part of an ARN or a URN
        return None
    name = text[start:end]
    meaning = meaning_of(name.strip("-.$"))
    if meaning is None and name.lower() != "token" and allows(name):
        return None
    spaced = start
    if name.lower() == "token" and (word := _WORD_BEFORE.search(text, max(0, start - 26), start)):
        meaning = meaning_of(text[word.start(1) : end])  # the next token, a sync token
    for _ in range(2):
        if meaning is not None or name.lower() == "token":
            break
        word = _WORD_BEFORE.search(text, max(0, spaced - 26), spaced)
        if word is None:
            return None
        spaced = word.start(1)
        meaning = meaning_of(text[spaced:end])
    if meaning is None:
        return None
    return _value(text, spaced, end, separator, meaning)


def _value(text: str, start: int, end: int, separator: re.Match[str], meaning: NameMeaning) -> SecretSpan | None:
    kind = separator.lastgroup or ""
    at = separator.end()
    flag = _FLAG.search(text, max(0, end - _NAME_LIMIT), end) is not None
    if kind == "flag" and not flag:
        return None
    if kind == "form" and not _FORM.search(text, max(0, end - _NAME_LIMIT - len("name='")), end):
        return None
    sign = separator[0]
    prose = kind in ("table", "list", "said") and not flag
    if kind == "pair" and ":" in sign and "=" not in sign:
        prose = _in_sentence(text, start, end)
        if block := _BLOCK.match(text, at):
            return _block(text, start, block.end(), meaning)
    if (opened := _OPENED.match(text, at)) and not text.startswith("{{", at):
        at = opened.end()
    if scheme := _SCHEME.match(text, at):
        at = scheme.end()
        prose = True
    if _MARK_END.match(text, at):
        return None
    if kind != "element" and (found := _QUOTED.match(text, at) or _ENTITY.match(text, at)):
        return _quoted(text, found, meaning, prose=prose)
    if kind in ("call", "list", "said"):
        return None
    if (braced := _BRACED.match(text, at)) and not text[braced.end() : braced.end() + 1].isalnum():
        return None
    if kind in ("element", "plist"):
        return _element(text, at, meaning)
    return _bare(text, text[start:end], at, separator, meaning, prose=prose)


def _quoted(text: str, found: re.Match[str], meaning: NameMeaning, *, prose: bool) -> SecretSpan | None:
    """What stands in quotes, without the scheme before it."""
    first, last, value = found.start("value"), found.end(), found["value"]
    if inner := _SCHEME.match(text, first, last):
        first = inner.end()
        value = text[first:last]
    if _is_marked(value) or is_harmless(value, meaning, prose=prose):
        return None
    return SecretSpan(first, last, meaning.kind)


def _element(text: str, at: int, meaning: NameMeaning) -> SecretSpan | None:
    """What an element of XML holds."""
    last = min((at_end for end in ("<", "]]>") if (at_end := text.find(end, at, at + 600)) >= 0), default=at)
    value = text[at:last]
    if _is_marked(value.strip()) or is_harmless(value, meaning, prose=meaning.weak):
        return None
    return SecretSpan(at, last, meaning.kind)


def _bare(
    text: str, name: str, at: int, separator: re.Match[str], meaning: NameMeaning, *, prose: bool
) -> SecretSpan | None:
    """What stands there without quotes, unless it is a word of a sentence, a heading or the name itself."""
    kind, sign = separator.lastgroup, separator[0]
    last = _bare_end(text, at, separator)
    value = text[at:last]
    if not value or _is_marked(value):
        return None
    if kind == "table" and _is_heading(value):
        return None
    if phrase := _phrase(text, at, last, meaning, prose=prose):
        return SecretSpan(at, phrase, meaning.kind)
    sentence = value + (_REST.match(text, last) or value)[0] if value.lower() in FUNCTION_WORDS else value
    if is_harmless(value, meaning, prose=prose, quoted=False) or sentence != value:
        return None
    if prose and kind == "pair" and _REST_OF_LINE.match(text, last) and is_word(value):
        return None
    if value == name or _same_words(value, name):
        return None
    while last - at > 1 and text[last - 1] in ".!?" and (last == len(text) or text[last].isspace()) and ":" in sign:
        last -= 1
    return SecretSpan(at, last, meaning.kind)


def _bare_end(text: str, at: int, separator: re.Match[str]) -> int:
    """Where a value without quotes ends; `at` if there is none."""
    bare = _BARE.match(text, at)
    if bare is None:
        return at
    last = bare.end()
    if "%3" in separator[0] or "%253" in separator[0]:
        stop = _PERCENT_END.search(text, at, last)
        last = stop.start() if stop else last
    if separator.lastgroup == "html" and (stop_at := text.find("&lt;", at, last)) >= 0:
        last = stop_at
    return last


def _is_marked(value: str) -> bool:
    found = _MARK.match(value)
    return found is not None and found.end() == len(value)


def _is_heading(value: str) -> bool:
    return is_word(value) or set(value) <= set("-+|=")


def _same_words(value: str, name: str) -> bool:
    """`password=password`, as code hands it on."""
    return value.isidentifier() and value.lower().replace("_", "") == _SEPARATORS.sub("", name).lower().strip("-")


def _in_sentence(text: str, start: int, end: int) -> bool:
    """Whether a name is a word of a sentence: one plain word, and a word stands directly before it."""
    if _SEPARATORS.search(text, start, end):
        return False
    word = _WORD_BEFORE.search(text, max(0, start - 26), start)
    if word is None:
        before = text[max(0, start - 2) : start]
        return len(before) == 2 and before[1] == " " and (before[0].isalnum() or before[0] in "'\")")
    return word[1].lower() not in _LEVELS


def _phrase(text: str, start: int, end: int, meaning: NameMeaning, *, prose: bool) -> int | None:
    """Where a pass phrase of several words ends that begins with the value, or None if it is a single word."""
    if not meaning.phrase and (meaning.kind != PASSWORD or prose):
        return None
    rest = _REST_OF_LINE.match(text, end)
    if rest is None:
        return None
    last = rest.end()
    if last < len(text) and text[last] in "=:":  # the name of the next pair
        last = text.rfind(" ", end, last)
    words = text[start:last].split()
    if not _PHRASE_WORDS[0] <= len(words) <= _PHRASE_WORDS[1]:
        return None

    if not all(word.isalpha() and word.islower() for word in words) or words[0] in STATES:
        return None
    if not meaning.phrase and not FUNCTION_WORDS.isdisjoint(words):
        return None
    return last


def _block(text: str, start: int, first: int, meaning: NameMeaning) -> SecretSpan | None:
    """The lines of a YAML block scalar (YAML 1.2.2, chapter 8.1): those that are indented more than their key."""
    line = text.rfind("\n", 0, start) + 1
    indent = len(text[line:start]) - len(text[line:start].lstrip(" "))
    at = first
    last = first
    while at < len(text):
        stop = text.find("\n", at)
        stop = len(text) if stop < 0 else stop
        content = text[at:stop]
        if content.strip():
            if len(content) - len(content.lstrip(" \t")) <= indent:
                break
            last = stop
        at = stop + 1
    value = text[first:last]
    begin = first + len(value) - len(value.lstrip())
    if last <= begin or _is_marked(text[begin:last]) or is_harmless(value, meaning):
        return None
    return SecretSpan(begin, last, meaning.kind)
