"""What a person sees in pgAdmin, through headless Chromium, on a deployed platform.

Told by the environment: PGADMIN_URL, PGADMIN_EMAIL, PGADMIN_PASSWORD_FILE, and SCREENSHOT_DIR, where pictures are left.
Not part of the default run: `pytest tests/browser` fails, and does not skip, where nothing is deployed.
"""

import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

# pgAdmin has a quarter of a core.
PATIENCE_SECONDS = 90

QUERY = "SELECT * FROM transactions ORDER BY ingested_at DESC LIMIT 10"


@pytest.fixture
def url() -> str:
    return os.environ["PGADMIN_URL"].rstrip("/")


@pytest.fixture
def page(request: pytest.FixtureRequest) -> Iterator[Page]:
    pictures = Path(os.environ["SCREENSHOT_DIR"])
    pictures.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        expect.set_options(timeout=PATIENCE_SECONDS * 1000)
        yield page
        page.screenshot(path=pictures / f"{request.node.name}.png")
        browser.close()


def log_in(page: Page, url: str) -> None:
    page.goto(url)
    page.fill("input[name=email]", os.environ["PGADMIN_EMAIL"])
    page.fill("input[name=password]", Path(os.environ["PGADMIN_PASSWORD_FILE"]).read_text().strip())
    page.get_by_role("button", name="Login").click()


def entry(page: Page, depth: int, name: str) -> Locator:
    label = page.locator(".file-name", has_text=re.compile(f"^{name}$"))
    return page.locator(f"#id-object-explorer .file-entry[data-depth='{depth}']", has=label)


def is_visible_within(node: Locator, seconds: int) -> bool:
    try:
        node.wait_for(timeout=seconds * 1000)
    except PlaywrightTimeoutError:
        return False
    return True


def unfold(page: Page, depth: int, name: str, child: str) -> None:
    """Opens a node of the tree until its child shows; pgAdmin opens by itself what the last login left open."""
    node, below = entry(page, depth, name), entry(page, depth + 1, child)
    expect(node).to_be_visible()
    for _ in range(PATIENCE_SECONDS // 10):
        if is_visible_within(below, 2):
            return
        # Connects where that is needed, then opens or closes.
        node.locator(".file-name").dblclick()
        if is_visible_within(below, 8):
            return
    expect(below).to_be_visible()


@pytest.mark.timeout(600)
def test_pgadmin_shows_rows_of_transactions_without_asking_for_a_password(page: Page, url: str) -> None:
    log_in(page, url)
    path = ["Servers", "Lambda data platform", "Databases", "lambda", "Schemas", "lambda", "Tables", "transactions"]
    for depth, (name, child) in enumerate(pairwise(path), start=1):
        unfold(page, depth, name, child)

    entry(page, len(path), "transactions").locator(".file-name").click()
    # pgAdmin brings back the query tools that the last login left open.
    left_open = page.locator("iframe").count()
    page.locator("button[aria-label='Query Tool']:not(:disabled)").click()
    query_tool = page.frame_locator("iframe").nth(left_open)
    query_tool.locator("#id-query .cm-content").fill(QUERY)
    query_tool.locator("button[data-label='Execute script']").click()

    rows = query_tool.locator("#id-dataoutput .rdg-row")
    expect(rows).to_have_count(10)
    expect(rows.first).to_contain_text("TXN-")
    expect(page.locator("input[type=password]:visible")).to_have_count(0)


def test_pgadmin_refuses_a_host_name_that_is_not_its_own(url: str) -> None:
    request = urllib.request.Request(f"{url}/login", headers={"Host": "elsewhere.example"})

    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(request, timeout=PATIENCE_SECONDS)

    refusal.value.close()
    assert refusal.value.code == 403
