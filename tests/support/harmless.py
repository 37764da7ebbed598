"""What stands near words such as password, token and key, and is no secret: messages, members, values."""

from __future__ import annotations

import base64
import hashlib
import random
import uuid
from collections.abc import Iterator

MESSAGES = tuple(
    line
    for line in """\
can't find the specified secret: prod/db
Secrets Manager can't find the specified secret.
ResourceNotFoundException: Secrets Manager can't find the specified secret: staging/payments/stripe
Could not load secret: orders/database in eu-west-1
unexpected token: EOF
SyntaxError: Unexpected token: identifier
SyntaxError: Unexpected token < in JSON at position 0
SyntaxError: Unexpected token 'o', "[object Obj"... is not valid JSON
Unexpected token: operator (=>), line 1, column 12
org.json: Unclosed token: expected } at line 5
invalid token: expected }
Invalid token: expired
Error loading SSO Token: Token for corp does not exist
Error loading SSO Token: Token for default does not exist
The SSO session associated with this profile has expired or is otherwise invalid. To refresh it run aws sso login
ExpiredTokenException: The security token included in the request is expired
UnrecognizedClientException: The security token included in the request is invalid.
InvalidClientTokenId: The security token included in the request is invalid
The provided token has expired.
Token: must be provided
token: required
csrf token: missing
Bearer token: not found in the header
Bad token: malformed
JWT error: invalid signature
jwt: malformed
CommandError: Can't locate revision identified by 'ae1027a6acf'
The queue identified by https://sqs.eu-west-1.amazonaws.com/123456789012/orders does not exist
Resource identified by arn:aws:states:eu-west-1:123456789012:stateMachine:orders was not found
signature: mismatch
Signature: does not match the expected value
The request signature we calculated does not match the signature you provided. Check your key and signing method.
password: must have 8 characters
password: is too short
Password: This field is required.
password: ${DB_PASSWORD}
password: {{ vault_db_password }}
password: $DB_PASSWORD
DB_PASSWORD=${DB_PASSWORD:-}
DB_PASSWORD=********
password=******
password=<redacted>
password: [REDACTED]
password: [hidden]
password: "***"
password=%s
password=%(password)s
password={password}
token: <your token here>
API_KEY=<YOUR_API_KEY>
api_key: null
api key: none
api_key = os.environ["API_KEY"]
api_key=os.getenv("API_KEY")
token = get_token(user)
const token = await fetchToken();
const password = process.env.DB_PASSWORD;
let secret = config.secret
connect(host, password=password, user=user)
connect(token=token)
def login(user: str, password: str) -> None:
def sign(key: bytes, token: str | None = None) -> str:
password: str = Field(min_length=8)
FATAL: password authentication failed for user "orders"
psycopg2.OperationalError: FATAL: password authentication failed for user "app"
Access denied for user 'app'@'10.0.0.5' (using password: YES)
Access denied for user 'app'@'10.0.0.5' (using password: NO)
ORA-01017: invalid username/password; logon denied
Login failed: wrong password
wrong password: try again
KMS key arn:aws:kms:eu-west-1:123456789012:key/8f507cfc-6c1b-4f0e-9d3f-000000000001 is disabled
User is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:us-east-1:123456789012:key/8f507cfc-6c1b-4f0e
KMSKeyArn: arn:aws:kms:us-east-1:123456789012:key/8f507cfc-6c1b-4f0e-9d3f-000000000001
SecretId: arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf
secret: arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf
not authorized to perform: secretsmanager:GetSecretValue on resource: prod/db
DB_PASSWORD_FILE=/run/secrets/db_password
password: /run/secrets/db_password
private key: /etc/ssl/private/server.key
private_key: ~/.ssh/id_ed25519
key file: /home/bob/.ssh/id_rsa
ssl_key=/etc/ssl/key.pem
credentials: /home/bob/.aws/credentials
credentials: include
credentials: same-origin
Unable to locate credentials. You can configure credentials by running "aws configure".
NoCredentialsError: Unable to locate credentials
CredentialsProviderError: Could not load credentials from any providers
auth: basic
auth: oauth2
auth=none
auth: AWS_IAM
Authorization: required
WWW-Authenticate: Basic realm="x"
Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter.
Cookie: disabled
SameSite cookie: strict
cookie: not set
Missing Authentication Token
{"message":"Missing Authentication Token"}
{"message":"The security token included in the request is invalid."}
{"error":"invalid_token","error_description":"The access token expired"}
KeyError: 'password'
KeyError: 'rates-2026-11'
AttributeError: 'NoneType' object has no attribute 'token'
TypeError: Cannot read properties of undefined (reading 'accessToken')
ValidationError: 1 validation error for Config: api_key: field required
"password" is required
"token" must be a string
child "password" fails because ["password" length must be at least 8 characters long]
duplicate key value violates unique constraint "users_pkey" DETAIL: Key (email)=(bob@example.com) already exists.
The provided key element does not match the schema: partition key: order_id
primary key: id
partition_key=orders
sort key: 2026-11-01
foreign key: customer_id
public key: ssh-ed25519
NoSuchKey: The specified key does not exist. Key: orders/2026/1.json
key: orders/1.json
s3 key: reports/2026/11/total.csv
cache key: user:123:profile
object key: images/cat.png
lock key: orders-refund
idempotency key: order-77-refund
Idempotency-Key: 8f507cfc-6c1b-4f0e-9d3f-000000000001
nextToken=abc123def456ghi789
ContinuationToken: 1ueGcxLPRx1Tr
ClientRequestToken=order-77
sync token: 42
max_tokens=4096 total_tokens: 512
prompt tokens: 512, completion tokens: 128
tokens: 512
token count: 512
token type: Bearer
token_url: https://login.example.com/oauth/token
Compiled 12 tests, pass: 11, fail: 1
PASS: 12 FAIL: 0
pass: true
bypass: enabled
passed: 12
passenger: Bob Smith
compass: north
first pass: complete
PWD=/var/task
OLDPWD=/root
pwd: /home/bob
pin: GPIO
pinned: true
shipping: express
signal: SIGTERM
sig: SIGKILL
design: new
otp: disabled
patch: applied
path: /var/task
session: closed
secret sauce: ketchup
secret: true
SECRET_NAME=prod/db
secretName: prod/db
author: Bob
authority: example.com
authored: yesterday
expected token: string but got number
passwordless: true
token bucket: full
token: ${{ secrets.GITHUB_TOKEN }}
password: !Ref DbPassword
password: '{{resolve:secretsmanager:prod/db:SecretString:password}}'
secret: vault:secret/data/app#password
password: op://vault/item/password
connection string: not configured
produced an unexpected new value: .password: inconsistent values for sensitive attribute.
  + master_password        = (known after apply)
  + token                  = (sensitive value)
WARNING! Using --password via the CLI is insecure. Use --password-stdin.
Unable to match keys: token: 'Microsoft.IdentityModel.Tokens'
Caused by: com.amazonaws.SdkClientException: password: java.lang.NullPointerException
salt: enabled
Connection string: missing
ConnectionString is not set
""".splitlines()
    if line
)
"""Messages as programs and AWS write them; each stays as it is."""

