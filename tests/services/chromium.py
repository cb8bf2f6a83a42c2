"""The system's Chromium, driven by playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.services.missing import missing

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser that lives as long as the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_program(), args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def chromium_of_a_person() -> Iterator[BrowserContext]:
    """A headless browser with a profile on disk, in which it keeps what it has compiled.

    A large page that is opened again and again takes it two thirds of the time.
    """
    with TemporaryDirectory(prefix="chromium-") as profile, sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=_program(), args=FLAGS
        )
        yield context
        context.close()


def _program() -> str:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        missing("Chromium is not installed (Debian's package chromium)")
    return path
