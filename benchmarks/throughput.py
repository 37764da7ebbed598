"""Calls a second, how long they take and what they cost the server, beside the least that invokes, in one run.

    python benchmarks/throughput.py [--calls 400] [--rounds 5] [--store URL] [--instances 1]

1, 16, 64 and 256 clients over HTTP, each with a connection of its own that it keeps, and 16 calls at once over stdio.
An SDK client takes more of a core than the server does, so requests are made beforehand, answers are hardly parsed, and
one loop over sockets drives all clients. Both servers stay up and take turns, so that what the machine does besides
falls on both. A ratio is the median of those of the rounds.

With `--store` the records stand at a URL. With `--instances` several of lambda-warden share them, and clients go by
turns to each, as through a load balancer: a request needs no other before it. CPU is that of all instances.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import selectors
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil
from harness import endpoint, median, unguarded_server, warden_server, write_manifest
from mcp import StdioServerParameters

CLIENTS: Final = (1, 16, 64, 256)
PIPELINED: Final = 16
TOKEN: Final = "t" * 43
PAYLOAD: Final = {"orderId": "A-1001", "amount": 12.5}
_VERSION: Final = "2026-07-28"
_META: Final = {
    "io.modelcontextprotocol/protocolVersion": _VERSION,
    "io.modelcontextprotocol/clientInfo": {"name": "throughput", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
_START_SECONDS: Final = 30.0
_ANSWER_SECONDS: Final = 30.0
"""Without any answer for so long, a run ends with an error."""


@dataclass(frozen=True)
class Tool:
    """What is called, and what every answer must hold to count."""

    name: str
    arguments: dict[str, object]
    proof: bytes

    def message(self, number: int) -> bytes:
        """A request, which needs no other before it."""
        params = {"name": self.name, "arguments": self.arguments, "_meta": _META}
        message = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
        return json.dumps(message, separators=(",", ":")).encode()


WARDEN: Final = Tool("invoke_function", {"function": "echo:live", "payload": PAYLOAD}, b'"outcome":"succeeded"')
UNGUARDED: Final = Tool("invoke", {"payload": PAYLOAD}, b"A-1001")


@dataclass
class Turns:
    """What one server did in its turns."""

    rates: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    samples: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Server:
    """A running server, of one process or several, its tool, and where it listens."""

    name: str
    processes: Sequence[psutil.Process]
    tool: Tool
    ports: Sequence[int] = ()
    popen: subprocess.Popen[bytes] | None = None

    def run(self, clients: int, calls: int, into: Turns | None) -> None:
        """One turn: so many calls by so many clients."""
        before, started = _cpu_seconds(self.processes), time.perf_counter()
        if self.popen:
            samples = _over_pipes(self.popen, self.tool, clients, calls)
        else:
            samples = _over_http(self.ports, self.tool, clients, calls)
        seconds, cpu = time.perf_counter() - started, _cpu_seconds(self.processes) - before
        if into:
            into.rates.append(calls / seconds)
            into.cpu_ms.append(cpu / calls * 1000)
            into.samples.extend(samples)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description="Throughput of lambda-warden beside a server without guard.")
    parser.add_argument("--calls", type=int, default=400, help="calls of a turn (default 400)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each server (default 5)")
    parser.add_argument("--store", metavar="URL", help="where the records stand (default: a file)")
    parser.add_argument("--instances", type=int, default=1, help="of lambda-warden over HTTP (default 1)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, endpoint() as url, contextlib.ExitStack() as stack:
        folder = Path(name)
        warden = warden_server(folder, url, write_manifest(folder, url, ["echo"]), *_store(options.store))
        unguarded = unguarded_server(folder, url)
        token = folder / "http-token"
        token.write_text(TOKEN)
        token.chmod(0o600)
        over_http = ("--http", "127.0.0.1:{port}", "--http-token-file", str(token))
        http = [
            stack.enter_context(_http("lambda-warden", warden, WARDEN, *over_http, instances=options.instances)),
            stack.enter_context(_http("boto3 in threads, no guard", unguarded, UNGUARDED, "{port}")),
        ]
        for clients in CLIENTS:
            title = f"HTTP, {clients} client{'s' if clients > 1 else ''}"
            _compare(title, http, clients, max(options.calls, clients), options.rounds)
    with tempfile.TemporaryDirectory() as name, endpoint() as url, contextlib.ExitStack() as stack:
        folder = Path(name)
        warden = warden_server(folder, url, write_manifest(folder, url, ["echo"]), *_store(options.store))
        pipes = [
            stack.enter_context(_stdio("lambda-warden", warden, WARDEN)),
            stack.enter_context(_stdio("boto3 in threads, no guard", unguarded_server(folder, url), UNGUARDED)),
        ]
        _compare(f"stdio, {PIPELINED} calls at once", pipes, PIPELINED, options.calls, options.rounds)


def _store(url: str | None) -> tuple[str, ...]:
    """The option of the server that says where its records stand: the last one counts."""
    return ("--records", url) if url else ()


def _compare(title: str, servers: Sequence[Server], clients: int, calls: int, rounds: int) -> None:
    turns = {server.name: Turns() for server in servers}
    for number in range(rounds + 1):
        for server in servers:
            server.run(clients, calls, turns[server.name] if number else None)  # the first round warms up
    print(f"\n{title}")
    print(f"  {'':<30}{'calls/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'CPU ms a call':>15}")
    for name, of in turns.items():
        p50, p99 = _percentile(of.samples, 50), _percentile(of.samples, 99)
        print(f"  {name:<30}{median(of.rates):>9.1f}{p50:>9.2f}{p99:>9.2f}{median(of.cpu_ms):>15.2f}")
    ours, theirs = turns.values()
    rate = median([a / b for a, b in zip(ours.rates, theirs.rates, strict=True)])
    cpu = median([a / b for a, b in zip(ours.cpu_ms, theirs.cpu_ms, strict=True)])
    p50, p99 = (_percentile(ours.samples, at) / _percentile(theirs.samples, at) for at in (50, 99))
    print(f"  {'ratio':<30}{rate:>9.2f}{p50:>9.2f}{p99:>9.2f}{cpu:>15.2f}", flush=True)


def _percentile(samples: Sequence[float], at: int) -> float:
    return sorted(samples)[min(len(samples) - 1, len(samples) * at // 100)]


def _cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    return sum(times.user + times.system for times in (process.cpu_times() for process in processes))


def _over_http(ports: Sequence[int], tool: Tool, clients: int, calls: int) -> list[float]:
    """Milliseconds of each call."""
    body = tool.message(1)
    head = (
        "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {TOKEN}\r\n"
        f"Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: {_VERSION}\r\n"
        f"Mcp-Method: tools/call\r\nMcp-Name: {tool.name}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    samples, left = list[float](), calls
    with contextlib.ExitStack() as stack:
        selector = stack.enter_context(contextlib.closing(selectors.DefaultSelector()))
        sent_at, received = dict[socket.socket, float](), dict[socket.socket, bytes]()
        requests = dict[socket.socket, bytes]()
        for number in range(min(clients, calls)):
            port = ports[number % len(ports)]
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), _ANSWER_SECONDS))
            requests[client] = head.format(port=port).encode() + body
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(client, selectors.EVENT_READ, client)
            received[client], sent_at[client] = b"", time.perf_counter()
            client.sendall(requests[client])
            left -= 1
        while len(samples) < calls:
            ready = selector.select(_ANSWER_SECONDS)
            assert ready, "no answer"
            for key, _ in ready:
                client = key.data
                received[client] += client.recv(1 << 16)
                if not _is_whole(received[client]):
                    continue
                now, answer = time.perf_counter(), received[client]
                assert answer.startswith(b"HTTP/1.1 200 "), answer[:2000]
                assert tool.proof in answer, answer[:2000]
                samples.append((now - sent_at[client]) * 1000)
                if left:
                    left -= 1
                    received[client], sent_at[client] = b"", time.perf_counter()
                    client.sendall(requests[client])
    return samples


def _is_whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    assert answer, "the server closed the connection"
    return length.isdigit() and len(body) >= int(length)


def _over_pipes(server: subprocess.Popen[bytes], tool: Tool, at_once: int, calls: int) -> list[float]:
    """Milliseconds of each call."""
    assert server.stdin is not None
    assert server.stdout is not None
    lines = [tool.message(number) + b"\n" for number in range(calls)]
    sent_at, samples = list[float](), list[float]()

    def send() -> None:
        if len(sent_at) < calls:
            sent_at.append(time.perf_counter())
            server.stdin.write(lines[len(sent_at) - 1])  # type: ignore[union-attr]
            server.stdin.flush()  # type: ignore[union-attr]

    for _ in range(at_once):
        send()
    while len(samples) < calls:
        line = server.stdout.readline()
        now = time.perf_counter()
        assert tool.proof in line, line[:2000]
        samples.append((now - sent_at[json.loads(line)["id"]]) * 1000)
        send()
    return samples


@contextlib.contextmanager
def _http(name: str, server: StdioServerParameters, tool: Tool, *options: str, instances: int = 1) -> Iterator[Server]:
    """Run a server over HTTP, or several of it, on ports that were free."""
    with contextlib.ExitStack() as stack:
        free = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(instances)]
        ports = [listener.getsockname()[1] for listener in free]
    running: list[subprocess.Popen[bytes]] = []
    try:
        for port in ports:
            command = [server.command, *server.args, *(option.format(port=port) for option in options)]
            running.append(subprocess.Popen(command, env=server.env, stderr=subprocess.DEVNULL))
            _wait_for(port, running[-1])
        yield Server(name, [psutil.Process(process.pid) for process in running], tool, ports)
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(_ANSWER_SECONDS)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the server does not listen")


@contextlib.contextmanager
def _stdio(name: str, server: StdioServerParameters, tool: Tool) -> Iterator[Server]:
    process = subprocess.Popen(
        [server.command, *server.args], env=server.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield Server(name, [psutil.Process(process.pid)], tool, popen=process)
    finally:
        process.terminate()
        process.communicate(timeout=_ANSWER_SECONDS)


if __name__ == "__main__":
    main()
