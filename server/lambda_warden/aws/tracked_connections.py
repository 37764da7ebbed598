"""Connections that tell a call how much of it has left, and that are broken when it is given up.

botocore sends through urllib3, whose connections don't tell how far they came: an error may mean that nothing was
sent, or that the function has run. These do.
"""

from __future__ import annotations

import logging
import socket
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)

from lambda_warden.aws.invocation_handle import current

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from urllib3.connectionpool import HTTPConnectionPool

logger = logging.getLogger(__name__)

IDLE_SECONDS: Final = 30.0
"""How long a connection may have been idle to be used again. A server that closes it in the moment of reuse would make
a call `unknown`; a new connection costs less."""
_KEEP_ALIVE: Final = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    # Below the 350 s after which NAT gateways and load balancers of AWS drop a connection that says nothing, as one
    # does that waits for a slow function. The system's own default is hours.
    *(
        [(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60), (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 30)]
        if sys.platform == "linux"
        else []
    ),
]
_BACKSTOP_SECONDS: Final = 2.0
_LONGEST_SECONDS: Final = 86_400.0


class Pools:
    """The connection pools of one client. urllib3 leaves it to the garbage collector to close them."""

    def __init__(self) -> None:
        self._pools: WeakSet[HTTPConnectionPool] = WeakSet()

    def add(self, pool: HTTPConnectionPool) -> None:
        """Remember a pool that was made."""
        self._pools.add(pool)

    def close(self) -> None:
        """Close the connections that wait to be used again; those in use are closed when they are given back."""
        for pool in list(self._pools):
            pool.close()


def track(client: LambdaClient) -> Pools:
    """Make a client's Invoke requests go over tracked connections.

    Without them a call is still sent at most once, but errors that prove nothing are `unknown` more often. botocore
    has no public way to choose the class of its connections, so this looks for the one place where they are named.
    """
    for operation in ("Invoke", "InvokeWithResponseStream"):
        client.meta.events.register(f"before-send.lambda.{operation}", _goes_out)
    pools = Pools()
    try:
        classes: dict[str, Any] = client._endpoint.http_session._pool_classes_by_scheme  # type: ignore[attr-defined]
        classes.update({"http": partial(_Pool, of=pools), "https": partial(_TlsPool, of=pools)})
    except AttributeError:
        logger.warning("this version of botocore can't be tracked: what is not certain will be reported as unknown")
    return pools


def _goes_out(**_: object) -> None:
    if handle := current():
        handle.goes_out()


class _Tracked:
    """Mixed into a connection of botocore. Without a call on this thread it does nothing."""

    sock: Any
    timeout: float
    _used_at = 0.0
    _handle: socket.socket | None = None

    @property
    def is_connected(self) -> bool:
        """Whether the connection can be used again; the pool asks before it hands one out."""
        # Not closed in `request`: that would lose the tunnel through a proxy, which only the pool can build again.
        connected: bool = super().is_connected  # type: ignore[misc]
        return connected and time.monotonic() - self._used_at <= IDLE_SECONDS

    def connect(self) -> None:
        if handle := current():
            handle.connects()
            self.timeout = min(self.timeout, handle.remaining())
        try:
            super().connect()  # type: ignore[misc]
        finally:
            if self._handle is not None:
                self._handle.close()
        if handle:
            handle.uses(self.sock)

    def _new_conn(self) -> socket.socket:
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]
        for option in _KEEP_ALIVE:
            sock.setsockopt(*option)
        if handle := current():
            # TLS takes the socket's descriptor over, so this one could not be broken while hands are shaken.
            self._handle = sock.dup()
            handle.uses(self._handle)
        return sock

    def request(self, *args: Any, **kwargs: Any) -> None:
        if handle := current():
            handle.connects()
            handle.uses(self.sock)
        super().request(*args, **kwargs)  # type: ignore[misc]
        if handle:
            handle.has_left()

    def getresponse(self) -> Any:
        if handle := current():
            # Whoever waits gives it up at its deadline, which breaks the connection. This is for when nobody does.
            self.timeout = min(handle.remaining() + _BACKSTOP_SECONDS, _LONGEST_SECONDS)
        response = super().getresponse()  # type: ignore[misc]
        self._used_at = time.monotonic()
        return response


class _Connection(_Tracked, AWSHTTPConnection):  # type: ignore[misc]
    pass


class _TlsConnection(_Tracked, AWSHTTPSConnection):  # type: ignore[misc]
    pass


class _Returning:
    """Mixed into a pool of botocore."""

    def __init__(self, *args: Any, of: Pools, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        of.add(self)  # type: ignore[arg-type]

    def _put_conn(self, conn: object) -> None:
        # From here on it is another call's, which must not break when this one is given up.
        if handle := current():
            handle.uses(None)
        super()._put_conn(conn)  # type: ignore[misc]


class _Pool(_Returning, AWSHTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(_Returning, AWSHTTPSConnectionPool):
    ConnectionCls = _TlsConnection
