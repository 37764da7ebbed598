"""The approvals page in headless Chromium with scripts turned off, by mouse and keyboard, on a desktop and a phone.

`uv run --group browser pytest tests/approvals_page/test_browser.py`, with Debian's chromium and chromium-driver.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambda_warden.store.approvals import ApprovalAsk
from support.approval_page import SECRET, Page, approval_page, asked

webdriver = pytest.importorskip("selenium.webdriver")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.wait import WebDriverWait  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver")

# No sandbox: root has none. The others keep it from asking for hosts on the internet.
ARGUMENTS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
SIZES = {"desktop": (1280, 800), "phone": (375, 812)}


def long_one() -> ApprovalAsk:
    """A request with texts as long as they can be, most of them without a place to break them at."""
    return asked(
        function="arn:aws:lambda:us-east-1:123456789012:function:" + "a-name-as-long-as-can-be" * 3 + ":live",
        principal="p" * 200,
        client="c" * 200,
        reason="r" * 400,
        question="Run it?\nARN: " + "a" * 300 + '\nPayload:\n│ {"memo":"' + "x" * 2000 + " " * 300 + '","to":["א",1]}',
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with approval_page(tmp_path_factory.mktemp("page")) as running:
        yield running


@pytest.fixture(params=SIZES)
def chromium(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    size = request.param
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in [*ARGUMENTS.split(), f"--user-data-dir={tmp_path}"]:
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        width, height = SIZES[size]
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        driver.get("data:text/html,<title>off</title><script>document.title='on'</script>")
        assert driver.title == "off"  # scripts are; what the tests ask the page for goes another way
        yield driver
    finally:
        driver.quit()


def test_a_person_opens_the_link_approves_one_and_denies_one(page: Page, chromium: Any) -> None:
    page.clear()
    first, second = page.ask(), page.ask()
    wait = WebDriverWait(chromium, 30)
    chromium.get(page.link)
    _fits(chromium)
    chromium.find_element(By.CSS_SELECTOR, "button.approve").click()
    wait.until(lambda _: "2 waiting" in chromium.title)
    _fits(chromium)

    # By mouse: a wrong secret, and then the right one.
    chromium.find_element(By.CSS_SELECTOR, f"a[href$='{first}']").click()
    wait.until(lambda _: "orders-refund:live" in chromium.title)
    for secret in ("wrong", SECRET):
        _fits(chromium)
        assert page.state(first) == "pending"
        chromium.find_element(By.NAME, "secret").send_keys(secret)
        chromium.find_element(By.CSS_SELECTOR, "button.approve").click()
        wait.until(lambda _: chromium.find_elements(By.CSS_SELECTOR, ".notice, .state.approved"))
        if secret == "wrong":
            assert "Nothing was decided" in chromium.find_element(By.CSS_SELECTOR, ".notice").text
    wait.until(lambda _: page.state(first) == "approved")

    # By keyboard: Enter in a field decides nothing; Tab leads from the note to the secret, Approve and Deny.
    chromium.get(f"http://{page.host}/base/requests/{second}")
    chromium.find_element(By.NAME, "note").send_keys("not this one", Keys.TAB, SECRET, Keys.ENTER)
    assert page.state(second) == "pending"
    chromium.switch_to.active_element.send_keys(Keys.TAB)
    assert chromium.switch_to.active_element.text == "Approve"
    chromium.switch_to.active_element.send_keys(Keys.TAB)
    chromium.switch_to.active_element.send_keys(Keys.ENTER)
    wait.until(lambda _: chromium.find_elements(By.CSS_SELECTOR, ".state.denied"))
    ruling = page.found(second).ruling
    assert ruling is not None
    assert (ruling.verdict, ruling.note) == ("denied", "not this one")
    _fits(chromium)


def test_long_texts_are_broken_and_not_cut(page: Page, chromium: Any) -> None:
    page.clear()
    approval_id = page.ask(long_one())
    chromium.get(page.link)
    chromium.find_element(By.CSS_SELECTOR, "button.approve").click()
    WebDriverWait(chromium, 30).until(lambda _: "1 waiting" in chromium.title)
    _fits(chromium)
    chromium.get(f"http://{page.host}/base/requests/{approval_id}")
    _fits(chromium)
    chromium.find_element(By.TAG_NAME, "summary").click()
    _fits(chromium)


def _fits(chromium: Any) -> None:
    """Nothing is wider than the window."""
    wide, window = chromium.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert wide <= window
