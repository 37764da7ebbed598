"""Names that tell that their value is a secret, and names that only look so: words as data.

A name is read as words, however it is written: `dbPassword`, `DB_PASSWORD`, `db-password`, `db.password`.
Its last words tell what the value is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

PASSWORD: Final = "password"
SECRET: Final = "secret"
TOKEN: Final = "token"
KEY: Final = "key"

LAST_WORDS: Final[dict[str, str]] = {
    **dict.fromkeys(
        "password passwd passphrase passcode passwort kennwort contrasena contraseña senha motdepasse pwd"
        " pswd psw pword pw bindpw rootpw adminpw userpw dbpw wachtwoord"
        " userpass dbpass dbpasswd mypass rootpass adminpass passphrases passwords masterpass"
        " sshpass ldappass ftppass mailpass smtppass redispass mysqlpass pgpass pgpassword dbpwd userpwd".split(),
        PASSWORD,
    ),
    **dict.fromkeys(
        "secret secrets clientsecret appsecret apisecret credential credentials cred creds mnemonic dsn cookie cookies"
        " signature sig hmac pin otp totp cvv cvc cvv2 cvc2 ssn iban bearer jwt jws jwe auth authorization auths"
        " setcookie authdata sas pincode webhooksecret passkey pepper salt".split(),
        SECRET,
    ),
    **dict.fromkeys(
        "token pat accesstoken authtoken refreshtoken idtoken sessiontoken bearertoken usertoken".split(), TOKEN
    ),
    **dict.fromkeys(
        "apikey accesskey accountkey privatekey privkey authkey signingkey encryptionkey secretkey masterkey sharedkey"
        " appkey storagekey apitoken sshkey licensekey writekey serverkey servicekey instrumentationkey".split(),
        KEY,
    ),
}
"""The last word of a name, and the kind of secret that it tells of."""

WEAK_WORDS: Final = frozenset(
    "auth auths authorization bearer cookie cookies cred creds credential credentials dsn sig signature hmac pin otp"
    " totp cvv cvc ssn iban pat jwt jws jwe sas pass secrets pepper setcookie authdata pincode"
    " passkey salt".split()
)
"""Last words that also stand before words: `auth: basic`, `credentials: include`: a word alone is no secret."""

KEYS: Final = frozenset(
    "api access account private priv auth authentication signing sign encryption encrypt decryption decrypt secret"
    " storage app application master shared consumer client service session webhook hmac crypto cipher aes rsa ed25519"
    " ecdsa ssh jwt jwk admin server license licence deploy root user host db database integration ingest ingestion"
    " write read publishable restricted live test prod production staging bot hook cookie token password pass"
    " subscription bus role functions function bucket data datakey symmetric wrapping recovery backup restic"
    " vault unseal seal tls ssl"
    " rails laravel django flask fernet nextauth s3 r2 minio spaces b2"
    " openai anthropic claude gemini google gcp groq mistral cohere deepseek perplexity pinecone huggingface hf"
    " replicate together openrouter xai elevenlabs stability tavily serper serpapi voyage weaviate qdrant"
    " aws azure cosmos cosmosdb eventhub servicebus ibm oci alibaba aliyun tencent digitalocean cloudflare heroku"
    " stripe paypal braintree square adyen plaid razorpay paystack shopify"
    " sendgrid mailgun mailchimp mandrill postmark brevo resend twilio vonage nexmo pusher ably slack discord telegram"
    " github gitlab bitbucket npm pypi rubygems docker circleci travis codecov sonar snyk"
    " datadog dd newrelic grafana sentry rollbar bugsnag honeycomb dynatrace logdna loggly pagerduty opsgenie"
    " algolia elastic elasticsearch meilisearch typesense firebase supabase airtable notion linear asana jira hubspot"
    " salesforce zendesk intercom segment amplitude mixpanel launchdarkly mapbox maps here openweather weather"
    " auth0 okta clerk workos twitter facebook instagram linkedin youtube twitch spotify dropbox box"
    " infura alchemy etherscan coinbase binance kraken wallet ethereum eth bitcoin btc deployer"
    " sdk cert vapid apns fcm apollo kaggle wandb comet ngrok tailscale turnstile recaptcha hcaptcha steam tmdb deepl"
    " contentful sanity klaviyo onesignal knock moralis helius finnhub".split()
)
"""Words before `key` that make it a secret. Of any other key (`partition_key`, `public_key`) nothing is told."""

PASS_WORDS: Final = frozenset(
    "db database user usr smtp mail email imap redis mysql mariadb postgres postgresql pg mongo mongodb rabbit rabbitmq"
    " mqtt amqp ftp sftp ldap bind root admin login basic auth http https proxy ssh sudo su my wifi wlan wp ansible"
    " vault become vnc rdp keystore truststore key store cert ca pfx p12 jks master app service svc sql oracle mssql"
    " elastic es kafka sasl nexus jenkins docker registry git site default old new current".split()
)
"""Words before `pass` that make it a password; `bypass`, `first_pass` and `boarding_pass` are none."""

HARMLESS_BEFORE_TOKEN: Final = frozenset(
    "next page paging continuation continue pagination cursor sync marker idempotency request client task forward"
    " backward start starting list scroll max min input output prompt completion total stop eos bos pad unk"
    " mask sep cls"
    " change delta position previous prev unexpected resume snapshot lock cancellation cancel lexer parser control"
    " approval callback operation registration transaction reservation"
    " dedup deduplication".split()
)
"""Tokens that continue a listing, repeat a request, name a task or belong to a language."""

TELLING_TOKENS: Final = frozenset(
    "access auth refresh bearer secret session api id user bot oauth sso personal".split()
)
"""Words that make any token a secret: `page_access_token` is no page's."""

