"""A real browser, where there is one: Chromium of the system, or the one that playwright installed.

Without a browser its tests are skipped; `XVLM_EVAL_BROWSER=required`, as CI sets it, fails them.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium without a window."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        _none("playwright is not installed: pip install -e '.[browser]'")
    program = next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as playwright:
        try:
            launched = playwright.chromium.launch(
                executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"]
            )
        except Error as error:
            _none(
                f"no Chromium can be started ({str(error).splitlines()[0]}): install chromium, "
                "or run `playwright install chromium`"
            )
        yield launched
        launched.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a file as a page; the test fails for an error on its console, or for any request."""
    complaints: list[str] = []

    @contextmanager
    def opened(path: Path, fragment: str = "", **options: Any) -> Iterator[Any]:
        context = browser.new_context(**options)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on(
            "request",
            lambda request: (
                complaints.append(f"request: {request.url}")
                if not request.url.startswith(("file:", "data:"))
                else None
            ),
        )
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        page.goto(f"{path.as_uri()}{fragment}")
        yield page
        context.close()

    yield opened
    assert complaints == []


def _none(reason: str) -> None:
    if os.environ.get("XVLM_EVAL_BROWSER") == "required":
        pytest.fail(reason)
    pytest.skip(reason)
