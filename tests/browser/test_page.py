"""The page in headless Chromium, served by Debian's Prometheus that scrapes a made-up platform.

Needs nothing deployed. SCREENSHOT_DIR says where pictures are left; artifacts/page where it is not set.
"""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, ViewportSize, expect, sync_playwright

from tests.support.processes import REPOSITORY, free_port
from tests.support.prometheus_server import PrometheusServer
from tests.support.synthetic_metrics import SyntheticPlatform, history

PICTURES = Path(os.environ.get("SCREENSHOT_DIR", REPOSITORY / "artifacts")) / "page"
# As the documents say that Prometheus scrapes.
SCRAPE_SECONDS = 10
HOSTILE = "<img src=x onerror=alert(1)>"
RULES = f"""
groups:
  - name: page
    rules:
      - alert: KafkaDown
        expr: lambda_unit_up{{component="kafka"}} == 0
        labels: {{severity: critical}}
        annotations:
          summary: Kafka does not run
          description: "No message is taken or read. {HOSTILE}"
          runbook_url: runbook.html#kafkadown
      - alert: Waiting
        expr: sum(lambda_consumer_waiting_workers) > 0
        labels: {{severity: warning}}
        annotations:
          summary: "Workers wait {HOSTILE}"
          runbook_url: "javascript:alert(1)"
      - alert: DeadMan
        expr: vector(1)
        labels: {{severity: none}}
"""
RUNBOOK = f"""
# Runbook

Text with `code`, **bold** and [a link](#kafkadown).

{"Filler." * 3_000}

## KafkaDown

Meaning: {HOSTILE}

```sh
systemctl status kafka
```

1. Look.
2. Start it:
   `systemctl start kafka`

| metric | says |
|---|---|
| `up` | one |
"""
VIEWPORTS: dict[str, ViewportSize] = {
    "wide": {"width": 1280, "height": 900},
    "narrow": {"width": 390, "height": 844},
}
CHARTS = [
    "Rows in and out",
    "Latency, from event to row",
    "Lag of the slowest partition",
    "Dead letters by reason",
    "CPU against its quota",
    "Memory against its limit",
    "Disk in use",
]
# When something does not come, the test has failed well before.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def platform() -> SyntheticPlatform:
    return SyntheticPlatform()


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory, platform: SyntheticPlatform) -> Iterator[PrometheusServer]:
    """With a day of history, its last hour in full."""
    port = free_port()
    server = PrometheusServer(tmp_path_factory.mktemp("prometheus"), {"lambda": port}, RULES, SCRAPE_SECONDS)
    now = time.time()
    times = [*(now - 86_400 + step * 300 for step in range(272)), *(now - 4_800 + step * 15 for step in range(319))]
    server.load(history(platform, times, f'job="lambda",instance="127.0.0.1:{port}"'))
    platform.serve(port)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()


class Complaints(list[str]):
    """What the browser's console says above a note."""

    def hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.append(message.text)


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def page(browser: Browser, complaints: Complaints) -> Iterator[Page]:
    page = open_page(browser, complaints, VIEWPORTS["wide"])
    yield page
    page.close()


def open_page(browser: Browser, complaints: Complaints, viewport: ViewportSize, scheme: str = "light") -> Page:
    page = browser.new_page(viewport=viewport, color_scheme="dark" if scheme == "dark" else "light")
    page.on("console", complaints.hear)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(f"a dialog opened: {dialog.message}"))
    return page


def show(page: Page, server: PrometheusServer) -> None:
    """Opens the page and waits until it has its first answers."""
    page.goto(f"{server.url}/user/")
    expect(page.locator("#verdict-line")).not_to_have_text("Asking Prometheus …")


def chart(page: Page, name: str) -> Locator:
    return page.get_by_role("article", name=name)


def box(page: Page, component: str) -> Locator:
    return page.locator(f'.box[data-component="{component}"]')