LATER_WORDS: Final = frozenset(
    "value string text binary plain plaintext raw base base64 b64 hash hashed digest encrypted enc old new current"
    " confirm confirmation confirmed again repeat verify verification pem json data env b64encoded default fallback"
    " private primary secondary live test prod dev staging production development hex main".split()
)
"""Words behind what tells, that change nothing: `SECRET_KEY_BASE`, `passwordConfirmation`, `private_key_pem`."""

PHRASES: Final[dict[tuple[str, ...], str]] = {
    ("connection", "string"): SECRET,
    ("connectionstring",): SECRET,
    ("conn", "string"): SECRET,
    ("conn", "str"): SECRET,
    ("connstr",): SECRET,
    ("seed", "phrase"): SECRET,
    ("seed", "words"): SECRET,
    ("recovery", "phrase"): SECRET,
    ("secret", "phrase"): SECRET,
    ("mnemonic", "phrase"): SECRET,
    ("wallet", "seed"): SECRET,
    ("recovery", "code"): SECRET,
    ("recovery", "codes"): SECRET,
    ("backup", "code"): SECRET,
    ("backup", "codes"): SECRET,
    ("security", "answer"): SECRET,
    ("passport", "number"): SECRET,
    ("bank", "account", "number"): SECRET,
    ("key", "material"): KEY,
    ("pass", "phrase"): PASSWORD,
    ("pass", "word"): PASSWORD,
    ("pass", "code"): PASSWORD,
    ("mot", "de", "passe"): PASSWORD,
    ("auth", "code"): SECRET,
    ("authorization", "code"): SECRET,
    ("verification", "code"): SECRET,
    ("security", "code"): SECRET,
    ("mfa", "code"): SECRET,
    ("otp", "code"): SECRET,
    ("pin", "code"): SECRET,
    ("pin", "number"): SECRET,
    ("one", "time", "code"): SECRET,
    ("card", "number"): SECRET,
    ("social", "security", "number"): SECRET,
    ("ssn", "number"): SECRET,
    ("webhook", "url"): SECRET,
    ("api", "hash"): SECRET,
    ("session", "id"): SECRET,
    ("sessionid",): SECRET,
    ("phpsessid",): SECRET,
    ("jsessionid",): SECRET,
    ("connect", "sid"): SECRET,
    ("sas", "url"): SECRET,
    ("security", "token"): TOKEN,
    ("client", "key", "data"): KEY,
    ("x", "amz", "credential"): SECRET,
    ("vault", "secret", "id"): SECRET,
    ("cosmos", "primary", "key"): KEY,
    ("pagerduty", "routing", "key"): KEY,
}
"""Words that tell only together, at the end of a name."""
WEAK_PHRASES: Final = frozenset(
    phrase
    for phrase in PHRASES
    if phrase[-1] in ("code", "codes", "number", "url", "id", "hash", "string", "str", "token")
)

_PHRASE_ENDS: Final = frozenset("phrase words seed passphrase mnemonic".split())
_NUMBERS: Final = frozenset("pin pincode otp totp cvv cvc cvv2 cvc2 ssn code number passcode".split())
_WORDS: Final = re.compile(r"[A-Z]+(?![a-zß-ÿ])|[A-Zß-ÿ]?[a-zß-ÿ]+|[0-9]+")
_DIGITS_IN: Final = frozenset("ed25519 s3 r2 b2 auth0 p12 base64 b64 cvv2 cvc2".split())


