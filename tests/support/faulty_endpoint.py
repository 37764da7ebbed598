"""A Lambda endpoint that fails as it is told, or as its seed draws, and keeps a ledger of what it knows of each call.

As a program (`python -m support.faulty_endpoint --seed N`, with tests/ on PYTHONPATH) it prints its URL as one line and
serves until its standard input closes; `faulty_endpoint()` runs it and speaks to it. It serves Invoke,
InvokeWithResponseStream, GetFunctionConfiguration and GetAlias on 127.0.0.1, and refuses the rest with 403.

A function does what its name says. A name is made of parts, joined by `--`; a part whose first word is not one of
these is a label, so `orders` echoes its payload and `fault-hang--orders` hangs. What begins like a part and is none is
answered with 400, so that a mistyped name does not pass for an echo.

    fault-NAME[-N]    a fault of `support.faulty.plan.FAULTS`, with its number: fault-slow-300, fault-429_retry_after-2
    draw              each attempt's fault is drawn: `draw(seed, call, attempt, weights)`
    sleep-MS          the function runs that long
    bytes-SIZE        it answers with a JSON string of that many bytes: bytes-6000000, bytes-6mb, bytes-64kb; above
                      Lambda's limit Invoke answers with Function.ResponseSizeTooLarge, as AWS does
    stream-SIZE       the same, for names that are read beside InvokeWithResponseStream: stream-200mb
    chunk-SIZE        bytes of one PayloadChunk, or of one piece of fault-drip: chunk-1
    log-LINES         lines that it logs, for log tails above 4 KB
    route-V_P-V_P     every alias leads to these versions with these percentages: route-7_90-8_10; otherwise to 1
    timeout-SECONDS   its Timeout in GetFunctionConfiguration, which is 3 otherwise
    durable           it has a DurableConfig; one DurableExecutionName then starts it once
    metadata-FAULT    GetFunctionConfiguration and GetAlias meet this fault: metadata-403, metadata-hang

A call is known by the member `call` (a string) of its payload, or else by its function's name: the ledger is kept by
it, and faults and versions are drawn by it, so that the order in which parallel calls arrive changes nothing. A fault
from before the body was read is in the ledger under the function's name if the name told it, since the endpoint has
not seen the call; drawn ones have to read what they draw by, and drop it.

The control API answers on every listener, and on one of its own that connection faults spare (`urls["control"]`):

    GET  /_control/ledger          {call: entry}, see `support.faulty.ledger.Entry`
    GET  /_control/counts          connections made since the reset, how many are open, most_open; requests
    GET  /_control/urls            {"lambda", "control", "untrusted" and one for each connection fault: URL}
    PUT  /_control/functions/NAME  attributes of `support.faulty.plan.Plan`, over what the name says
    PUT  /_control/weights         {fault: weight} to draw from
    PUT  /_control/connections     {"faults": [...]}: what the next connections meet, one each
    POST /_control/release         answers all that `hold`
    POST /_control/reset           forgets what was told and counted; the seed stays, and connections are not closed

Listeners beside the first: one for each fault of `OF_CONNECTIONS`, which meets every connection there, and with
`--untrusted CERT KEY` one behind TLS with that certificate.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import resource
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from support.faulty.connection import Gate
from support.faulty.lambda_service import LambdaService
from support.faulty.plan import OF_CONNECTIONS

if TYPE_CHECKING:
    from support.faulty.ledger import EntryDocument

_BACKLOG = 1024
_START_SECONDS = 20.0


class FaultyEndpoint:
    """A running endpoint, seen from a test.

    Attributes:
        url: of the listener that serves Lambda.
        urls: of all listeners, by what they are for.
        ca_bundle: a file with the authority that its certificate is trusted by, if it is behind TLS.
    """

    def __init__(self, url: str, ca_bundle: Path | None = None) -> None:
        self.url = url
        self.ca_bundle = ca_bundle
        self.urls: dict[str, str] = {}
        self.urls = self._ask("GET", "urls")

    def behave(self, function: str, **behaviour: Any) -> None:
        """Set attributes of a function's Plan, over what its name says and instead of what was set before."""
        self._ask("PUT", f"functions/{quote(function)}", behaviour)

    def draw_from(self, weights: Mapping[str, float]) -> None:
        """Set the weights of functions that draw and have none of their own."""
        self._ask("PUT", "weights", dict(weights))

    def next_connections(self, *faults: str) -> None:
        """Let the next connections of the first listener meet these faults of OF_CONNECTIONS, one each."""
        self._ask("PUT", "connections", {"faults": faults})

    def release(self) -> None:
        """Let all calls that `hold` have their answers."""
        self._ask("POST", "release")

    def reset(self) -> None:
        """Forget what was told and counted. Calls that are held are released."""
        self._ask("POST", "reset")

    def ledger(self) -> dict[str, EntryDocument]:
        """What is known of each call."""
        ledger: dict[str, EntryDocument] = self._ask("GET", "ledger")
        return ledger

    def counts(self) -> dict[str, int]:
        """Connections, open ones, most open at once, and requests."""
        counts: dict[str, int] = self._ask("GET", "counts")
        return counts

    def until(
        self, condition: Callable[[dict[str, EntryDocument]], object], seconds: float = 20.0
    ) -> dict[str, EntryDocument]:
        """Wait until the ledger fulfils a condition.

        Raises:
            TimeoutError: if it does not in time.
        """
        end = time.monotonic() + seconds
        while not condition(ledger := self.ledger()):
            if time.monotonic() > end:
                raise TimeoutError(f"the ledger stays at {ledger}")
            time.sleep(0.01)
        return ledger

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        url = urlsplit(self.urls.get("control", self.url))
        assert url.hostname is not None
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=_START_SECONDS)
        if url.scheme == "https":
            context = ssl.create_default_context(cafile=self.ca_bundle)
            connection = http.client.HTTPSConnection(url.hostname, url.port, timeout=_START_SECONDS, context=context)
        try:
            connection.request(method, f"/_control/{path}", json.dumps(body) if body is not None else None)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(text.decode())
        return json.loads(text)


