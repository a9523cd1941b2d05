"""The page of a deployed platform in headless Chromium. Told by the environment: PAGE_URL, and SCREENSHOT_DIR."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright


@pytest.fixture
def page(request: pytest.FixtureRequest) -> Iterator[Page]:
    pictures = Path(os.environ["SCREENSHOT_DIR"])
    pictures.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(os.environ["PAGE_URL"])
        yield page
        page.screenshot(path=pictures / f"{request.node.name}.png", full_page=True)
        assert complaints == []


def test_transactions_that_flow_move_the_page(page: Page) -> None:
    facts = page.locator("#verdict-facts")
    # A decimal below 100, a comma above 999.
    expect(facts).to_have_text(re.compile(r"^[1-9][\d,.]* rows/s"), timeout=30_000)
    for component in ("kafka", "lambda-producer", "lambda-consumer", "lambda-postgres"):
        expect(page.locator(f'.box[data-component="{component}"] .state')).to_have_text("up")
    slider = page.get_by_role("article", name="Rows in and out").get_by_role("slider")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("now"))
    said = slider.get_attribute("aria-valuetext") or ""
    expect(slider).not_to_have_attribute("aria-valuetext", said, timeout=60_000)


def test_kafka_that_was_stopped_just_now_shows_within_30_seconds(page: Page) -> None:
    expect(page.locator("#verdict-line")).to_have_text(re.compile("^Kafka is down"), timeout=30_000)
    expect(page.locator("#verdict")).to_have_attribute("data-state", "bad")