def scrolls_sideways(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def keep_picture(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


def test_page_says_that_all_is_well(page: Page, prometheus: PrometheusServer, complaints: Complaints) -> None:
    show(page, prometheus)

    expect(page.locator("#verdict-line")).to_have_text("All is well")
    expect(page.locator("#verdict-facts")).to_contain_text("rows/s")
    expect(page.locator("#alert-list")).to_have_text("None.")
    for component in ("kafka", "lambda-producer", "lambda-consumer", "lambda-postgres", "lambda-pgadmin"):
        expect(box(page, component).locator(".state")).to_have_text("up")
        expect(box(page, component).locator(".figure").first).to_have_text(re.compile(r"^[\d.]+ % of "))
    expect(box(page, "lambda-csv-batch").locator(".state")).to_have_text("at rest")
    assert page.title().startswith("All is well")
    assert page.locator("text=/NaN|undefined|null/").count() == 0
    assert complaints == []


def test_page_shows_each_chart_of_the_list_with_lines(page: Page, prometheus: PrometheusServer) -> None:
    show(page, prometheus)

    for name in CHARTS:
        expect(chart(page, name).locator("canvas")).to_be_visible()
        expect(chart(page, name).locator(".legend li").first).to_be_visible()
        expect(chart(page, name).locator(".legend b").first).to_have_text(re.compile(r"\d"))
    assert page.locator(".chart").count() == len(CHARTS)


def test_charts_show_the_last_day_when_asked(page: Page, prometheus: PrometheusServer) -> None:
    show(page, prometheus)
    slider = chart(page, "Rows in and out").get_by_role("slider")
    expect(slider).to_have_attribute("aria-valuemax", "240")

    page.get_by_text("day", exact=True).click()

    expect(slider).to_have_attribute("aria-valuemax", "288")
    expect(page.get_by_role("radio", name="day")).to_be_checked()


def test_nights_without_a_completed_job_stand_out(page: Page, prometheus: PrometheusServer) -> None:
    show(page, prometheus)

    rows = page.locator(".nights tbody tr")
    expect(rows).to_have_count(7)
    expect(rows.first).to_contain_text("last night")
    assert [rows.nth(index).get_attribute("data-state") for index in range(7)] == [
        *("good", "good", "bad", "good", "good", "bad", "good")
    ]


def test_each_chart_has_its_table(page: Page, prometheus: PrometheusServer) -> None:
    show(page, prometheus)
    for name in CHARTS:
        card = chart(page, name)
        expect(card.locator(".legend li").first).to_be_visible()

        card.locator("summary").click()

        table = card.get_by_role("table")
        expect(table.get_by_role("row")).to_have_count(14)
        assert [cell.strip() for cell in table.locator("thead th").all_inner_texts()] == [
            "Time",
            *card.locator(".legend .name").all_inner_texts(),
        ]
        # A day in the past has gaps; the newest values are there.
        expect(table.locator("tbody tr").nth(1).locator("td").first).to_have_text(re.compile(r"\d"))


def test_the_picture_has_its_table(page: Page, prometheus: PrometheusServer) -> None:
    show(page, prometheus)

    page.get_by_text("The picture as a table").click()

    components = page.get_by_role("table", name="Components")
    expect(components.get_by_role("row", name=re.compile("^kafka up .*4"))).to_be_visible()
    expect(
        page.get_by_role("table", name="What moves").get_by_role("row", name=re.compile(r"^Rows stored .*\d"))
    ).to_be_visible()


def test_keyboard_goes_through_the_page_from_top_to_bottom(page: Page, prometheus: PrometheusServer) -> None:
    show(page, prometheus)
    expect(page.locator(".nights .table")).to_be_visible()
    expect(page.locator(".chart .legend li").last).to_be_visible()
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                """() => {
                    const at = document.activeElement;
                    return at === document.body ? null : at.getAttribute('aria-label') ?? at.value ?? at.textContent;
                }"""
            )
        )
        if reached[-1] is None:
            break

    expected = ["The picture as a table", "hour"]
    for name in CHARTS:
        expected += [f"{name}, moment", f"Table of {name}"]
    assert reached == [*expected, "Jobs of the last nights", None]


def test_arrow_keys_read_a_chart_moment_by_moment(page: Page, prometheus: PrometheusServer) -> None:
    show(page, prometheus)
    slider = chart(page, "Rows in and out").get_by_role("slider")
    expect(slider).to_have_attribute(
        "aria-valuetext", re.compile(r"^now: in: into Kafka [\d,]+/s, out: stored [\d,]+/s$")
    )

    slider.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")

    expect(slider).to_have_attribute("aria-valuenow", "1")
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"^\d\d:\d\d: "))


def test_arrow_keys_change_the_span(page: Page, prometheus: PrometheusServer) -> None:
    show(page, prometheus)

    page.get_by_role("radio", name="hour").focus()
    page.keyboard.press("ArrowRight")

    expect(page.get_by_role("radio", name="day")).to_be_checked()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", VIEWPORTS)
def test_page_fits_its_width_when_all_is_well(
    browser: Browser, prometheus: PrometheusServer, complaints: Complaints, size: str, scheme: str
) -> None:
    page = open_page(browser, complaints, VIEWPORTS[size], scheme)
    show(page, prometheus)
    expect(page.locator(".chart .legend li").last).to_be_visible()
    keep_picture(page, f"well-{size}-{scheme}")

    for summary in page.locator("summary").all():
        summary.click()

    expect(page.locator("table")).to_have_count(len(CHARTS) + 3)
    assert not scrolls_sideways(page)
    assert complaints == []
    page.close()


