"""Names that tell that their value is a secret, and the ways in which a name and a value are written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from html import escape
from urllib.parse import quote

SECRET = "zQ7x" + "K9vW3j"
"""A value that is told by its name alone: of no shape."""

_WORDS = """
password, db password, admin password, root password, user password, smtp password, redis password, mysql root password,
postgres password, ftp password, proxy password, login password, keystore password, master password, new password,
old password, password confirmation, password hash, passwd, db passwd, passphrase, key passphrase, pass phrase,
passcode,
redis pass, db pass, smtp pass, mail pass, user pass, rabbitmq pass, basic auth pass, mongo pass, pgpassword, db pwd,
admin pwd, user pwd, secret, client secret, app secret, api secret, shared secret, webhook secret, jwt secret,
session secret, cookie secret, oauth client secret, signing secret, consumer secret, secret key, aws secret access key,
secret access key, secret key base, app secret key, django secret key, secret value, secret string, secret token,
s3 secret key, stripe secret key, token, access token, refresh token, id token, auth token, bearer token, session token,
api token, bot token, github token, slack token, gitlab token, npm token, deploy token, personal access token,
oauth token, device token, registration access token, security token, jwt token, csrf token, vault token, hf token,
aws session token, user token, page access token, verification token, reset token, api key, x api key, google api key,
openai key, openai api key, anthropic api key, app key, application key, access key, aws access key, account key,
azure storage key, storage account key, cosmos key, service bus key, shared access key, private key, rsa private key,
ssh private key, tls private key, ssh key, deploy key, encryption key, decryption key, signing key, auth key,
master key,
session key, client key, consumer key, service key, service account key, subscription key, license key, hmac key,
webhook key, stripe key, sendgrid key, twilio key, mailgun key, datadog key, dd api key, newrelic license key,
sentry auth token, algolia admin key, algolia api key, mapbox key, firebase key, supabase service role key,
supabase key,
rails master key, laravel app key, fernet key, nextauth secret, jwt signing key, private key pem, private key data,
integration key, ingest key, host key, function key, functions key, maps api key, weather api key, groq key,
gemini key, mistral key, pinecone key, cohere key, deepseek key, huggingface key, replicate key, xai key,
sentry dsn, dsn, database dsn, connection string, db connection string, azure connection string,
storage connection string, cookie, session cookie, set cookie, auth cookie, credentials, aws credentials,
db credentials,
credential, creds, db creds, sig, signature, webhook signature, hmac, hmac signature, pin, user pin, card pin, sim pin,
otp, totp, totp secret, mfa code, otp code, verification code, security code, auth code, recovery codes, backup codes,
cvv, cvc, card cvv, cvv2, ssn, user ssn, social security number, iban, bank iban, card number, credit card number, auth,
proxy auth, basic auth, registry auth, pat, github pat, azure devops pat, bearer, jwt, user jwt, mnemonic,
wallet mnemonic,
seed phrase, recovery phrase, mnemonic phrase, sas token, sas url, session id, jsessionid, phpsessid, webhook url,
slack webhook url, authorization code, kennwort, passwort, contrasena, senha, pepper, wifi password, vpn password,
ldap bind password, tokens secret, passkey, deployer private key, wallet private key, eth private key, dropbox key,
github key, slack signing secret, discord bot token, telegram bot token, twilio auth token, mail password,
bind pw, bindpw, rootpw, admin pw, vault pass, tls key, security answer, passport number, bank account number,
key material, contraseña, wachtwoord, password salt, auth salt, honeycomb writekey, sdk key, kaggle key, apollo key,
vapid key, fcm server key, vault secret id, cosmos primary key, pagerduty routing key
"""
NAMES = tuple(" ".join(name.split()) for name in _WORDS.split(",") if name.strip())


def _camel(words: list[str]) -> str:
    return words[0] + "".join(map(str.title, words[1:]))


STYLES: dict[str, Callable[[list[str]], str]] = {
    "snake": "_".join,
    "upper": lambda words: "_".join(words).upper(),
    "kebab": "-".join,
    "camel": _camel,
    "pascal": lambda words: "".join(map(str.title, words)),
    "dotted": ".".join,
    "title": lambda words: " ".join(map(str.title, words)),
    "train": lambda words: "-".join(map(str.title, words)),
    "suffixed": lambda words: "_".join((*words, "2")),
    "prefixed": lambda words: "_".join(("prod", *words)).upper(),
}

WRITINGS: dict[str, Callable[[str, str], str]] = {
    "env": lambda name, value: f"HOME=/root\n{name}={value}\nLANG=C",
    "export": lambda name, value: f'export {name}="{value}"',
    "yaml": lambda name, value: f"db:\n  {name}: {value}\n  port: 5",
    "toml": lambda name, value: f'[db]\n{name} = "{value}"\n',
    "ini": lambda name, value: f"[db]\n{name} = {value}\n",
    "properties": lambda name, value: f"a.{name}={value}\nb=1",
    "json": lambda name, value: json.dumps({"a": 1, name: value, "b": 2}),
    "json in json": lambda name, value: json.dumps({"body": json.dumps({name: value, "b": 2})}),
    "json in json in json": lambda name, value: json.dumps({"x": json.dumps({"body": json.dumps({name: value})})}),
    "python": lambda name, value: repr({name: value, "b": 2}),
    "keyword": lambda name, value: f"Config({name}='{value}', port=5)",
    "logfmt": lambda name, value: f"level=info {name}={value} took=5ms",
    "query": lambda name, value: f"GET https://x.example/p?a=1&{name}={value}&b=2",
    "percent-encoded": lambda name, value: "body=" + quote(f"{name}={value}&user=bob", safe=""),
    "html-encoded": lambda name, value: escape(f'<input {name}="{value}">'),
    "xml element": lambda name, value: f"<a><{name}>{value}</{name}></a>",
    "xml attribute": lambda name, value: f'<db {name}="{value}" port="5"/>',
    "xml add": lambda name, value: f'<add key="{name}" value="{value}"/>',
    "xml property": lambda name, value: f'<property name="{name}">{value}</property>',
    "plist": lambda name, value: f"<key>{name}</key>\n  <string>{value}</string>",
    "print_r": lambda name, value: f"Array\n(\n    [{name}] => {value}\n    [port] => 5\n)",
    "var_dump": lambda name, value: f'["{name}"]=>\n  string(10) "{value}"',
    "ruby": lambda name, value: f'{{:{name}=>"{value}", "port"=>5}}',
    "flag": lambda name, value: f"tool --{name} {value} --port 5",
    "flag with sign": lambda name, value: f"tool --{name}={value} --port 5",
    "argv": lambda name, value: json.dumps(["tool", f"--{name}", value, "--port"]),
    "tab": lambda name, value: f"{name}\t{value}\nport\t5",
    "table": lambda name, value: f"| {name} | {value} |\n| port | 5 |",
    "columns": lambda name, value: f"port      5\n{name}   {value}\n",
    "yaml block": lambda name, value: f"{name}: |\n  {value}\n  {value}\nport: 5",
    "yaml folded": lambda name, value: f"a:\n  {name}: >-\n    {value}\n  port: 5",
    "name and value": lambda name, value: json.dumps([{"name": name, "value": value}]),
    "log": lambda name, value: f"2026-11-01T10:00:00Z INFO {name}: {value}",
    "said": lambda name, value: f"Login failed for bob, {name}: {value}",
    "header": lambda name, value: f"> {name}: {value}\n> Host: x",
    "with scheme": lambda name, value: f"{name}: Bearer {value}",
    "zero width": lambda name, value: f"{name[:2]}\u200b{name[2:]}={value[:3]}\u200d{value[3:]}",
    "escaped": lambda name, value: "".join(f"\\u{ord(c):04x}" for c in name) + f'": "{value}"',
    "setter": lambda name, value: f'config.set("{name}", "{value}")',
    "Some of Rust": lambda name, value: f'Config {{ port: 5, {name}: Some("{value}") }}',
    "property of PHP": lambda name, value: f"Config Object\n(\n    [{name}:Config:private] => {value}\n)",
    "padded": lambda name, value: f"{name:<32}: {value}\nport{'':<28}: 5",
    "Dockerfile": lambda name, value: f"FROM a\nENV {name} {value}\n",
    "typed": lambda name, value: f'{name}: str = "{value}"',
    "fallback": lambda name, value: f'os.environ.get("{name}") or "{value}"',
    "name above value": lambda name, value: f"- name: {name}\n  value: {value}\n- name: port\n  value: 5",
    "form": lambda name, value: f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n--b',
    "pydantic": lambda name, value: (
        f"{name}\n  Extra inputs are not permitted [type=extra_forbidden, input_value='{value}', input_type=str]"
    ),
    "typed value": lambda name, value: json.dumps({name: {"S": value}}),
    "attribute": lambda name, value: json.dumps({"key": name, "value": {"stringValue": value}}),
    "plan": lambda name, value: f'~ {name} = "a1B2c3D4" -> "{value}"',
    "subscript": lambda name, value: f"os.environ['{name}'] = '{value}'",
}
SPACED = frozenset(
    ("yaml", "json", "log", "header", "table", "tab", "said", "name and value", "with scheme", "yaml block")
)
"""Writings in which a name may have spaces."""


def pairs() -> Iterator[tuple[str, str, str]]:
    """Each name in each style and writing where it may stand: what it is, the writing, and the text."""
    for name in NAMES:
        for style, written in STYLES.items():
            spelled = written(name.split())
            for writing, write in WRITINGS.items():
                if " " in spelled and writing not in SPACED:
                    continue
                yield f"{name} ({style})", writing, write(spelled, SECRET)


def shows(text: str) -> bool:
    """Whether a text shows the value, or most of it."""
    plain = text.replace("\u200d", "")
    return any(SECRET[i : i + 6] in plain for i in range(len(SECRET) - 5))
