"""Causes of errors as data: the names and words that libraries, runtimes and services have for what went wrong.

To add a cause, add a line: to `NAMES` for a type or code of an error, to `WORDS` for what a message says. Each line has
the cause, what to look for, and where that is from. In `WORDS` the first line that fits decides, so what says more
stands first. What an error says of Lambda and its runtimes themselves is in `error_cause`.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from lambda_warden.model.result import ErrorCause


class Names(NamedTuple):
    """Types and codes of errors that have one cause, by their last name: without module, package and wrapping."""

    cause: ErrorCause
    names: str
    source: str


class Words(NamedTuple):
    """A regular expression that is searched for in messages of errors that have one cause."""

    cause: ErrorCause
    pattern: str
    source: str


# fmt: off
NAMES: Final = (
    Names("out_of_memory", "MemoryError NoMemoryError OutOfMemoryError OutOfMemoryException", "languages"),
    Names("out_of_memory", "ENOMEM", "POSIX"),
    Names("import_failure", "ModuleNotFoundError ImportError", "Python"),
    Names("import_failure", "LoadError GemNotFound", "Ruby"),
    Names("import_failure", "ClassNotFoundException NoClassDefFoundError", "Java"),
    Names("import_failure", "UnsupportedClassVersionError NoSuchMethodError NoSuchFieldError UnsatisfiedLinkError", "Java: linkage"),
    Names("import_failure", "MissingMethodException TypeLoadException BadImageFormatException DllNotFoundException", ".NET"),
    Names("import_failure", "ERR_MODULE_NOT_FOUND MODULE_NOT_FOUND ERR_REQUIRE_ESM ERR_DLOPEN_FAILED ERR_PACKAGE_PATH_NOT_EXPORTED ERR_UNSUPPORTED_DIR_IMPORT", "Node.js"),
    Names("invalid_input", "SchemaValidationError InvalidEventPayloadError", "Powertools: validation of the event"),
    # Permission.
    Names("permission_denied", "AccessDenied AccessDeniedException AccessDeniedError", "AWS"),
    Names("permission_denied", "AuthorizationError AuthorizationErrorException", "AWS SNS"),
    Names("permission_denied", "AuthorizationException", "OpenSearch, Elasticsearch"),
    Names("permission_denied", "KMSAccessDeniedException NotAuthorized UnauthorizedOperation ForbiddenException", "AWS"),
    Names("permission_denied", "42501 ER_TABLEACCESS_DENIED_ERROR ER_DBACCESS_DENIED_ERROR", "PostgreSQL, MySQL"),
    Names("permission_denied", "P1010", "Prisma"),
    # Credentials: who the function says that it is.
    Names("credentials", "ExpiredToken ExpiredTokenException RequestExpired TokenRefreshRequired", "AWS"),
    Names("credentials", "InvalidClientTokenId UnrecognizedClientException InvalidAccessKeyId", "AWS"),
    Names("credentials", "SignatureDoesNotMatch InvalidSignatureException IncompleteSignature", "AWS"),
    Names("credentials", "MissingAuthenticationToken MissingAuthenticationTokenException AuthFailure InvalidToken", "AWS"),
    Names("credentials", "NoCredentialsError PartialCredentialsError CredentialRetrievalError", "botocore"),
    Names("credentials", "TokenRetrievalError UnauthorizedSSOTokenError SSOTokenLoadError", "botocore"),
    Names("credentials", "CredentialsProviderError CredentialsError TokenProviderError", "AWS SDK for JavaScript"),
    Names("credentials", "CredentialsNotLoaded CredentialsException MissingCredentialsError", "AWS SDKs: Rust, PHP, Ruby"),
    Names("credentials", "28000 28P01 InvalidPassword InvalidAuthorizationSpecification", "PostgreSQL, psycopg"),
    Names("credentials", "ER_ACCESS_DENIED_ERROR ER_NOT_SUPPORTED_AUTH_MODE", "MySQL"),
    Names("credentials", "P1000", "Prisma"),
    Names("credentials", "NOAUTH WRONGPASS AuthenticationError AuthenticationException", "Redis, Elasticsearch, Cassandra"),
    Names("credentials", "TokenExpiredError ExpiredSignatureError InvalidClientError InvalidGrantError", "JWT, OAuth"),
    Names("credentials", "SMTPAuthenticationError EAUTH DefaultCredentialsError", "smtplib, nodemailer, Google"),
    # Throttling by a service.
    Names("throttled", "BandwidthLimitExceeded EC2ThrottledException PriorRequestNotComplete", "AWS SDKs"),
    Names("throttled", "ProvisionedThroughputExceeded ProvisionedThroughputExceededException", "AWS DynamoDB, Kinesis"),
    Names("throttled", "RequestLimitExceeded RequestThrottled RequestThrottledException SlowDown", "AWS SDKs"),
    Names("throttled", "ThrottledException Throttling ThrottlingException ThrottlingError", "AWS SDKs"),
    Names("throttled", "TooManyRequests TooManyRequestsException TooManyRequestsError", "AWS SDKs"),
    Names("throttled", "RateLimitError RateLimitExceeded RateLimitException KMSThrottlingException", "API clients"),
    # Capacity: no room for one more.
    Names("capacity", "53300 53200 53400 57P03 TooManyConnections CannotConnectNow", "PostgreSQL, psycopg, asyncpg"),
    Names("capacity", "ER_CON_COUNT_ERROR ER_TOO_MANY_USER_CONNECTIONS ER_USER_LIMIT_REACHED", "MySQL"),
    Names("capacity", "P1008 P2024 P2037", "Prisma"),
    Names("capacity", "PoolTimeout PoolTimeoutError PoolError FullPoolError EmptyPoolError", "httpx, psycopg, urllib3"),
    Names("capacity", "TimeoutAcquiringConnection ConnectionAcquireTimeoutError SequelizeConnectionAcquireTimeoutError PoolClearedError", "Sequelize, MongoDB"),
    Names("capacity", "WaitQueueTimeoutError MongoWaitQueueTimeoutError WaitQueueTimeout", "MongoDB"),
    Names("capacity", "SQLTransientConnectionException PoolExhaustedException", "JDBC, HikariCP"),
    Names("capacity", "ConnectionTimeoutError ConnectionPoolTimeoutException PoolTimedOut", "ActiveRecord, Apache, sqlx"),
    Names("capacity", "MaxConnectionsError MaxClientsError BusyLoadingError UND_ERR_BPL_MISSING_UPSTREAM", "Redis, undici"),
    Names("capacity", "EMFILE ENFILE EAGAIN", "POSIX: open files, processes"),
    Names("capacity", "LimitExceededException ServiceQuotaExceededException LimitExceeded", "AWS"),
    Names("capacity", "DatabaseResumingException StatementTimeoutException ServiceUnavailable", "AWS"),
    Names("capacity", "ServiceUnavailableException ServiceUnavailableError CircuitBreakingException", "AWS, Elasticsearch"),
    Names("capacity", "ModelNotReadyException", "AWS Bedrock"),
    Names("capacity", "CallNotPermittedException BrokenCircuitException", "circuit breakers"),
    # Storage.
    Names("storage", "ENOSPC EROFS EDQUOT EFBIG", "POSIX"),
    Names("storage", "ReadOnlyFileSystem FileSystemException DiskFullException", "languages"),
    Names("storage", "53100 DiskFull ER_DISK_FULL ER_RECORD_FILE_FULL", "PostgreSQL, MySQL"),
    # Configuration: what the function is set up with.
    Names("configuration", "NoRegionError ConfigNotFound ProfileNotFound UnknownServiceError", "botocore"),
    Names("configuration", "ParameterNotFound ParameterNotFoundException GetParameterError", "AWS SSM"),
    Names("configuration", "NoSuchBucket QueueDoesNotExist StateMachineDoesNotExist", "AWS S3, SQS, Step Functions"),
    Names("configuration", "NonExistentQueue PermanentRedirect AuthorizationHeaderMalformed", "AWS SQS, S3"),
    Names("configuration", "KMSDisabledException KMSNotFoundException KMSInvalidStateException", "AWS KMS"),
    Names("configuration", "MongoParseError", "MongoDB: a connection string"),
    Names("configuration", "MissingEnvironmentVariable MissingEnvVarError EnvError ImproperlyConfigured", "libraries"),
    Names("configuration", "3D000 InvalidCatalogName ER_BAD_DB_ERROR P1003 P1012 P1013", "databases, Prisma"),
    # A database that answered, and refused what it was asked or broke off.
    Names("database", "40001 40P01 55P03 57014 57P01 57P02 25006 SerializationFailure DeadlockDetected", "PostgreSQL"),
    Names("database", "LockNotAvailable QueryCanceled AdminShutdown ReadOnlySqlTransaction", "psycopg"),
    Names("database", "42P01 42703 42601 UndefinedTable UndefinedColumn", "PostgreSQL: schema"),
    Names("database", "ER_LOCK_DEADLOCK ER_LOCK_WAIT_TIMEOUT ER_NO_SUCH_TABLE ER_BAD_FIELD_ERROR ER_PARSE_ERROR", "MySQL"),
    Names("database", "ER_OPTION_PREVENTS_STATEMENT ER_QUERY_INTERRUPTED ER_SERVER_SHUTDOWN", "MySQL"),
    Names("database", "P2021 P2022 P2034 P1014", "Prisma"),
    Names("database", "23505 23503 23502 23514 UniqueViolation ForeignKeyViolation NotNullViolation", "PostgreSQL"),
    Names("database", "ER_DUP_ENTRY ER_NO_REFERENCED_ROW_2 P2002 P2003 IntegrityError", "MySQL, Prisma, DB-API"),
    Names("database", "SQLIntegrityConstraintViolationException BatchUpdateException SQLSyntaxErrorException", "JDBC"),
    Names("database", "PSQLException SQLException SQLTransactionRollbackException DeadlockLoserDataAccessException", "JDBC"),
    Names("database", "DuplicateKeyError WriteConflict NotWritablePrimary NotPrimaryError", "MongoDB"),
    Names("database", "READONLY MOVED CLUSTERDOWN ReadOnlyError ClusterDownError", "Redis"),
    Names("database", "OperationalError ProgrammingError DatabaseError PDOException", "DB-API, PHP"),
    Names("database", "StatementInvalid Deadlocked", "ActiveRecord"),
    Names("database", "TransactionCanceledException TransactionConflictException ConditionalCheckFailedException", "AWS DynamoDB"),
    # The network.
    Names("network", "ECONNREFUSED ECONNRESET ECONNABORTED ETIMEDOUT EHOSTUNREACH ENETUNREACH EPIPE", "POSIX"),
    Names("network", "ENOTFOUND EAI_AGAIN EAI_NONAME gaierror UnknownHostException", "DNS"),
    Names("network", "ConnectError ConnectTimeout ConnectTimeoutError ConnectionError ConnectionClosedError", "Python"),
    Names("network", "ConnectionRefusedError ConnectionResetError ConnectionAbortedError BrokenPipeError", "Python"),
    Names("network", "TimeoutError ReadTimeout ReadTimeoutError ReadError WriteTimeout RemoteProtocolError", "Python"),
    Names("network", "ConnectionTimeout ConnectionTimeoutException ReadTimeoutException", "Elasticsearch, OpenSearch, JVM"),
    Names("network", "MaxRetryError NewConnectionError NameResolutionError ProtocolError ProxyError", "urllib3, requests"),
    Names("network", "SSLError SSLCertVerificationError ChunkedEncodingError URLError RemoteDisconnected", "Python"),
    Names("network", "ClientConnectorError ServerDisconnectedError ServerTimeoutError ClientOSError", "aiohttp"),
    Names("network", "EndpointConnectionError HTTPClientError ProxyConnectionError", "botocore"),
    Names("network", "ServerSelectionTimeoutError AutoReconnect NetworkTimeout", "PyMongo"),
    Names("network", "MongoServerSelectionError MongoNetworkError MongoNetworkTimeoutError", "MongoDB, Node.js"),
    Names("network", "MongooseServerSelectionError MongoTimeoutException MongoSocketException", "Mongoose, Java"),
    Names("network", "P1001 P1002 P1011 P1017", "Prisma"),
    Names("network", "PROTOCOL_CONNECTION_LOST ER_NET_READ_INTERRUPTED CR_SERVER_LOST CR_CONN_HOST_ERROR", "MySQL"),
    Names("network", "08000 08001 08003 08006 ConnectionDoesNotExist", "PostgreSQL"),
    Names("network", "SQLNonTransientConnectionException CommunicationsException", "JDBC"),
    Names("network", "RedisConnectionException MaxRetriesPerRequestError RedisConnectionFailureException", "Redis"),
    Names("network", "JedisConnectionException RedisTimeoutException CannotConnectError", "Redis"),
    Names("network", "UND_ERR_CONNECT_TIMEOUT UND_ERR_HEADERS_TIMEOUT UND_ERR_BODY_TIMEOUT UND_ERR_SOCKET", "undici"),
    Names("network", "HeadersTimeoutError BodyTimeoutError ERR_NETWORK ERR_STREAM_PREMATURE_CLOSE", "undici, axios"),
    Names("network", "ERR_SOCKET_CONNECTION_TIMEOUT ERR_TLS_CERT_ALTNAME_INVALID CERT_HAS_EXPIRED", "Node.js"),
    Names("network", "DEPTH_ZERO_SELF_SIGNED_CERT SELF_SIGNED_CERT_IN_CHAIN ERR_SSL_WRONG_VERSION_NUMBER", "Node.js: TLS"),
    Names("network", "UNABLE_TO_VERIFY_LEAF_SIGNATURE UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "Node.js: TLS"),
    Names("network", "NetworkingError RequestError FetchError", "AWS SDK for JavaScript, got, node-fetch"),
    Names("network", "ConnectException SocketException SocketTimeoutException NoRouteToHostException", "Java"),
    Names("network", "HttpConnectTimeoutException HttpTimeoutException HttpHostConnectException", "Java"),
    Names("network", "NoHttpResponseException SSLHandshakeException SSLException", "Java"),
    Names("network", "SunCertPathBuilderException CertPathValidatorException ApiCallTimeoutException", "Java"),
    Names("network", "ApiCallAttemptTimeoutException SSLPeerUnverifiedException", "AWS SDK for Java, Java"),
    Names("network", "HttpRequestException AuthenticationFailedException TaskCanceledException", ".NET"),
    Names("network", "SocketError OpenTimeout ConnectionFailed ResolutionError", "Ruby"),
    Names("network", "RequestTimeout RequestTimeoutException ModelTimeoutException", "AWS"),
    Names("network", "AbortError EPROTO", "Node.js: a fetch that was broken off, TLS"),
    Names("network", "APIConnectionError APITimeoutError APIConnectionTimeoutError StripeConnectionError", "OpenAI, Anthropic, Stripe"),
    Names("network", "NoBrokersAvailable KafkaTimeoutError KafkaConnectionError AMQPConnectionError NoServerAvailable", "Kafka, RabbitMQ, MongoDB"),
    Names("network", "ConnectionDoesNotExistError", "asyncpg"),
)
"""Looked up before `WORDS` for codes, and after it for types: a message says more than a type."""

WORDS: Final = (
    # What could not be loaded.
    Words("import_failure", r"\brequire\(\) of ES Module\b|\brequire is not defined in ES module scope\b|\bDynamic require of \S{1,100} is not supported\b|\bdoes not provide an export named\b|\bis not defined by \"exports\" in\b", "Node.js: modules"),
    Words("import_failure", r"\binvalid ELF header\b|\bcannot open shared object file\b|\bversion `GLIBC\S{1,30}' not found\b|(?i:\bcould not load the \"sharp\" module\b)", "Linux: libraries"),
    Words("import_failure", r"\bcould not locate the Query Engine\b|\bQuery engine library for current platform\b|\bCould not find Chrome\b|\bExecutable doesn't exist at\b", "Prisma, Puppeteer, Playwright"),
    Words("import_failure", r"\bNo module named '?[\w.]{1,200}'?\Z", "Python"),
    # Permission.
    Words("permission_denied", r"\bis not authorized to perform:? [a-z0-9-]+:\w|\bnot authorized to perform: ", "AWS"),
    Words("permission_denied", r"\bpermission denied for (?:table|schema|relation|database|sequence|function)\b", "PostgreSQL"),
    Words("permission_denied", r"\bcommand denied to user\b|\bNOPERM\b", "MySQL, Redis"),
    Words("permission_denied", r"\bAccess denied for user \S{1,200} to database\b|\bnot authorized on \S{1,100} to execute command\b|\bAn error occurred \(403\) when calling\b", "MySQL, MongoDB, AWS S3"),
    # Credentials.
    Words("credentials", r"\bsecurity token included in the request is (?:expired|invalid)\b", "AWS"),
    Words("credentials", r"(?i)\btoken (?:has |is |was )?expired\b", "OAuth, JWT"),
    Words("credentials", r"(?i)\b(?:jwt|signature|credentials?|api key|session) (?:has |have |is |are )?expired\b", "OAuth, JWT"),
    Words("credentials", r"(?i)\b(?:could not|unable to|cannot|can't|failed to|couldn't) (?:load|locate|find|resolve|get|retrieve|refresh) (?:any )?(?:aws )?credentials\b", "AWS SDKs"),
    Words("credentials", r"(?i)\bunable to load aws credentials\b|\bno credentials? (?:providers?|found|available)\b|\bno EC2 IMDS role found\b", "AWS SDKs"),
    Words("credentials", r"\brequest signature we calculated does not match\b|\bSignature expired: ", "AWS"),
    Words("credentials", r"(?i)\bpassword authentication failed\b|\bno pg_hba\.conf entry\b|\bPAM authentication failed\b", "PostgreSQL"),
    Words("credentials", r"\bAccess denied for user\b|\bLogin failed for user\b|\bORA-01017\b|\bORA-28000\b", "MySQL, SQL Server, Oracle"),
    Words("credentials", r"\bNOAUTH\b|\bWRONGPASS\b|\binvalid username-password pair\b", "Redis"),
    Words("credentials", r"(?i)\bauthentication failed\b|\bbad auth\b|\bAuthentication failed against database server\b", "MongoDB, Prisma"),
    Words("credentials", r"(?i)\binvalid api key\b|\bincorrect api key\b|\binvalid_grant\b|\binvalid_client\b|\bbad credentials\b", "APIs, OAuth"),
    Words("credentials", r"\b(?:status(?: code)?|HTTP(?: Error)?|Response:?) ?:?=? ?401\b|\b401 (?:Client Error|Unauthorized)\b|\b[Cc]ode: 401\b", "HTTP and GraphQL clients"),
    Words("credentials", r"\bIncorrect username or password was specified\b|\bLogin was refused\b|\bAADSTS\d{5,7}\b", "Snowflake, RabbitMQ, Entra ID"),
    # Capacity.
    Words("capacity", r"(?i)\btoo many (?:open |database )?(?:connections?|clients|open files|sessions|concurrent (?:connections|queries))\b", "databases, POSIX"),
    Words("capacity", r"(?i)\bconnection slots are reserved\b|\bsorry, too many clients\b|\btoo many clients already\b", "PostgreSQL"),
    Words("capacity", r"(?i)\bmax(?:imum)? (?:number of )?(?:client connections|clients|connections) (?:reached|exceeded)\b|\bmax_?(?:user_)?connections\b|\bMaxClientsInSessionMode\b", "PgBouncer, Redis, MySQL"),
    Words("capacity", r"\bQueuePool limit of size\b|(?i:\bconnection pool (?:is |has been )?(?:exhausted|timed out|full)\b|\bpool (?:is )?exhausted\b)", "SQLAlchemy, psycopg, Npgsql"),
    Words("capacity", r"(?i)\bTimed out fetching a new connection from the connection pool\b|\bTimeout acquiring a connection\b|\bResourceRequest timed out\b", "Prisma, Knex, Sequelize"),
    Words("capacity", r"(?i)\bConnection is not available, request timed out after\b|\bTimeout waiting for (?:a )?connection from pool\b", "HikariCP, Apache HTTP"),
    Words("capacity", r"(?i)\bcould not obtain a (?:database )?connection (?:from the pool )?within\b|\bTimeout expired\.? +The timeout period elapsed prior to obtaining a connection from the pool\b", "ActiveRecord, ADO.NET"),
    Words("capacity", r"(?i)\btimeout exceeded when trying to connect\b|\bpool timed out while waiting for an open connection\b", "pg-pool, sqlx"),
    Words("capacity", r"(?i)\bwaiting for (?:a )?(?:connection|available) .{0,40}\bfrom (?:the )?(?:connection )?pool\b|\bchecking out a connection\b", "MongoDB, pools"),
    Words("capacity", r"\bEMFILE\b|\bENFILE\b|(?i:\bcan't start new thread\b|\bunable to create (?:new )?native thread\b)|\bResource temporarily unavailable\b", "POSIX, Python, Java"),
    Words("capacity", r"(?i)\bthe database system is (?:starting up|shutting down|in recovery mode)\b|\bis resuming after being auto-paused\b", "PostgreSQL, Aurora"),
    Words("capacity", r"\bServer is out of connections\b|\bORA-(?:00018|00020|12516|12519|12520)\b|\bERR max number of clients\b|\blimit for the database is \d+ and has been reached\b|\bAll pooled connections are in use\b", "Oracle, Redis, Azure SQL, MySqlConnector"),
    Words("capacity", r"\bTimed-out waiting to acquire database connection\b|\boverloaded_error\b|\bes_rejected_execution_exception\b|\A(?:\w+: )?OOM command not allowed\b", "RDS Proxy, Anthropic, Elasticsearch, Redis"),
    Words("capacity", r"\b(?:status(?: code)?|HTTP(?: Error)?) ?:?=? ?503\b|\b503 (?:Server Error|Service (?:Temporarily )?Unavailable)\b", "HTTP clients"),
    # Throttling.
    Words("throttled", r"(?i)\brate exceeded\b|\brate limit(?:ed| exceeded| reached)\b|\bthroughput (?:for the table )?(?:was )?exceeded\b|\breduce your request rate\b", "AWS, APIs"),
    Words("throttled", r"\b(?:status(?: code)?|HTTP(?: Error)?) ?:?=? ?429\b|\b429 (?:Client Error|Too Many Requests)\b|\bToo Many Requests\b", "HTTP clients"),
    Words("throttled", r"\bQuota exceeded for quota\b", "Google"),
    # Storage and memory.
    Words("storage", r"(?i)\bno space left on device\b|\bENOSPC\b|\bdisk (?:is )?full\b|\bdisk quota exceeded\b|\bnot enough space on the disk\b|\bdatabase or disk is full\b", "POSIX, .NET, SQLite"),
    Words("storage", r"(?i)\bread-only file ?system\b|\bEROFS\b|\bcould not extend file\b", "POSIX, PostgreSQL"),
    Words("out_of_memory", r"\bENOMEM\b|(?i:\bcannot allocate memory\b|\bAllowed memory size of \d+ bytes exhausted\b|\bArray buffer allocation failed\b)", "POSIX, PHP, Node.js"),
    Words("out_of_memory", r"\bJavaScript heap out of memory\b|\bjava\.lang\.OutOfMemoryError\b|\bfatal error: runtime: out of memory\b|\bmemory allocation of \d+ bytes failed\b", "languages"),
    # The runtime's own limits.
    Words("response_too_large", r"\bExceeded maximum allowed payload size \(|\bRequestEntityTooLarge\b|/invocation/\S{1,100}/response\b.{0,60}\b413\b", "Lambda runtime API"),
    # Configuration.
    Words("configuration", r"\A'(?:DurableExecutionArn|CheckpointToken)'\Z|(?i:\bUnexpected payload provided to start the durable execution\b|\bnot (?:configured|enabled) (?:for|as) (?:a )?durable\b)", "durable execution SDKs"),
    Words("configuration", r"(?i)\bmissing (?:required )?(?:env(?:ironment)?) ?(?:variables?|vars?)\b|\benv(?:ironment)? ?(?:variables?|vars?):? .{0,60}(?:not (?:set|found|defined)|(?:is )?(?:missing|undefined|required))\b", "libraries"),
    Words("configuration", r"\bEnvironment variable not found: |(?i:\brequired environment variable\b)", "Prisma, libraries"),
    Words("configuration", r"(?i)\b(?:you must specify a region|region is missing|missing region|unable to find a region|unable to load region|no region was found|could not resolve region)\b", "AWS SDKs"),
    Words("configuration", r"(?i)\bcan't find the specified secret\b|\bRequested resource not found\b|\bspecified (?:bucket|queue) does not exist\b|\bspecified bucket is not valid\b|\bHttpEndpoint is not enabled\b", "AWS"),
    Words("configuration", r"(?i)\btopic does not exist\b|\bsecret because it was (?:marked for deletion|deleted)\b|\bfunction not found: arn:|\bidentities failed the check in region\b|:key/\S{1,60} is (?:disabled|pending deletion)\b|\bno such index \[", "AWS SNS, Secrets Manager, Lambda, SES, KMS, Elasticsearch"),
    Words("configuration", r"\bon-demand throughput isn.t supported\b|\bprovided model identifier is invalid\b", "AWS Bedrock"),
    Words("configuration", r"\bInvalid endpoint: |\bCould not resolve placeholder '|\bkey not found: \"[A-Z][A-Z0-9_]{2,100}\"", "botocore, Spring, Ruby's ENV"),
    Words("configuration", r"(?i)\bUnknown database\b|\bdatabase \S{1,100} does not exist\b|\bno suitable driver\b|\binvalid connection string\b|\binvalid dsn\b", "databases"),
    # The database.
    Words("database", r"(?i)\bdeadlock (?:found|detected)\b|\block wait timeout\b|\bcould not serialize access\b|\bdatabase is locked\b|\bwrite conflict\b", "databases"),
    Words("database", r"(?i)\brelation \S{1,100} does not exist\b|\bno such table\b|\bno such column\b|\bTable '\S{1,100}' doesn't exist\b|\bUnknown column\b|\bORA-00942\b", "databases"),
    Words("database", r"(?i)\bcannot execute \w+ in a read-only transaction\b|\b--read-only option\b|\bREADONLY You can't write\b|\bnot master\b|\bnot primary and\b", "databases: failover"),
    Words("database", r"(?i)\bduplicate key value\b|\bDuplicate entry\b|\bE11000 duplicate key\b|\bviolates (?:foreign key|unique|not-null|check) constraint\b|\bUnique constraint failed\b|\bconstraint failed\b", "databases"),
    Words("database", r"(?i)\bcanceling statement due to\b|\bterminating connection due to administrator command\b|\bQuery execution was interrupted\b|\bExecution Timeout Expired\b", "databases"),
    Words("database", r"\bItem size has exceeded\b|\bprepared statement \S{1,100} (?:already exists|does not exist)\b|\b(?:TABLE|COLUMN|SCHEMA)_NOT_FOUND: |\A(?:\w+: )?MOVED \d+ ", "DynamoDB, PostgreSQL, Athena, Redis"),
    # The network: databases first, which say most.
    Words("network", r"(?i)\bcan't reach database server\b|\bserver selection timed out\b|\bserver has gone away\b|\bLost connection to (?:MySQL )?server\b|\bCan't connect to (?:local )?(?:MySQL )?server\b", "Prisma, MongoDB, MySQL"),
    Words("network", r"(?i)\bcould not (?:connect to server|translate host name)\b|\bconnection to server at \S{1,100}.{0,80} failed\b|\bserver closed the connection unexpectedly\b|\bThe connection attempt failed\b|\bSSL (?:connection has been closed unexpectedly|SYSCALL error)\b|\A(?:error: )?timeout expired\Z", "PostgreSQL"),
    Words("network", r"(?i)\bCommunications link failure\b|\bconnection terminated (?:unexpectedly|due to)\b|\bconnection (?:is|already) closed\b|\bConnection to \S{1,100} refused\b|\bNo (?:primary )?servers? (?:is )?available\b|\bno suitable servers? found\b|\bNo reachable node\b|\bNo cluster endpoints available\b", "JDBC, pg, Redis, MongoDB"),
    Words("network", r"\bORA-12(?:154|170|514|541|543|545)\b|(?i:\bA network-related or instance-specific error\b|\bduring the pre-login handshake\b)|\bUnable to connect to Redis\b|\bReached the max retries per request limit\b", "Oracle, SQL Server, Redis"),
    Words("network", r"\b(?:ECONNREFUSED|ECONNRESET|ECONNABORTED|ETIMEDOUT|ESOCKETTIMEDOUT|EHOSTUNREACH|ENETUNREACH|EPIPE|ENOTFOUND|EAI_AGAIN|EAI_NONAME)\b", "POSIX, Node.js"),
    Words("network", r"(?i)\bsocket hang up\b|\bsocket disconnected before secure TLS connection\b|\bfetch failed\b|\bother side closed\b|\bNetwork Error\b|\bConnect(?:ion)? Timeout Error\b|\bHeaders Timeout Error\b", "Node.js, undici, axios"),
    Words("network", r"(?i)\btimeout of \d+ ?ms exceeded\b|\bTimeout awaiting '\w+' for \d+ms\b|\bnetwork timeout at\b|\bSocket timed out without establishing a connection\b|\brequest timed out\b", "axios, got, node-fetch, AWS SDK, ky"),
    Words("network", r"(?i)\bconnection (?:was )?(?:refused|reset|timed out|aborted)\b|\bconnect(?:ion)? timed? ?out\b|\bread timed out\b|\bRead timeout on endpoint\b|\bConnect timeout on endpoint\b", "languages"),
    Words("network", r"\bdial (?:tcp|udp|unix) ?\S*|\bi/o timeout\b|\bno such host\b|\bClient\.Timeout exceeded\b|\bTLS handshake timeout\b|\bcontext deadline exceeded\b|\A(?:Get|Post|Put|Head|Delete|Patch) \"[^\"]{1,300}\": EOF\b|\bdriver: bad connection\b", "Go"),
    Words("network", r"\bcode = (?:DeadlineExceeded|Unavailable)\b|\A(?:\d+ )?(?:DEADLINE_EXCEEDED|UNAVAILABLE): |\bStatusCode\.(?:DEADLINE_EXCEEDED|UNAVAILABLE)\b", "gRPC"),
    Words("network", r"(?i)\bbuffering timed out after \d+ ?ms\b|\bselecting a server using\b|\bnot present in metadata after\b", "Mongoose, MongoDB, Kafka"),
    Words("network", r"\bCould not connect to the endpoint URL\b|\bConnection was closed before we received a valid response\b|\bMax retries exceeded with url\b", "botocore, requests"),
    Words("network", r"(?i)\bname or service not known\b|\btemporary failure in name resolution\b|\bname (?:does not|could not be) resolve|\bcould not resolve host\b|\bNo such host is known\b|\bnodename nor servname\b|\bgetaddrinfo\b|\bfailed to lookup address\b", "DNS"),
    Words("network", r"(?i)\bno route to host\b|\bnetwork is unreachable\b|\bhost is unreachable\b|\bremote end closed connection\b|\bunexpected end of (?:file from server|stream on)\b|\bbroken pipe\b", "languages"),
    Words("network", r"(?i)\berror trying to connect\b|\berror sending request for url\b|\bdispatch ?failure\b|\btcp connect error\b|\boperation timed out\b", "Rust: hyper, reqwest, AWS SDK"),
    Words("network", r"\bcURL error (?:5|6|7|28|35|51|52|55|56|58|60)\b|(?i:\bfailed to open stream: (?:Connection|Operation)\b|\bSQLSTATE\[HY000\] \[200[2356]\])", "PHP: cURL, PDO"),
    Words("network", r"(?i)\bOperation timed out after \d+ milliseconds\b|\bHttpClient\.Timeout of \d|\bThe SSL connection could not be established\b|\bUnable to connect to the remote server\b", "PHP, .NET"),
    Words("network", r"(?i)\bFailed to open TCP connection\b|\bexecution expired\b|\bNet::(?:Open|Read)Timeout\b", "Ruby"),
    Words("network", r"\bCERTIFICATE_VERIFY_FAILED\b|(?i:\bcertificate (?:verify failed|has expired|signed by unknown authority|is not (?:valid|trusted))\b|\bself[- ]signed certificate\b)", "TLS"),
    Words("network", r"(?i)\bunable to (?:verify the first|get (?:local )?issuer) certificate\b|\bPKIX path (?:building|validation) failed\b|\bx509: |\bhostname/IP does not match certificate\b|\binvalid peer certificate\b|\bhandshake[_ ]failure\b|\bremote certificate is invalid\b|\bhostname '[^']{1,100}' doesn't match\b|\bSSL routines\b", "TLS"),
    Words("network", r"\b(?:status(?: code)?|HTTP(?: Error)?) ?:?=? ?50[24]\b|\b50[24] (?:Server Error|Bad Gateway|Gateway Time-?out)\b", "HTTP clients"),
    Words("network", r"(?i)\b(?:could(?: not|n't)|can(?:not|'t)|unable to|failed to) (?:connect to|reach) (?:the )?(?:database|server|broker|cluster|node|host|any|[a-z0-9-]+[.:][a-z0-9])", "Neo4j, Kafka, NATS, Cassandra"),
)

# fmt: on

BY_NAME: Final[dict[str, ErrorCause]] = {name: row.cause for row in NAMES for name in row.names.split()}
BY_WORDS: Final = tuple((re.compile(row.pattern), row.cause) for row in WORDS)