@contextmanager
def faulty_endpoint(*, seed: int = 0, tls: bool = False) -> Iterator[FaultyEndpoint]:
    """Run an endpoint in a process of its own while the context lasts.

    Args:
        seed: what is drawn.
        tls: whether it is behind TLS, with a certificate of `ca_bundle`'s; `urls["untrusted"]` has one of another's.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = ["--seed", str(seed)]
        if tls:
            options += ["--tls", *_certificate(folder, "trusted"), "--untrusted", *_certificate(folder, "untrusted")]
        process = subprocess.Popen(
            [sys.executable, "-m", "support.faulty_endpoint", *options],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            yield FaultyEndpoint(url, folder / "trusted-ca.pem" if tls else None)
        finally:
            process.communicate()


def _certificate(folder: Path, name: str) -> tuple[str, str]:
    """Files with a certificate for 127.0.0.1 and its key, and beside them its authority's."""
    import trustme  # only where TLS is wanted

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / f"{name}-ca.pem"))
    issued = authority.issue_cert("127.0.0.1", "localhost")
    certificate, key = folder / f"{name}.pem", folder / f"{name}-key.pem"
    issued.private_key_pem.write_to_path(str(key))
    for index, pem in enumerate(issued.cert_chain_pems):
        pem.write_to_path(str(certificate), append=index > 0)
    return str(certificate), str(key)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until standard input closes."""
    parser = argparse.ArgumentParser(description="A Lambda endpoint for fault tests.")
    parser.add_argument("--seed", type=int, default=0, help="what is drawn (default 0)")
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"), help="serve Lambda behind TLS")
    parser.add_argument("--untrusted", nargs=2, metavar=("CERT", "KEY"), help="another listener behind TLS")
    options = parser.parse_args(arguments)
    with suppress(OSError, ValueError):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(_serve(options.seed, _context(options.tls), _context(options.untrusted)))


async def _serve(seed: int, tls: ssl.SSLContext | None, untrusted: ssl.SSLContext | None) -> None:
    loop = asyncio.get_running_loop()
    service = LambdaService(seed)

    async def listen(name: str, context: ssl.SSLContext | None, fault: str | None = None) -> None:
        gate = partial(Gate, service, context, fault, told=name == "lambda", counted=name != "control")
        server = await loop.create_server(gate, "127.0.0.1", 0, backlog=_BACKLOG)
        servers.append(server)
        secure = context is not None or name.startswith("tls_") or (fault is not None and tls is not None)
        service.urls[name] = f"http{'s' if secure else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    servers: list[asyncio.Server] = []
    await listen("lambda", tls)
    await listen("control", None)
    if untrusted is not None:
        await listen("untrusted", untrusted)
    for fault in OF_CONNECTIONS:
        await listen(fault, None, fault)
    closed = asyncio.Event()
    threading.Thread(target=_read_to_end, args=(loop, closed), daemon=True).start()
    print(service.urls["lambda"], flush=True)
    await closed.wait()
    for server in servers:
        server.close()


def _read_to_end(loop: asyncio.AbstractEventLoop, closed: asyncio.Event) -> None:
    # Not through sys.stdin, whose lock this thread would hold when the interpreter ends for another reason.
    while os.read(0, 1024):
        pass
    loop.call_soon_threadsafe(closed.set)


def _context(files: Sequence[str] | None) -> ssl.SSLContext | None:
    if files is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return context


if __name__ == "__main__":
    main()
