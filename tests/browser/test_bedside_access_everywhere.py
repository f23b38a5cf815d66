"""Every part of a running session, every dialog, the locked screen and the pages beside it: axe, targets, width."""

from __future__ import annotations

import pytest
from access import PAGE_TARGETS, SMALL, violations

TABS = ("now", "exposure", "drug", "checks", "chart", "close", "badge", "strip")
# Buttons that open a dialog, by the part they stand on.
DIALOGS = {
    "now": ("suds-missed",),
    "exposure": ("end-block", "expect-before", "expect-after", "join"),
    "drug": ("rate", "drug-end"),
    "checks": (
        "vitals",
        "sedation",
        "adverse",
        "medication",
        "scale-cadss6",
        "scale-ocd_vas",
        "scale-cssrs_screener",
    ),
    "close": ("book-call", "debrief", "fidelity", "guess", "deviation", "discharge", "tick-suicidality"),
    "badge": ("late", "pin"),
}
ALSO = {"badge": "record", "strip": "advice"}  # parts that are reached from the head
PAGES = ("dose", "paper", "paper/entry", "leaflet", "form", "sign")
RUNNING = """async () => {
  const put = (event) => kerp.record(event);
  await put({ type: 'weight', weight_kg: 72, measured: true });
  await put({ type: 'dose_computed', weight_kg: 72, dose_mg: 36, concentration_mg_per_ml: 1, volume_ml: 36,
    rate_ml_per_h: 54, duration_min: 40 });
  await put({ type: 'vitals', systolic_mmhg: 186, diastolic_mmhg: 112, heart_rate_per_min: 90, spo2_pct: 97 });
  await put({ type: 'administration_start', route: 'iv_infusion', rate_ml_per_h: 54 });
  const first = { block: 'b1', item: 'bin-lid', modality: 'object' };
  await put({ type: 'exposure_start', ...first, intensity: 1, demand: 'full' });
  await put({ type: 'suds', value: 60, block: 'b1' });
  await put({ type: 'felt_effect', value: 3 });
  await put({ type: 'vitals', systolic_mmhg: 186, diastolic_mmhg: 112, heart_rate_per_min: 90, spo2_pct: 97 });
  await put({ type: 'paradoxical_anxiety_step', step: 1 });
  await put({ type: 'call_booked', visit: 'day1_call', at: '2026-12-01T09:30', by: 'nurse' });
}"""
WIDE = "document.documentElement.scrollWidth > innerWidth"


def check(person, where, *, bedside=True):
    """No violation, nothing wider than the screen, no target too small."""
    page = person.page
    wrong = violations(page)
    if page.evaluate(WIDE):
        wrong.append("wider than the screen")
    wrong += page.evaluate(SMALL if bedside else PAGE_TARGETS)
    return [(where, one) for one in wrong]


@pytest.mark.parametrize("size", [(390, 844), pytest.param((768, 1024), marks=pytest.mark.slow)])
def test_a_running_session_is_accessible_on_every_part_and_in_every_dialog(served, person, size):
    one = person(served, "prescriber", size)
    log = served.log(f"everywhere-{size[0]}")
    one.open(log)
    one.tab("prepare")
    one.page.wait_for_selector(".b-gate")
    wrong = check(one, "prepare")
    for key in ("gate-weight-Weigh", "gate-time_out-Time-out", "gate-hcg-Other…", "compute"):
        wrong += of_dialog(one, key)
    one.page.evaluate(RUNNING)
    one.saved()
    one.page.wait_for_selector("text=since minute 0")
    one.page.wait_for_selector('[data-key="strip"]')
    one.page.evaluate("kerp.toast = null; document.getElementById('toast').replaceChildren()")
    for tab in TABS:
        go(one, tab)
        one.shot(f"running-{tab}")
        wrong += check(one, tab)
        for key in DIALOGS.get(tab, ()):
            wrong += of_dialog(one, key)
    go(one, "strip")
    one.page.locator('[data-key^="over-"]').first.click()
    one.page.wait_for_selector("dialog[open]")
    wrong += check(one, "decide otherwise")
    one.page.keyboard.press("Escape")
    one.page.evaluate("document.documentElement.dataset.theme = 'light'")
    for tab in ("now", "exposure", "close"):
        go(one, tab)
        wrong += check(one, f"{tab}, light")
    one.page.evaluate("document.documentElement.dataset.theme = 'dark'")
    one.tap("lock")
    one.page.wait_for_selector("#lock:not([hidden]) input")
    one.shot("locked")
    wrong += check(one, "lock")
    for name in PAGES:
        one.page.goto(f"/bedside/{log}/dosing-1/{name}/")
        if one.page.query_selector("input[name=password]"):
            one.page.fill("input[name=password]", served.password)
            one.page.press("input[name=password]", "Enter")
            one.page.wait_for_selector("input[name=meaning]")
        one.page.wait_for_selector("main h1")
        one.shot(f"page-{name.replace('/', '-')}")
        wrong += check(one, name, bedside=False)
    assert not wrong, "\n".join(map(str, wrong))
    assert one.faults == []
    assert one.foreign == []


def go(one, tab):
    one.tap(tab if tab in {"badge", "strip"} else f"tab-{tab}")
    if tab == "now" and one.page.is_visible('[data-key="pick-suds"]'):
        one.tap("pick-suds")  # a narrow screen shows one rating at a time
    if tab == "chart":
        one.page.wait_for_selector(".b-charts >> text=model output")
    else:
        one.page.wait_for_selector(f"#panel[data-tab='{ALSO.get(tab, tab)}']")


def of_dialog(one, key):
    one.dialog(key)
    one.shot(f"dialog-{key}")
    wrong = check(one, key)
    one.page.keyboard.press("Escape")
    one.page.wait_for_selector("dialog[open]", state="detached")
    return wrong
