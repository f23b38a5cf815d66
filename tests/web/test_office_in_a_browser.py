"""Every office page in Chromium at three sizes: axe with the `wcag22aa` tag, no foreign request, no policy breach."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from system_browser import ARGUMENTS, CHROMIUM

SIZES = {"desktop": (1280, 800), "tablet": (768, 1024), "phone": (390, 844)}
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
WIDE = """[...document.querySelectorAll("main *")]
    .filter(e => e.getBoundingClientRect().right > innerWidth + 1).slice(0, 4).map(e => e.outerHTML.slice(0, 120))"""
SHOTS = Path(__file__).parents[2] / "out" / "screenshots"
# Where each role goes: texts to click, one after the other, from the page it lands on.
WAYS = {
    "coordinator": (
        (),
        ("Today",),
        ("Participants",),
        ("Participants", "DEMO-01"),
        ("Participants", "DEMO-02", "Screening"),
        ("Participants", "DEMO-02", "Consent"),
        ("Participants", "DEMO-02", "Plan"),
        ("Participants", "DEMO-02", "Adverse event"),
        ("Participants", "Register"),
        ("Unblinding",),
        ("Study",),
        ("Study", "Version 1"),
        ("Study", "Amend"),
        ("Audit",),
    ),
    "administrator": (("People",), ("People", "Nora Nurse"), ("People", "Second factors")),
    "data-manager": ((), ("Lock demo",), ("Participants", "DEMO-01", "Export")),
    "rater": ((), ("Yale-Brown Obsessive Compulsive Scale, ten severity items",)),
    "pharmacist": ((),),
    "statistician": ((), ("Blinding",)),
    "monitor": (("Participants", "DEMO-01", "Entries"),),
    "nurse": (("Today", "Open Screening of DEMO-02", "Fill in Columbia-Suicide Severity Rating Scale, screener"),),
}


@pytest.fixture
def chromium(playing):
    browser = playing.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield browser
    browser.close()


def sign_in(context, url, name):
    page = context.new_page()
    page.goto(f"{url}/account/login/")
    page.fill("[name=login]", name)
    page.fill("[name=password]", "demonstration")
    page.click("button.primary")
    page.wait_for_load_state()
    return page


def walk(page, way):
    for text in way:
        exact = re.compile(rf"^\s*{re.escape(text)}\s*$")
        named = page.locator("a, button").filter(has_text=exact)
        if not named.count() or not named.first.is_visible():
            named = page.get_by_role("link", name=text).or_(page.get_by_role("button", name=text))
        if text == "People" and page.locator("[name=password]").count():
            page.fill("[name=password]", "demonstration")
        named.first.click()
        page.wait_for_load_state()
        if page.locator("h1", has_text="Is it still you?").count():
            page.fill("[name=password]", "demonstration")
            page.click("button.primary")
            page.wait_for_load_state()


def violations(page):
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": TAGS}})
    return [(v["id"], [node["html"][:160] for node in v["nodes"]][:3]) for v in found.response["violations"]]


@pytest.mark.parametrize(
    "size", ["phone", pytest.param("tablet", marks=pytest.mark.slow), pytest.param("desktop", marks=pytest.mark.slow)]
)
def test_office_pages_are_accessible_and_ask_nothing_of_anybody_else(serving, chromium, tmp_path, size):
    server = serving(tmp_path / "data", "--demo")
    strange, complaints, wrong = [], [], {}
    width, height = SIZES[size]
    SHOTS.mkdir(parents=True, exist_ok=True)
    themes = ("light", "dark") if size == "tablet" else ("light",)
    for role, ways in WAYS.items():
        context = chromium.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
        context.on(
            "request", lambda r: strange.append(r.url) if not r.url.startswith((server.url, "data:")) else None
        )
        context.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        context.on("response", lambda r: complaints.append(f"{r.status} {r.url}") if r.status >= 400 else None)
        page = sign_in(context, server.url, role)
        start = page.url
        for number, way in enumerate(ways):
            page.goto(start)
            walk(page, way)
            for theme in themes:
                page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
                if size != "desktop" and (found := violations(page)):
                    wrong[role, way, theme] = found
                if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
                    wrong[role, way, "wider than the screen"] = page.evaluate(WIDE)
                if os.environ.get("KERP_SCREENSHOTS"):
                    page.screenshot(path=SHOTS / f"office-{size}-{role}-{number}-{theme}.png", full_page=True)
        context.close()
    assert not wrong, "\n".join(map(str, wrong.items()))
    assert strange == []
    assert not complaints, "\n".join(complaints)
