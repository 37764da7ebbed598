"""The approvals page over real HTTP: who gets in, what decides, and what is shown."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from lambda_warden.approvals.secret import FREE_TRIES, read_approver, set_secret
from lambda_warden.approvals.secret import unlock as unlock_by
from lambda_warden.approvals_page.sessions import IDLE_SECONDS, LONGEST_SECONDS
from lambda_warden.approvals_page.views import block
from support.approval_page import SECRET, Page, approval_page, asked


@pytest.fixture(scope="module")
def _page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with approval_page(tmp_path_factory.mktemp("page")) as running:
        yield running


@pytest.fixture
def page(_page: Page) -> Page:
    """The page, with nothing that waits."""
    _page.clear()
    return replace(_page)


@pytest.fixture
def approval_id(page: Page) -> str:
    return page.ask()


def test_a_person_approves_and_denies(page: Page) -> None:
    browser = page.browser()
    for decision, state in {"approve": "approved", "deny": "denied"}.items():
        approval_id = page.ask()
        assert "orders-refund:live" in browser.get("/").html
        sent = browser.decide(approval_id, decision, note=" checked the order ")
        assert (sent.status, sent.location) == (303, f"/base/requests/{approval_id}")
        shown = browser.get(f"/requests/{approval_id}").html
        assert "checked the order" in shown
        assert "<form" not in shown
        kept = page.found(approval_id)
        assert kept.ruling is not None
        assert (kept.state, kept.ruling.by, kept.ruling.how, kept.ruling.note) == (
            state, "mo", "page", "checked the order",
        )  # fmt: skip
    assert "Nothing waits" in browser.get("/").html


def test_a_request_is_shown_whole(page: Page) -> None:
    ask = asked()
    page.ask(ask)
    shown = page.browser().get(f"/requests/{ask.approval_id}").html
    texts = ["orders-refund:live", "123456789012", "eu-west-1", ask.principal, "claude-desktop", "12.50"]
    for text in [*texts, "parcel never came", ask.rule, ask.request_digest, ask.manifest_sha256]:
        assert text in shown, text
    assert "<div class=outside>{&#34;orderId&#34;" in shown  # the whole line, however it is broken
    assert re.search(r"Expires in</dt><dd>(15 min 0|14 min \d+) s", shown)


# Who gets in


@pytest.mark.parametrize("path", ["/", "/requests/1", "/login", "/login?token=", "/login?token=wrong"])
def test_nobody_sees_anything_without_a_link(page: Page, approval_id: str, path: str) -> None:
    for cookie in (None, "lambda_warden_approvals=", "lambda_warden_approvals=guess", "lambda_warden_approvals=ä"):
        browser = page.browser(signed_in=False)
        browser.cookie = cookie
        answer = browser.get(path)
        assert answer.status == 403
        assert "orders-refund" not in answer.html
        assert "<form" not in answer.html


def test_nothing_lies_outside_of_the_path_that_only_the_link_tells(page: Page, approval_id: str) -> None:
    browser = page.browser()
    page.base = ""
    for path in ("/", "/login", "/style.css", f"/requests/{approval_id}", "/docs", "/base/../style.css"):
        assert browser.get(path).status == 404


def test_a_link_opens_one_session_and_reading_it_uses_nothing_up(page: Page) -> None:
    token = page.tokens[-1]
    browser = page.browser(signed_in=False)
    for method in ("HEAD", "GET", "GET"):
        assert browser.get(f"/login?token={token}", method).status == 200
    for wrong in ("", "wrong", token[:-1], token + "x", "ä"):
        assert browser.post("/login", token=wrong).status == 403
    assert browser.post("/login", token=token).location == "/base/"
    assert browser.get("/").status == 200
    other = page.browser(signed_in=False)
    assert other.post("/login", token=token).status == 403
    assert other.get(f"/login?token={token}").status == 403
    assert other.get("/").status == 403
    assert page.tokens[-2:] == [token, page.tokens[-1]]  # another one was printed


def test_one_link_opens_one_session_when_many_come_at_once(page: Page) -> None:
    token, found = page.tokens[-1], []
    threads = [
        threading.Thread(target=lambda: found.append(page.browser(signed_in=False).post("/login", token=token).status))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [303, *[403] * 7]


def test_the_session_of_a_browser_is_never_one_that_was_there_before(page: Page) -> None:
    attacker = page.browser()
    victim = page.browser(signed_in=False)
    planted = victim.cookie = attacker.cookie
    assert victim.post("/login", token=page.tokens[-1]).status == 303
    assert victim.cookie != planted
    assert page.browser(signed_in=False).post("/login", token=page.tokens[-2]).status == 403


def test_the_cookie_goes_to_this_page_alone(page: Page) -> None:
    sent = page.browser(signed_in=False).post("/login", token=page.tokens[-1]).headers["set-cookie"]
    assert {part.strip().lower() for part in sent.split(";")[1:]} == {"httponly", "path=/base", "samesite=strict"}


@pytest.mark.parametrize(
    ("pauses", "path", "open_after"),
    [
        ([IDLE_SECONDS - 1] * 3, "/", True),
        ([IDLE_SECONDS], "/", False),
        ([IDLE_SECONDS / 2] * 2, "/?auto", False),  # a list that reloads itself keeps nothing open
        ([IDLE_SECONDS / 2] * int(LONGEST_SECONDS / IDLE_SECONDS * 2), "/", False),
    ],
)
def test_a_session_ends(page: Page, pauses: list[float], path: str, open_after: bool) -> None:
    browser = page.browser()
    for pause in pauses:
        page.seconds.append(page.seconds[-1] + pause)
        answer = browser.get(path)
    assert (answer.status == 200) is open_after
    assert (browser.get("/").status == 200) is open_after


# What decides


def test_nothing_but_the_form_of_the_session_decides(page: Page, approval_id: str) -> None:
    browser, other = page.browser(), page.browser()
    theirs = other.get(f"/requests/{approval_id}").form_token
    assert theirs != browser.get(f"/requests/{approval_id}").form_token
    for forged in ("", "guess", theirs, "ä"):
        assert browser.decide(approval_id, form_token=forged).status == 403
    path = f"/requests/{approval_id}"
    token = browser.get(path).form_token
    assert browser.post(path, decision="approve", secret=SECRET).status == 403
    for decision in ("", "approved", "APPROVE", "yes"):
        assert browser.decide(approval_id, decision).status == 400
    assert browser.decide(approval_id, note="n" * 501).status == 400
    assert browser.post(path, {"Content-Length": "20000"}).status == 413
    assert browser.post(f"{path}?form_token={token}&decision=approve&secret={quote(SECRET)}").status == 403
    assert page.state(approval_id) == "pending"


def test_two_values_of_one_field_are_no_form(page: Page, approval_id: str) -> None:
    browser = page.browser()
    path = f"/requests/{approval_id}"
    token = browser.get(path).form_token
    body = f"form_token={token}&secret={SECRET}&decision=deny&decision=approve"
    headers: dict[str, str | None] = {"Origin": f"http://{page.host}"}
    assert browser._send("POST", path, body, headers).status == 403
    assert page.state(approval_id) == "pending"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_only_a_post_decides(page: Page, approval_id: str, method: str) -> None:
    browser = page.browser()
    path = f"/requests/{approval_id}"
    query = f"form_token={browser.get(path).form_token}&decision=approve&secret={quote(SECRET)}"
    for origin in (None, f"http://{page.host}"):
        browser.get(f"{path}?{query}", method, Origin=origin)
        browser._send(method, path, query, {"Origin": origin})
    assert page.state(approval_id) == "pending"


@pytest.mark.parametrize("name", ["decide", "login"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": None},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://{host}"},
        {"Origin": "http://{host}.evil.example"},
        {"Origin": "http://localhost:{port}"},  # true, but not for this name
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Host": "evil.example"},
        {"Host": "evil.example:{port}", "Origin": "http://evil.example:{port}"},
        {"Host": "127.0.0.1", "Origin": "http://127.0.0.1"},
        {"Host": None},
    ],
)
def test_another_site_can_send_nothing(page: Page, approval_id: str, headers: dict[str, str | None], name: str) -> None:
    browser = page.browser()
    path = f"/requests/{approval_id}" if name == "decide" else "/login"
    fields = {"form_token": browser.get(f"/requests/{approval_id}").form_token, "decision": "approve"}
    sent = {key: value and value.format(host=page.host, port=page.port) for key, value in headers.items()}
    answer = browser.post(path, sent, **fields, secret=SECRET, token=page.tokens[-1])
    assert answer.status == (400 if "Host" in headers and headers["Host"] is None else 403)
    assert answer.headers["set-cookie"] is None
    assert page.state(approval_id) == "pending"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1.nip.io:{port}"])
def test_a_name_that_is_pointed_here_shows_nothing(page: Page, approval_id: str, host: str) -> None:
    browser = page.browser()
    for path in ("/", f"/requests/{approval_id}", f"/login?token={page.tokens[-1]}", "/style.css"):
        answer = browser.get(path, Host=host.format(port=page.port))
        assert (answer.status, answer.html) == (403, "This server is called by another name.")
    assert browser.get("/", Host=f"localhost:{page.port}").status == 200


def test_a_wrong_secret_decides_nothing_and_loses_no_note(page: Page, approval_id: str) -> None:
    browser = page.browser()
    for wrong in ("", "wrong", SECRET + " ", SECRET.upper()):
        for decision in ("approve", "deny"):
            answer = browser.decide(approval_id, decision, secret=wrong, note="why </textarea><b>")
            assert answer.status == 403
            assert "Nothing was decided" in answer.html
            assert "why &lt;/textarea&gt;&lt;b&gt;</textarea>" in answer.html
    assert page.state(approval_id) == "pending"
    assert browser.decide(approval_id).status == 303
    assert page.state(approval_id) == "approved"


def test_wrong_secrets_have_to_wait_by_the_real_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    file = tmp_path / "approver"
    set_secret(file, SECRET)
    with approval_page(tmp_path, lambda secret: unlock_by(file, secret)) as page:
        first, second = page.ask(), page.ask()
        browser = page.browser()
        assert browser.decide(first, note="Ω").status == 303
        approver = read_approver(file)
        assert approver is not None
        assert approver.signed(page.found(first))
        for _ in range(FREE_TRIES):
            assert "not the approver" in browser.decide(second, secret="guess").html
        answer = browser.decide(second)  # the right one, too soon
        assert answer.status == 403
        assert "too many wrong secrets" in answer.html
        assert page.state(second) == "pending"


def test_of_two_people_the_first_decides(page: Page) -> None:
    browsers = [page.browser() for _ in range(2)]
    open_one = page.ask()
    tokens = [browser.get(f"/requests/{open_one}").form_token for browser in browsers]
    for _ in range(5):
        approval_id = page.ask()
        answers: dict[str, str] = {}

        def decide(index: int, decision: str, wanted: str = approval_id, found: dict[str, str] = answers) -> None:
            found[decision] = browsers[index].decide(wanted, decision, form_token=tokens[index]).location

        threads = [threading.Thread(target=decide, args=each) for each in ((0, "approve"), (1, "deny"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        kept = page.found(approval_id)
        won, lost = ("approve", "deny") if kept.state == "approved" else ("deny", "approve")
        assert answers[won] == f"/base/requests/{approval_id}"
        assert answers[lost] in ("", f"/base/requests/{approval_id}?late")  # "": it came when that was decided
        assert "does not count" in browsers[0].decide(approval_id, lost, form_token=tokens[0]).html
        assert page.found(approval_id).ruling == kept.ruling


def test_a_request_that_is_not_there_is_said_to_be_so(page: Page) -> None:
    browser = page.browser()
    for name in ("none", "none/", "..%2F", "%00", "%3Cscript%3E"):
        answer = browser.get(f"/requests/{name}")
        assert answer.status == 404
        assert "<script>" not in answer.html


# What is shown

HOSTILE = [
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "</pre></textarea></blockquote><form action=http://evil.example><button>Approve</button>",
    "{{ 7331 * 1337 }}{% raw %}",
    "javascript:alert(1)",
    "<!-- &lt;b&gt; -->",
]


@pytest.mark.parametrize("function", ["arn:aws:lambda:<b>:<b>:function:<f>", "<f>"])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_text_becomes_a_part_of_the_page(page: Page, hostile: str, function: str) -> None:
    names = ["principal", "client", "effect", "rule", "executed_version", "manifest_sha256", "question", "reason"]
    fields = dict.fromkeys([*names, "request_digest", "approval_id"], hostile.replace("/", "%"))
    for name in ("request_digest", "approval_id"):
        fields[name] += function
    hostile_id = page.ask(asked(**fields, function=function.replace("<f>", hostile)))
    browser = page.browser()
    plain = page.ask(asked(question="plain"))
    expected = _tags(browser.get(f"/requests/{plain}").html)
    path = _request_path(browser.get("/").html, 2)
    shown = browser.get(path)
    assert shown.status == 200
    assert _tags(shown.html) == expected
    browser.post(path, form_token=shown.form_token, decision="deny", secret=SECRET, note=hostile)
    assert page.state(hostile_id) == "denied"
    decided = browser.get(path).html
    browser.decide(plain, "deny", note="plain")
    assert _tags(decided) == _tags(browser.get(f"/requests/{plain}").html)
    assert "9801547" not in browser.get("/").html


def _request_path(html: str, which: int) -> str:
    found: list[str] = re.findall(r'href="/base(/requests/[^"]+)"', html)
    return found[which - 1]


def _tags(html: str) -> list[str]:
    return re.findall(r"<[a-z/!][^\s>]*", html)


def test_what_nobody_sees_is_shown_and_stands_where_it_stands(page: Page) -> None:
    hidden = "a\u202eb\u200bc\x07"
    ask = asked(question=hidden, reason=hidden, principal=hidden, client=hidden, rule=hidden)
    page.ask(ask)
    html = page.browser().get(f"/requests/{ask.approval_id}").html
    assert html.count("a\\u202eb\\u200bc\\u0007") == 5
    assert str(block('["א ב", 1, "ג"] <')) == ("[&#34;<bdi>א ב</bdi>&#34;, 1, &#34;<bdi>ג</bdi>&#34;] &lt;")


def test_every_answer_is_kept_from_other_sites(page: Page, approval_id: str) -> None:
    browser = page.browser()
    answers = [
        browser.get("/"),
        browser.get("/style.css"),
        browser.get(f"/requests/{approval_id}"),
        browser.get("/nothing"),
        browser.get("/", "PUT"),
        browser.get("/", Host="evil.example"),
        browser.decide(approval_id, form_token="wrong"),
        browser.post(f"/requests/{approval_id}", {"Content-Length": "20000"}),
        browser.decide(approval_id),
        page.browser(signed_in=False).get("/"),
    ]
    assert len({answer.status for answer in answers}) == 5
    for answer in answers:
        headers = answer.headers
        policy = headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} < set(policy)
        assert not any("unsafe" in part or "script" in part for part in policy)
        assert headers["cache-control"] == "no-store"
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["server"] is None
        assert "<script" not in answer.html
        assert " style=" not in answer.html


def test_the_secret_is_in_no_answer(page: Page, approval_id: str) -> None:
    browser = page.browser()
    page.ask()
    decided = browser.decide(approval_id)
    shown = browser.get(f"/requests/{approval_id}")
    for text in (decided.html, str(decided.headers), shown.html, browser.get("/").html):
        assert SECRET not in text
