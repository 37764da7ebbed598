"""stdin and stdout on the event loop: whole lines whatever the pieces, and nobody waits for a slow reader."""

from __future__ import annotations

import os
import select
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

from lambda_warden.stdio import Reader, Writer

pytestmark = pytest.mark.anyio

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


async def _lines(reader: Reader) -> list[str]:
    return [line async for line in reader]


async def test_lines_arrive_whole_and_in_order(ends: Ends) -> None:
    read, write = ends
    lines: list[str] = []

    async def collect() -> None:
        lines.extend(await _lines(Reader(read)))

    async with anyio.create_task_group() as group:
        group.start_soon(collect)
        for part in (b'{"a"', b': 1}\n{"b": "\xc3', b'\xa4"}\n', b"\n", b"the end"):
            os.write(write, part)
            await anyio.sleep(0.01)
        os.close(write)
    assert lines == ['{"a": 1}\n', '{"b": "ä"}\n', "\n", "the end"]


@given(
    lines=st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"."))),
    cuts=st.lists(st.integers(1, 30)),
)
def test_pieces_make_no_difference(lines: list[bytes], cuts: list[int]) -> None:
    data = b"".join(line + b"\n" for line in lines)

    async def read_all() -> list[str]:
        read, write = os.pipe()
        try:
            reader, start = Reader(read), 0
            found: list[str] = []
            for size in [*cuts, len(data)]:
                os.write(write, data[start : start + size])
                start += size
                whole = data[: min(start, len(data))].count(b"\n")
                found += [await anext(reader) for _ in range(whole - len(found))]
            os.close(write)
            return found + await _lines(reader)
        finally:
            os.close(read)

    expected = [line.decode(errors="replace") + "\n" for line in lines]
    assert anyio.run(read_all) == expected


async def test_what_is_not_utf8_is_replaced(ends: Ends) -> None:
    read, write = ends
    os.write(write, b"a\xff\n")
    assert await anext(Reader(read)) == "a�\n"


async def test_who_waits_for_a_line_can_be_cancelled(ends: Ends) -> None:
    read, write = ends
    reader = Reader(read)
    os.write(write, b"half")
    with anyio.move_on_after(0.05):
        await anext(reader)
    os.write(write, b" a line\n")
    assert await anext(reader) == "half a line\n"


async def test_text_is_written_when_it_is_flushed(ends: Ends) -> None:
    read, write = ends
    writer = Writer(write)
    await writer.write("ä ")
    await writer.write("b\n")
    assert select.select([read], [], [], 0)[0] == []
    await writer.flush()
    await writer.flush()
    assert os.read(read, 100) == "ä b\n".encode()
    writer.close()


async def test_a_slow_reader_keeps_only_its_writer_waiting(ends: Ends) -> None:
    read, write = ends
    writer, text = Writer(write), "x" * 3_000_000
    received = bytearray()

    async def flush() -> None:
        await writer.write(text)
        await writer.flush()
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(flush)
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
    await writer.write("x")
    with pytest.raises(OSError, match="Broken pipe"):
        await writer.flush()
    writer.close()


TAKE_OVER = """
    import anyio, os, sys
    from lambda_warden.stdio import standard_streams

    async def main():
        with standard_streams() as streams:
            if streams is None:
                print("left as they are")
                return
            reader, writer = streams
            print("a stray line")
            sys.stdout.flush()
            assert os.read(0, 10) == b"", "a child would read messages"
            async for line in reader:
                await writer.write(line.upper())
                await writer.flush()
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


def test_files_are_left_to_the_sdk(tmp_path: Path) -> None:
    path = tmp_path / "messages"
    path.write_text("one\n")
    with path.open() as file:
        assert _run(stdin=file, stdout=subprocess.PIPE).stdout == "left as they are\n"