MEMBERS: tuple[tuple[str, str], ...] = (
    ("taskToken", "AAAAKgAAAAIAAAAAAAAAAVb9"),
    ("TaskToken", "AAAAKgAAAAIAAAAAAAAAAVb9"),
    ("task_token", "AAAAKgAAAAIAAAAAAAAAAVb9"),
    ("nextToken", "eyJ2IjoiMiIsImMiOiJhIn0"),
    ("NextToken", "AAMA-EFRSURBSGhQ"),
    ("next_token", "abc123"),
    ("nextForwardToken", "f/37128/s"),
    ("nextBackwardToken", "b/37128/s"),
    ("nextPageToken", "CAUQAA123"),
    ("pageToken", "CAUQAA123"),
    ("continuationToken", "1ueGcxLPRx1Tr"),
    ("NextContinuationToken", "1ueGcxLPRx1Tr"),
    ("clientToken", "8f507cfc-6c1b-4f0e-9d3f-000000000001"),
    ("ClientToken", "order-77"),
    ("clientRequestToken", "order-77"),
    ("ClientRequestToken", "8f507cfc-6c1b-4f0e-9d3f-000000000001"),
    ("syncToken", "42abc"),
    ("nextSyncToken", "CPDAlvWDx70CEPDA"),
    ("startingToken", "abc123"),
    ("cursorToken", "abc123"),
    ("idempotencyToken", "order-77-a1"),
    ("changeToken", "abcd12ef"),
    ("LockToken", "8f507cfc-6c1b-4f0e-9d3f-000000000001"),
    ("tokenCount", "512"),
    ("maxTokens", "512"),
    ("max_tokens", "4096"),
    ("inputTokens", "1k2"),
    ("stop_token", "<|endoftext1|>"),
    ("tokenType", "Bearer"),
    ("token_type", "bearer"),
    ("tokenExpires", "2026-11-01T10:00:00Z"),
    ("token_endpoint", "https://login.example.com/oauth/token"),
    ("pwd", "/var/task"),
    ("PWD", "/home/bob/src2"),
    ("OLDPWD", "/root2"),
    ("primary_key", "order_id1"),
    ("primaryKey", "id1"),
    ("partition_key", "orders1"),
    ("partitionKey", "pk#77"),
    ("sort_key", "2026-11-01#77"),
    ("sortKey", "2026-11-01#77"),
    ("public_key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA1"),
    ("publicKey", "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1"),
    ("foreign_key", "customer_id1"),
    ("key", "orders/1.json"),
    ("Key", "orders/2026/1.json"),
    ("s3Key", "orders/2026/1.json"),
    ("objectKey", "orders/2026/1.json"),
    ("cacheKey", "user:123:profile"),
    ("cache_key", "a1b2c3d4e5f6"),
    ("routing_key", "orders.created.v1"),
    ("dedupKey", "order-77"),
    ("idempotencyKey", "order-77-refund"),
    ("idempotency_key", "8f507cfc-6c1b-4f0e-9d3f-000000000001"),
    ("hashKey", "a1b2c3"),
    ("range_key", "a1b2c3"),
    ("keyId", "8f507cfc-6c1b-4f0e-9d3f-000000000001"),
    ("kmsKeyId", "arn:aws:kms:us-east-1:123456789012:key/8f507cfc-6c1b-4f0e-9d3f-000000000001"),
    ("KMSMasterKeyID", "alias/aws/s3"),
    ("accessKeyId", "not-here-1"),
    ("keyName", "bob-key-1"),
    ("keyPath", "/etc/key1"),
    ("passed", "12"),
    ("passenger", "Bob 7"),
    ("bypass", "route7"),
    ("compass", "N 7"),
    ("encompass", "a7"),
    ("passes", "7"),
    ("boarding_pass", "LH 441 7A"),
    ("secretArn", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf"),
    ("secret", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf"),
    ("secretName", "prod/db1"),
    ("secret_id", "prod/db1"),
    ("secretVersion", "v7"),
    ("password", "${DB_PASSWORD}"),
    ("password", "********"),
    ("password", "<redacted>"),
    ("passwordPolicy", "strong-8"),
    ("passwordLastChanged", "2026-11-01"),
    ("password_reset_url", "https://example.com/reset7"),
    ("passwordFile", "/run/secrets/db7"),
    ("credentials", "include"),
    ("credentialsPath", "/home/bob/.aws/credentials"),
    ("auth", "basic"),
    ("authType", "AWS_IAM"),
    ("authorizationType", "AWS_IAM"),
    ("authorizer", "jwt7"),
    ("author", "Bob 7"),
    ("cookiePolicy", "strict7"),
    ("signatureVersion", "v4"),
    ("sigAlg", "rs256"),
    ("pinned", "v7"),
    ("shipping", "dhl-7"),
    ("shippingPin", "GPIO"),
    ("pattern", "a7"),
    ("patient", "Bob 7"),
    ("path", "/var/task7"),
    ("tokenizer", "cl100k_base"),
    ("tokens", "512"),
    ("sessionType", "web7"),
    ("credentialType", "x509"),
    ("keyword", "a7"),
    ("monkey", "george7"),
    ("turkey", "ankara7"),
    ("keys", "a7"),
    ("saltLevel", "3g"),
    ("sdkKeyCount", "7x"),
    ("string_value", "abc7"),
)
"""Members whose value is no secret: name and value."""


def values(count: int, seed: int = 1) -> Iterator[str]:
    """Values as answers are full of them, none of which is a secret, made from a seed."""
    rng = random.Random(seed)  # noqa: S311 - to be made again

    def some(size: int) -> bytes:
        return rng.randbytes(size)

    def text(alphabet: str, size: int) -> str:
        return "".join(rng.choices(alphabet, k=size))

    upper, lower, digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "0123456789"
    region = ("us-east-1", "eu-west-1", "ap-southeast-2")
    makers = (
        lambda: str(uuid.UUID(bytes=some(16), version=4)),
        lambda: uuid.UUID(bytes=some(16)).hex,
        lambda: some(20).hex(),
        lambda: some(32).hex(),
        lambda: f"sha256:{some(32).hex()}",
        lambda: hashlib.md5(some(8), usedforsecurity=False).hexdigest(),
        lambda: f'"{some(16).hex()}"',
        lambda: f'"{some(16).hex()}-12"',
        lambda: base64.b64encode(some(16)).decode(),
        lambda: base64.b64encode(some(32)).decode(),
        lambda: "data:image/png;base64,iVBORw0KGgo" + base64.b64encode(some(600)).decode(),
        lambda: base64.b64encode(some(900)).decode(),
        lambda: base64.urlsafe_b64encode(some(300)).decode().rstrip("="),
        lambda: text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", 26),
        lambda: text(upper + lower + digits, 27),
        lambda: text(upper + lower + digits + "_-", 21),
        lambda: f"1-{some(4).hex()}-{some(12).hex()}",
        lambda: f"Root=1-{some(4).hex()}-{some(12).hex()};Parent={some(8).hex()};Sampled=1",
        lambda: f"00-{some(16).hex()}-{some(8).hex()}-01",
        lambda: f"arn:aws:lambda:{rng.choice(region)}:{text(digits, 12)}:function:{text(lower, 9)}-{text(lower, 5)}",
        lambda: f"arn:aws:s3:::{text(lower, 12)}/{text(lower, 6)}/{some(8).hex()}.json",
        lambda: f"arn:aws:secretsmanager:eu-west-1:{text(digits, 12)}:secret:{text(lower, 6)}-{text(upper + lower, 6)}",
        lambda: f"orders/2026/{rng.randint(1, 12):02}/{uuid.UUID(bytes=some(16))}.json",
        lambda: (
            f"s3://{text(lower, 10)}/y=2026/part-{rng.randint(0, 9999):05}-{uuid.UUID(bytes=some(16))}.snappy.parquet"
        ),
        lambda: (
            f"2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}T10:{rng.randint(0, 59):02}:00.{text(digits, 3)}Z"
        ),
        lambda: str(rng.randint(1_700_000_000_000, 1_900_000_000_000)),
        lambda: f"https://{text(lower, 8)}.example.com/{text(lower, 5)}/{rng.randint(1, 10**6)}?page=2&size=50",
        lambda: f"{text(lower, 7)}.{text(lower, 6)}{rng.randint(1, 99)}@example.com",
        lambda: f"i-{some(8).hex()[:17]}",
        lambda: f"vpc-{some(4).hex()} subnet-{some(8).hex()} sg-{some(8).hex()}",
        lambda: f"cus_{text(upper + lower + digits, 14)}",
        lambda: f"pi_{text(upper + lower + digits, 24)}",
        lambda: f"{rng.randint(1, 255)}.{rng.randint(0, 255)}.{rng.randint(0, 255)}.{rng.randint(0, 255)}:8080",
        lambda: f"AIDA{text(upper + digits, 17)}",
        lambda: f"AROA{text(upper + digits, 17)}:session-{rng.randint(1, 999)}",
        lambda: f"{text(upper, 3)}-{rng.randint(1, 99999)}",
        lambda: f"{text(lower, 6)}-{text(lower, 8)}-{text(lower, 4)}-{some(4).hex()}",
        lambda: f"req_{text(upper + lower + digits, 24)}",
        lambda: f"{text(digits, 56)}",
        lambda: f'W/"{some(4).hex()}-{some(10).hex()}"',
        lambda: f"pkg:npm/{text(lower, 7)}@{rng.randint(0, 20)}.{rng.randint(0, 20)}.{rng.randint(0, 20)}",
        lambda: f"sha512-{base64.b64encode(some(64)).decode()}",
        lambda: f"{rng.choice(region)}_{text(upper + lower + digits, 9)}",
        lambda: f"{text(lower, 6)}-prod-{some(16).hex()}",
        lambda: f"{text(lower, 6)}_api_{some(16).hex()}",
        lambda: f"deploy_live_{text(lower, 12)}_20261128T100000Z",
        lambda: (
            f"{rng.choice(('pk_', 'rpa_', 'secret-', 'hawk.'))}{'_'.join(text(lower, 6) for _ in range(5))}"
            f"_v{rng.randint(1, 9)}"
        ),
        lambda: f"price_{text(upper + lower + digits, 24)}",
        lambda: f"msg_01{text(upper + lower + digits, 22)}",
        lambda: f"chatcmpl-{text(upper + lower + digits, 29)}",
        lambda: f"sk-learn-{text(lower, 5)}-{rng.randint(1, 99)}-model",
        lambda: text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", rng.randint(20, 54)),
        lambda: f"AgV4{base64.b64encode(some(120)).decode()}",
    )
    for i in range(count):
        yield makers[i % len(makers)]()
