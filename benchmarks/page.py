"""The bedside page in a real browser: how much it fetches, how soon there is something to see, and from whom."""

from __future__ import annotations

import statistics
import tempfile
import urllib.parse
import uuid
from pathlib import Path
from typing import Any

from benchmarks.row import Row
from benchmarks.web import serving
from kerp.simulate.device import Device

CHROMIUM = ("/usr/bin/chromium", "/usr/bin/chromium-browser")
LOADS = 5
READ = """() => {
  const [page] = performance.getEntriesByType("navigation");
  const all = [page, ...performance.getEntriesByType("resource")];
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  return {
    first_paint_ms: paint ? paint.startTime : null,
    bytes: all.reduce((sum, one) => sum + one.transferSize, 0),
    names: all.map((one) => one.name),
  };
}"""


def run() -> list[Row]:
    """First paint of the bedside page with an empty cache; its weight stands in the note."""
    return [row(measured())]


def row(found: dict[str, Any]) -> Row:
    """The row of one measurement. A request to anybody else makes it a failure."""
    if found["elsewhere"]:
        raise SystemExit(f"kerp: the bedside page asks others: {found['elsewhere']}")
    note = f"{found['kib']:.0f} KiB in {found['requests']} requests, none elsewhere; "
    note += f"the session's state shown after {found['there_ms']:.0f} ms; median of {LOADS} first visits"
    return Row(name="bedside page: first paint, empty cache", ours_s=found["first_paint_ms"] / 1000, note=note)


def measured() -> dict[str, Any]:
    """Weight, requests and first paint (ms) of the page of an open session, as a nurse's browser sees it."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory(prefix="kerp-bench-") as folder:
        url, server = serving(Path(folder))
        try:
            page = _opened_session(url)
            with sync_playwright() as driver:
                path = next((one for one in CHROMIUM if Path(one).exists()), None)
                browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
                try:
                    return _summary([_visit(browser, url, page) for _ in range(LOADS)], url)
                finally:
                    browser.close()
        finally:
            server.terminate()
            server.wait(30)


def _opened_session(url: str) -> str:
    """The address of a session that was just opened."""
    nurse, coordinator = (Device(url, role, "demonstration") for role in ("nurse", "coordinator"))
    nurse.sign_in()
    coordinator.sign_in()
    told = coordinator.post("/api/demonstration/participants", {"speed": 1}).data
    asked = {"id": str(uuid.uuid4()), "event": {"type": "session_opened", "plan": "dosing"}, "device": "bench"}
    answer = nurse.post(f"/api/sessions/{told['log']}/dosing-1/requests", asked).data
    if not answer["accepted"]:
        raise SystemExit(f"kerp: the session did not open: {answer['reasons']}")
    return f"{url}/bedside/{told['log']}/dosing-1/"


def _visit(browser: Any, url: str, page_url: str) -> dict[str, Any]:
    """A first visit: nothing cached, no service worker yet."""
    context = browser.new_context(viewport={"width": 768, "height": 1024}, service_workers="block")
    page = context.new_page()
    asked: list[str] = []
    page.goto(f"{url}/account/login/")
    page.fill("[name=login]", "nurse")
    page.fill("[name=password]", "demonstration")
    page.press("[name=password]", "Enter")
    page.wait_for_url(lambda now: "/account/login" not in now)
    context.new_cdp_session(page).send("Network.clearBrowserCache")
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page_url)
    page.wait_for_selector("#panel .b-card", timeout=60_000)
    there_ms = page.evaluate("performance.now()")
    page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length > 0")
    found: dict[str, Any] = page.evaluate(READ)
    context.close()
    return found | {"asked": asked, "there_ms": there_ms}


def _summary(visits: list[dict[str, Any]], url: str) -> dict[str, Any]:
    host = urllib.parse.urlsplit(url).netloc
    asked = {one for visit in visits for one in (*visit["asked"], *visit["names"])}
    return {
        "first_paint_ms": statistics.median(visit["first_paint_ms"] for visit in visits),
        "there_ms": statistics.median(visit["there_ms"] for visit in visits),
        "kib": statistics.median(visit["bytes"] for visit in visits) / 1024,
        "requests": round(statistics.median(len(visit["names"]) for visit in visits)),
        "elsewhere": sorted(
            one for one in asked if one.startswith(("http", "ws")) and urllib.parse.urlsplit(one).netloc != host
        ),
    }
