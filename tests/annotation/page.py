"""Argilla's own web page, driven as an annotator would: by mouse and by keyboard."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--window-size=1500,1100 --lang=en-US"
)
PATIENCE = 30.0
FOCUSED = "return document.activeElement.closest('.draggable') !== null"  # keys go to the ranking
Found = WebElement | list[WebElement] | bool | None


class Page:
    """One annotator's browser."""

    def __init__(self, browser: webdriver.Chrome, url: str) -> None:
        self.browser = browser
        self.url = url

    @classmethod
    @contextmanager
    def open(cls, url: str) -> Iterator[Self]:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for flag in FLAGS.split():
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = Service(shutil.which("chromedriver"))
        browser = webdriver.Chrome(options=options, service=service)
        try:
            yield cls(browser, url)
        finally:
            browser.quit()

    def sign_in(self, username: str, password: str) -> None:
        self.browser.get(self.url + "/sign-in")
        name, secret = self.until(lambda: self.all("input[type=text], input[type=password]"))
        name.send_keys(username)
        secret.send_keys(password, Keys.RETURN)
        self.until(lambda: "/sign-in" not in self.browser.current_url)

    def annotate(self, dataset_id: str) -> None:
        self.browser.get(f"{self.url}/dataset/{dataset_id}/annotation-mode")
        self.until(lambda: self.all(".questions-form"))

    def rank_by_keys(self, keys: str) -> None:
        """Press a digit an answer: the place of the first answer, of the second, …"""
        self.until(lambda: self.browser.execute_script(FOCUSED))
        for key in keys:
            ActionChains(self.browser).send_keys(key).pause(0.4).perform()

    def rank_by_mouse(self, places: dict[str, int]) -> None:
        """Drag every answer, by its option's name, into a place."""
        for name, place in places.items():
            slot = self.all(".draggable__slot-box")[place - 1]
            drag = ActionChains(self.browser, duration=120).move_to_element(self.one(f"#{name}"))
            drag = drag.click_and_hold().pause(0.2).move_by_offset(-20, 5).move_to_element(slot)
            drag.move_by_offset(0, 3).move_by_offset(0, 3).pause(0.2).release().pause(0.4).perform()

    def write(self, question: str, text: str) -> None:
        box = self.one(f"[aria-label='Question: {question}'] [contenteditable=true]")
        box.click()
        ActionChains(self.browser).send_keys(text).pause(0.3).perform()

    def press(self, button: str) -> None:
        """Click submit, draft or discard, and wait for the next record."""
        self._leave(self.one(f".button--{button}").click)

    def press_return(self) -> None:
        """Submit by keyboard, and wait for the next record."""
        self._leave(ActionChains(self.browser).send_keys(Keys.RETURN).perform)

    def _leave(self, act: Callable[[], None]) -> None:
        before = self.record_text()
        act()
        self.until(lambda: self.record_text() not in ("", before) or self.all(".wrapper--empty"))

    def record_text(self) -> str:
        try:
            return "".join(shown.text for shown in self.all(".record"))
        except StaleElementReferenceException:  # the page is changing to the next record
            return ""

    def one(self, selector: str) -> WebElement:
        return self.until(lambda: self.all(selector))[0]

    def all(self, selector: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def until(self, found: Callable[[], Found]) -> Found:
        deadline = time.monotonic() + PATIENCE
        while not (value := found()):
            assert time.monotonic() < deadline, f"not on the page: {self.browser.current_url}"
            time.sleep(0.1)
        return value

    def screenshot(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.browser.save_screenshot(str(path))