@dataclass(frozen=True, slots=True)
class NameMeaning:
    """What a name tells of its value.

    Args:
        kind: the kind of secret: password, secret, token or key.
        weak: whether words behind it are no secrets: `auth: basic`.
        phrase: whether words behind it are the secret: `seed phrase: …`.
        number: whether a number behind it is, too: `pin: 1234`.
    """

    kind: str
    weak: bool = False
    phrase: bool = False
    number: bool = False


def meaning_of(name: str) -> NameMeaning | None:
    """What a name tells of its value, or None: by its last words, written in any way.

    >>> meaning_of("DB_PASSWORD").kind, meaning_of("nextToken"), meaning_of("openai.key").kind
    ('password', None, 'key')
    """
    if name in ("PWD", "OLDPWD"):  # the working folder
        return None
    words = words_of(name)
    while words and (words[-1].isdigit() or words[-1] in LATER_WORDS):
        found = _last_words(words)
        if found:
            return found
        words = words[:-1]
    return _last_words(words) if words else None


def words_of(name: str) -> list[str]:
    """The words of a name in lower case: `dbPassword2` → db, password, 2."""
    words: list[str] = []
    for part in re.split(r"[^A-Za-z0-9ß-ÿ]+", name):
        if part.lower() in _DIGITS_IN:
            words.append(part.lower())
        else:
            words += [word.lower() for word in _WORDS.findall(part)]
    return words


def _last_words(words: list[str]) -> NameMeaning | None:
    last, before = words[-1], words[:-1]
    for size in (3, 2, 1):
        phrase = tuple(words[-size:])
        if kind := PHRASES.get(phrase):
            return NameMeaning(kind, weak=phrase in WEAK_PHRASES, phrase=last in _PHRASE_ENDS, number=last in _NUMBERS)
    if last in ("key", "keys"):
        telling = before and before[-1] in KEYS and not (before[-1] in _ROWS and not before[:-1])
        return NameMeaning(SECRET if "secret" in before else KEY) if telling else None
    if last == "pass":
        if not before or before[-1] in PASS_WORDS:
            return NameMeaning(PASSWORD, weak=not before)
        return None
    if last in ("token", "tokens"):
        if last == "tokens" or not TELLING_TOKENS.isdisjoint(before):
            return NameMeaning(TOKEN) if last == "token" else None
        return None if not HARMLESS_BEFORE_TOKEN.isdisjoint(before) else NameMeaning(TOKEN)
    kind = LAST_WORDS.get(last)
    if kind is None:
        kind = next((LAST_WORDS[end] for end in _ENDS if last.endswith(end) and last != end), None)
        return NameMeaning(kind) if kind else None
    return NameMeaning(kind, weak=last in WEAK_WORDS, phrase=last in _PHRASE_ENDS, number=last in _NUMBERS)


_ROWS: Final = frozenset("user data host read write test live bucket box token role bus".split())
"""Words before `key` that are those of rows and objects where nothing else stands before them: `user_key`."""
_ENDS: Final = ("password", "passwd", "passphrase", "secret", "secretkey", "apikey", "accesskey", "privatekey")
"""Endings of a word that is written without a break: `mydbpassword`, `openaiapikey`."""

STEMS: Final = tuple(
    sorted(
        {
            *("pass", "pwd", "secret", "token", "credential", "apikey", "cookie", "mnemonic", "passwort", "kennwort"),
            *("contrase", "senha", "pswd", "signature", "phrase", "connection", "connstr", "authorization", "bearer"),
            *("sessionid", "sessid", "session", "webhook", "privatekey", "bindpw", "wachtwoord", "answer"),
        }
    )
)
"""What any telling name has in it, in lower case, unless it ends with one of `SHORT_STEMS`."""
SHORT_STEMS: Final = (
    *("key", "keys", "sig", "pin", "otp", "totp", "cvv", "cvc", "cvv2", "cvc2", "ssn", "iban", "dsn", "jwt", "jws"),
    *("jwe", "pat", "auth", "auths", "cred", "creds", "sas", "hmac", "psw", "pw", "pword", "pepper", "salt", "seed"),
    *("code", "codes", "number", "str", "string", "words", "data", "material"),
)
