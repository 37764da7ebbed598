"""Telling of requests for approval: a webhook whose receiver fails in every way, and a command."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import anyio
import httpx2
import pytest
import trustme

from lambda_warden.approvals.telling import UNDER_WAY, BackgroundNotifier, Command, make_notifier, message
from lambda_warden.approvals.webhook import NotTold, Webhook, webhook
from lambda_warden.errors import SettingsError
from lambda_warden.settings import Settings
from lambda_warden.store.approvals import PendingApproval
from support.approval_page import asked
from support.receiver import KEY, Behaviour, receiving, until
from support.receiver import WEBHOOK_SECRET as SECRET


def told_by(url: str, seconds: float = 30.0, body: bytes = b"{}") -> str:
    """What came of a message: why nobody was told, if so."""
    try:
        anyio.run(Webhook(httpx2.URL(url), KEY, (0.0, 0.0), seconds).tell, "id-1", body)
    except NotTold as problem:
        return str(problem)
    return "told"


def waiting(**fields: object) -> PendingApproval:
    return PendingApproval(asked(**fields), "pending", 0.0, 900.0, 900.0)


def verified(headers: dict[str, str], body: bytes, secret: str = SECRET) -> bool:
    """As the specification tells receivers to do it."""
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 300
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    expected = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    return any(
        hmac.compare_digest(each.removeprefix("v1,"), expected) for each in headers["webhook-signature"].split(" ")
    )


@pytest.mark.parametrize(
    ("behaviours", "came", "attempts"),
    [
        ([200], "told", 1),
        ([204, 500], "told", 1),
        ([500, 503, 200], "told", 3),
        ([429, "closes", 201], "told", 3),
        ([500], "HTTP 500, 3 times", 3),
        (["closes"], "RemoteProtocolError, 3 times", 3),
        *([[status], f"HTTP {status}", 1] for status in (301, 302, 303, 307, 308, 400, 401, 404, 410)),
    ],
)
def test_a_message_is_sent_until_it_is_taken_or_refused(behaviours: list[Behaviour], came: str, attempts: int) -> None:
    body = b'{"a":1}'
    with receiving(*behaviours) as receiver:
        assert told_by(f"http://127.0.0.1:{receiver.port}/hook", body=body) == came
    assert [path for path, _, _ in receiver.got] == ["/hook"] * attempts, "no redirect is followed"
    for _, headers, sent in receiver.got:
        assert (headers["webhook-id"], headers["content-type"], sent) == ("id-1", "application/json", body)
        assert verified(headers, sent)
        assert not verified(headers, sent + b" ")
        assert not verified({**headers, "webhook-id": "id-2"}, sent)
        assert not verified(headers, sent, "whsec_" + base64.b64encode(b"x" * 32).decode())


@pytest.mark.parametrize("behaviour", ["hangs", "drips"])
def test_a_receiver_that_does_not_end_its_answer_is_given_up(behaviour: str) -> None:
    with receiving(behaviour) as receiver:
        assert told_by(f"http://127.0.0.1:{receiver.port}/", seconds=0.2) == "no answer in time, 3 times"


def test_a_receiver_that_can_not_be_known_or_reached_gets_nothing() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with receiving(200, context=context) as receiver:
        assert told_by(f"https://127.0.0.1:{receiver.port}/") == "ConnectError, 3 times"
    assert receiver.got == []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert told_by(f"http://127.0.0.1:{port}/") == "ConnectError, 3 times"


def test_a_message_holds_what_is_needed_to_go_and_look() -> None:
    pending = waiting(reason="because\u202e " + "r" * 600, question="the payload")
    said = message(pending, "https://warden.example.com/approvals/requests/1")
    data = said.pop("data")
    assert said.keys() == {"type", "timestamp"}
    assert isinstance(data, dict)
    assert data.keys() == {"approval_id", "function", "principal", "reason", "expires_at", "url"}
    assert data["url"] == "https://warden.example.com/approvals/requests/1"
    assert data["reason"].startswith("because\\u202e r")
    assert len(data["reason"]) == 500
    assert "payload" not in json.dumps([said, data])


def test_notifying_waits_for_nobody_and_tells_each_request_once(caplog: pytest.LogCaptureFixture) -> None:
    with receiving("hangs") as slow, receiving(500, 200) as good:
        ways = [Webhook(httpx2.URL(f"http://127.0.0.1:{each.port}/T0K3N"), KEY, (0.0,)) for each in (slow, good)]
        notifier = BackgroundNotifier(ways)
        pending = waiting()
        notifier.notify(pending)
        until(lambda: len(good.got) == 2 and len(slow.got) == 1)
        assert {headers["webhook-id"] for _, headers, _ in good.got} == {pending.ask.approval_id}
        slow.behaviours[:] = [404]
        slow.released.set()
        until(lambda: "not told" in caplog.text)
    assert len(good.got) == 2
    assert "the webhook at 127.0.0.1: HTTP 404" in caplog.text
    assert not any(secret in caplog.text for secret in ("T0K3N", SECRET, "parcel"))


def test_what_is_too_much_is_said_and_not_queued(caplog: pytest.LogCaptureFixture) -> None:
    held = threading.Event()

    class Held:
        name = "a way that waits"

        async def tell(self, message_id: str, body: bytes) -> None:
            while not held.is_set():
                await anyio.sleep(0.01)
            raise ValueError("https://hooks.example/T0K3N")

    notifier = BackgroundNotifier([Held()])
    for _ in range(UNDER_WAY + 1):
        notifier.notify(waiting())
    assert caplog.text.count("too many are on their way") == 1
    held.set()
    until(lambda: caplog.text.count("a way that waits: ValueError") == UNDER_WAY)
    assert "T0K3N" not in caplog.text


def test_a_command_gets_the_message_on_stdin_and_nothing_of_a_shell(tmp_path: Path) -> None:
    out = tmp_path / "got"
    code = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.argv[2] + sys.stdin.read()); print('said')"
    script = f"{sys.executable} -c \"{code}\" {out} '$(id);`id`'"
    notifier = make_notifier(Settings(approval_command=script))
    assert notifier is not None
    pending = waiting()
    notifier.notify(pending)
    until(lambda: out.exists() and out.read_text().endswith("}"))
    said = out.read_text()
    assert said.startswith("$(id);`id`{")
    assert json.loads(said.removeprefix("$(id);`id`"))["data"]["approval_id"] == pending.ask.approval_id


@pytest.mark.parametrize(
    ("arguments", "came"),
    [
        (["false"], "it ended with 1"),
        (["sleep", "600"], "it took longer than 0.1 s"),
        (["/nowhere/at-all"], "it can't be started: No such file or directory"),
        (["true"], None),  # which reads nothing
    ],
)
def test_a_command_that_fails_is_told_of(arguments: list[str], came: str | None) -> None:
    run = partial(anyio.run, Command(arguments, 0.1 if "sleep" in arguments else 30.0).tell, "id", b"x" * 200_000)
    if came is None:
        run()
        return
    with pytest.raises(NotTold, match=came):
        run()


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("http://hooks.example/T0K3N", SECRET),
        ("http://127.0.0.1.example/T0K3N", SECRET),
        ("ftp://127.0.0.1/T0K3N", SECRET),
        ("https:///T0K3N", SECRET),
        ("T0K3N", SECRET),
        ("https://hooks.example:x/T0K3N", SECRET),
        ("https://hooks.example/", "T0K3N"),
        ("https://hooks.example/", "whsec_"),
        ("https://hooks.example/", "whsec_" + base64.b64encode(b"T0K3N" * 4).decode()),
        ("https://hooks.example/", None),
    ],
)
def test_a_webhook_that_can_not_be_used_keeps_the_server_from_starting(
    tmp_path: Path, url: str, secret: str | None
) -> None:
    file = tmp_path / "secret"
    if secret is not None:
        file.write_text(secret + "\n")
    with pytest.raises(SettingsError) as error:
        webhook(url, file)
    assert not any(each in str(error.value) for each in ("T0K3N", "VDBLM04"))


def test_ways_that_are_half_set_up_keep_the_server_from_starting(tmp_path: Path) -> None:
    for settings in (
        Settings(approval_webhook="https://hooks.example/"),
        Settings(approval_command=""),
        Settings(approval_command="'"),
        Settings(approval_command="no-such-program-here x"),
    ):
        with pytest.raises(SettingsError):
            make_notifier(settings)
    assert make_notifier(Settings()) is None


def test_the_end_of_the_server_waits_for_no_message(tmp_path: Path) -> None:
    code = """
import base64, sys, pathlib, time
sys.path[:0] = sys.argv[2:]
from support.approval_page import asked
from support.receiver import KEY, Behaviour, receiving, until
from support.receiver import WEBHOOK_SECRET as SECRET
from lambda_warden.approvals.telling import make_notifier
from lambda_warden.settings import Settings
from lambda_warden.store.approvals import PendingApproval
secret = pathlib.Path("secret")
secret.write_text("whsec_" + base64.b64encode(bytes(32)).decode())
notifier = make_notifier(Settings(approval_webhook=sys.argv[1], approval_webhook_secret_file=secret))
notifier.notify(PendingApproval(asked(), "pending", 0.0, 900.0, 900.0))
sys.stdin.readline()
"""
    with receiving("hangs") as receiver:
        url = f"http://127.0.0.1:{receiver.port}/"
        process = subprocess.Popen(
            [sys.executable, "-c", code, url, *sys.path],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            text=True,
        )
        until(lambda: bool(receiver.got) or process.poll() is not None)
        _, said = process.communicate("\n", timeout=60)  # while the receiver still hangs
        assert not receiver.released.is_set()
    assert (process.returncode, said) == (0, "")