def figure(page: Page) -> float:
    """Rows stored a second, as the verdict says it."""
    found = re.match(r"([\d,]+) rows/s", page.locator("#verdict-facts").inner_text())
    assert found
    return float(found[1].replace(",", ""))


@pytest.mark.timeout(180)
def test_figures_and_charts_move_while_transactions_flow(
    page: Page, prometheus: PrometheusServer, platform: SyntheticPlatform, complaints: Complaints
) -> None:
    show(page, prometheus)
    expect(page.locator("#verdict-facts")).to_contain_text("rows/s")
    slider = chart(page, "Rows in and out").get_by_role("slider")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("now"))
    before, said = figure(page), slider.get_attribute("aria-valuetext") or ""
    expect(page.locator(".arrow.moving")).to_have_count(3)

    platform.add_load(5_000)

    deadline = time.monotonic() + 60
    while figure(page) < before + 1_000:
        assert time.monotonic() < deadline, f"still {figure(page)} rows/s"
        page.wait_for_timeout(500)
    expect(slider).not_to_have_attribute("aria-valuetext", said)
    assert complaints == []


@pytest.mark.timeout(180)
def test_kafka_stopped_shows_within_30_seconds_and_goes_when_it_is_back(
    browser: Browser, prometheus: PrometheusServer, platform: SyntheticPlatform, complaints: Complaints
) -> None:
    page = open_page(browser, complaints, VIEWPORTS["wide"])
    show(page, prometheus)
    expect(page.locator("#verdict-line")).to_have_text("All is well")

    platform.stop_kafka()
    stopped = time.monotonic()
    try:
        expect(page.locator("#verdict-line")).to_have_text(re.compile("^Kafka is down"))
        took = time.monotonic() - stopped
        print(f"shown {took:.1f} s after Kafka stopped")
        assert took < 30
        expect(page.locator("#verdict")).to_have_attribute("data-state", "bad")
        expect(box(page, "kafka").locator(".state")).to_have_text("down")
        expect(page.locator(".arrow.broken")).to_have_count(2)
        expect(page.locator(".arrow.broken.moving")).to_have_count(0)
        look_at_alerts(page)
        for size, viewport in VIEWPORTS.items():
            for scheme in ("light", "dark"):
                other = open_page(browser, complaints, viewport, scheme)
                show(other, prometheus)
                expect(other.locator(".alert-list li")).to_have_count(2)
                expect(other.locator(".chart .legend li").last).to_be_visible()
                keep_picture(other, f"alarm-{size}-{scheme}")
                assert not scrolls_sideways(other)
                other.close()
    finally:
        platform.start_kafka()
    expect(page.locator("#verdict-line")).to_have_text("All is well", timeout=60_000)
    expect(page.locator("#alert-list")).to_have_text("None.", timeout=60_000)
    assert complaints == []
    page.close()


def look_at_alerts(page: Page) -> None:
    """The graver first; each with its runbook; what they say stays text; the one that always fires is not there."""
    alerts = page.locator(".alert-list li")
    expect(alerts).to_have_count(2)
    expect(alerts.first).to_contain_text("Kafka does not run")
    expect(alerts.first).to_contain_text(HOSTILE)
    expect(alerts.nth(1)).to_contain_text(f"Workers wait {HOSTILE}")
    links = page.get_by_role("link", name=re.compile("^Runbook"))
    expect(links).to_have_count(1)
    assert str(links.get_attribute("href")).endswith("/user/runbook.html#kafkadown")
    expect(alerts.nth(1).locator(".runbook")).to_have_text("javascript:alert(1)")
    assert page.locator("main img, main script").count() == 0


def test_labels_stay_text(tmp_path: Path, page: Page, complaints: Complaints) -> None:
    port = free_port()
    SyntheticPlatform(mountpoint=f"/{HOSTILE}", reason=HOSTILE).serve(port)
    server = PrometheusServer(tmp_path, {"lambda": port, HOSTILE: free_port()})
    server.start()

    try:
        show(page, server)

        expect(page.locator("#verdict-line")).to_contain_text(f"{HOSTILE} at 127.0.0.1")
        expect(chart(page, "Disk in use").locator(".name").first).to_contain_text(f"/{HOSTILE} at 127.0.0.1")
        expect(chart(page, "Dead letters by reason").locator(".name").first).to_have_text(HOSTILE)
        chart(page, "Dead letters by reason").locator("summary").click()
        expect(chart(page, "Dead letters by reason").locator("thead th").nth(1)).to_have_text(HOSTILE)
        assert page.locator("img").count() == 0
        assert complaints == []
    finally:
        server.stop()


