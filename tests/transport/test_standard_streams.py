"""stdin and stdout on the event loop: whole lines whatever the pieces, and nobody waits for a slow reader."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_warden.transport.standard_streams import Reader, Writer

pytestmark = pytest.mark.anyio

LIMIT = 1 << 20
Ends = tuple[int, int]
"""What is read from, and what is written to."""


def _pipe() -> Ends:
    return os.pipe()


def _sockets() -> Ends:
    near, far = socket.socketpair()
    return near.detach(), far.detach()


@pytest.fixture(params=[_pipe, _sockets], ids=["pipe", "socket"])
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    made = request.param()
    yield made
    for descriptor in made:
        with suppress(OSError):
            os.close(descriptor)


async def _lines(reader: Reader) -> list[bytes]:
    return [line async for line in reader]


async def test_lines_arrive_whole_and_in_order(ends: Ends) -> None:
    read, write = ends
    lines: list[bytes] = []

    async def collect() -> None:
        lines.extend(await _lines(Reader(read, LIMIT)))

    async with anyio.create_task_group() as group:
        group.start_soon(collect)
        for part in (b'{"a"', b': 1}\n{"b": "\xc3', b'\xa4"}\n', b"\n", b"the end"):
            os.write(write, part)
            await anyio.sleep(0.01)
        os.close(write)
    assert lines == [b'{"a": 1}\n', '{"b": "ä"}\n'.encode(), b"\n", b"the end"]


@given(
    lines=st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"."))),
    cuts=st.lists(st.integers(1, 30)),
)
def test_pieces_make_no_difference(lines: list[bytes], cuts: list[int]) -> None:
    data = b"".join(line + b"\n" for line in lines)

    async def read_all() -> list[bytes]:
        read, write = os.pipe()
        try:
            reader, start = Reader(read, LIMIT), 0
            found: list[bytes] = []
            for size in [*cuts, len(data)]:
                os.write(write, data[start : start + size])
                start += size
                whole = data[: min(start, len(data))].count(b"\n")
                found += [await anext(reader) for _ in range(whole - len(found))]
            os.close(write)
            return found + await _lines(reader)
        finally:
            os.close(read)

    assert anyio.run(read_all) == [line + b"\n" for line in lines]


@pytest.mark.parametrize(("size", "kept"), [(9, 9), (10, 10), (11, 11), (5_000, 11)])
async def test_of_a_long_line_its_beginning_is_kept(size: int, kept: int, ends: Ends) -> None:
    read, write = ends
    reader = Reader(read, 10)

    async def feed() -> None:
        for _ in range(size):
            os.write(write, b"x")
            await anyio.sleep(0)
        os.write(write, b"\nnext\n")

    async with anyio.create_task_group() as group:
        group.start_soon(feed)
        line = await anext(reader)
        assert line.startswith(b"x" * kept)
        assert len(line) >= kept
        assert len(line) <= max(10, kept) + size + 1
    assert await anext(reader) == b"next\n"


async def test_who_waits_for_a_line_can_be_cancelled(ends: Ends) -> None:
    read, write = ends
    reader = Reader(read, LIMIT)
    os.write(write, b"half")
    with anyio.move_on_after(0.05):
        await anext(reader)
    os.write(write, b" a line\n")
    assert await anext(reader) == b"half a line\n"


async def test_text_is_written_as_utf8(ends: Ends) -> None:
    read, write = ends
    writer = Writer(write)
    await writer.write("ä ")
    await writer.write("b\n")
    assert os.read(read, 100) == "ä b\n".encode()
    writer.close()


async def test_a_slow_reader_keeps_only_its_writer_waiting(ends: Ends) -> None:
    read, write = ends
    writer, text = Writer(write), "x" * 3_000_000
    received = bytearray()

    async def write_all() -> None:
        await writer.write(text)
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(write_all)
        for _ in range(10):  # nobody reads, and the loop goes on
            await anyio.sleep(0.001)
        assert not group.cancel_scope.cancel_called
        with anyio.CancelScope(shield=True):
            while len(received) < len(text):
                await anyio.wait_readable(read)
                received += os.read(read, 1 << 16)
    assert received == text.encode()
    assert os.get_blocking(write)
    writer.close()


async def test_a_reader_that_has_left_is_an_error(ends: Ends) -> None:
    read, write = ends
    os.close(read)
    writer = Writer(write)
    with pytest.raises(OSError, match="Broken pipe"):
        await writer.write("x")
    writer.close()


TAKE_OVER = """
    import anyio, os, sys
    from lambda_warden.transport.standard_streams import standard_streams

    async def main():
        with standard_streams(1000) as (reader, writer):
            print("a stray line")
            sys.stdout.flush()
            assert os.read(0, 10) == b"", "a child would read messages"
            async for line in reader:
                await writer.write(line.decode().upper())
        print("after", flush=True)

    anyio.run(main)
"""


def _run(before: str = "", **files: object) -> subprocess.CompletedProcess[str]:
    code = textwrap.dedent(TAKE_OVER)
    command = ["sh", "-c", f'{before}exec "$0" -c "$1"', sys.executable, code]
    return subprocess.run(command, text=True, stderr=subprocess.PIPE, check=True, **files)  # type: ignore[call-overload,no-any-return]


def test_stray_output_does_not_get_among_the_messages() -> None:
    run = _run(input="one\ntwo\n", stdout=subprocess.PIPE)
    assert run.stdout == "ONE\nTWO\nafter\n"
    assert run.stderr == "a stray line\n"


def test_a_server_without_stderr_serves_all_the_same() -> None:
    run = _run("exec 2>&-; ", input="one\n", stdout=subprocess.PIPE)
    assert run.stdout == "ONE\nafter\n"


def test_files_are_read_and_written_too(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_text("one\ntwo")
    with source.open() as stdin, target.open("w") as stdout:
        _run(stdin=stdin, stdout=stdout)
    assert target.read_text() == "ONE\nTWOafter\n"


def test_a_terminal_is_read_and_written_too() -> None:
    controller, terminal = os.openpty()
    try:
        os.write(controller, b"one\n\x04")
        _run(stdin=terminal, stdout=terminal)
        assert b"ONE\r\nafter\r\n" in os.read(controller, 1000)
    finally:
        os.close(controller)
        os.close(terminal)