def test_browser_refuses_to_make_html_of_text(page: Page, prometheus: PrometheusServer) -> None:
    """Should a later change of the page try it."""
    show(page, prometheus)

    refusal = page.evaluate(
        "() => { try { document.body.innerHTML = '<b>x</b>'; } catch (error) { return error.name; } }"
    )

    assert refusal == "TypeError"


def test_numbers_are_written_as_people_read_them(page: Page, prometheus: PrometheusServer) -> None:
    show(page, prometheus)
    table = [
        (None, "seconds", "\u2013"),
        (0, "seconds", "0 s"),
        (0.0031, "seconds", "3 ms"),
        (0.254, "seconds", "0.25 s"),
        (59.6, "seconds", "60 s"),
        (300, "seconds", "5 min"),
        (26_400, "seconds", "7 h 20 min"),
        (79_200, "seconds", "22 h"),
        (273_600, "seconds", "3 d 4 h"),
        (0.004, "share", "0.4 %"),
        (0.426, "share", "43 %"),
        (1_003.4, "per_second", "1,003/s"),
        (0.25, "per_minute", "0.25/min"),
        (2_600_000, "count", "2.6 M"),
        (512 * 2**20, "bytes", "512 MiB"),
        (1.5 * 2**30, "bytes", "1.5 GiB"),
        (1, "truth", "yes"),
    ]

    written = page.evaluate(
        """async (table) => {
            const { format } = await import('./format.js');
            return table.map(([value, unit]) => format(value, unit));
        }""",
        [[value, unit] for value, unit, _ in table],
    )

    assert written == [text for _, _, text in table]


def test_everything_comes_from_the_same_server(page: Page, prometheus: PrometheusServer) -> None:
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(request.url))

    show(page, prometheus)
    expect(page.locator(".chart canvas").first).to_be_visible()

    assert asked
    assert {url for url in asked if not url.startswith(f"{prometheus.url}/")} == set()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", VIEWPORTS)
def test_page_without_data_says_so(
    tmp_path: Path, browser: Browser, complaints: Complaints, size: str, scheme: str
) -> None:
    server = PrometheusServer(tmp_path, {})
    server.start()
    page = open_page(browser, complaints, VIEWPORTS[size], scheme)

    try:
        show(page, server)

        expect(page.locator("#verdict-line")).to_have_text("No component reports yet")
        expect(page.locator("#verdict")).to_have_attribute("data-state", "unknown")
        expect(box(page, "kafka").locator(".state")).to_have_text("no data")
        expect(page.locator(".chart.without-data")).to_have_count(len(CHARTS))
        assert page.locator("text=/NaN|undefined|null/").count() == 0
        keep_picture(page, f"empty-{size}-{scheme}")
        assert not scrolls_sideways(page)
        assert complaints == []
    finally:
        page.close()
        server.stop()


def test_page_says_when_prometheus_does_not_answer(tmp_path: Path, page: Page, complaints: Complaints) -> None:
    port = free_port()
    SyntheticPlatform().serve(port)
    server = PrometheusServer(tmp_path, {"lambda": port})
    server.start()
    show(page, server)
    expect(page.locator("#verdict-line")).to_have_text("All is well")

    server.stop()

    expect(page.locator("#verdict-line")).to_have_text("Prometheus does not answer")
    expect(page.locator("#verdict")).to_have_attribute("data-state", "unknown")
    # The browser itself says that a connection was refused; the page adds nothing wrong of its own.
    assert [text for text in complaints if "TypeError" in text and "fetch" not in text] == []


def test_runbook_opens_at_the_alert_that_links_to_it(
    page: Page, prometheus: PrometheusServer, complaints: Complaints
) -> None:
    prometheus.directory.joinpath("page/runbook.md").write_text(RUNBOOK)

    page.goto(f"{prometheus.url}/user/runbook.html#kafkadown")

    heading = page.get_by_role("heading", name="KafkaDown")
    expect(heading).to_be_in_viewport()
    expect(page.locator("pre code")).to_have_text("systemctl status kafka")
    expect(page.locator("ol > li")).to_have_count(2)
    expect(page.locator("td").first).to_have_text("up")
    expect(page.locator("main")).to_contain_text(f"Meaning: {HOSTILE}")
    assert page.locator("main img").count() == 0
    assert complaints == []
