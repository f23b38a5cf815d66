"""Pages that only a blinded study has, in Chromium: accessible, within the screen, quiet; screenshots on request."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from system_browser import ARGUMENTS, CHROMIUM

SIZES = {"desktop": (1280, 800), "tablet": (768, 1024), "phone": (390, 844)}
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SHOTS = Path(__file__).parents[2] / "out" / "screens"
SEED = """
import sys, uuid
from datetime import timedelta
from pathlib import Path
from kerp.web.datadir import prepare
prepare(Path(sys.argv[1]))
from kerp.web.start import start
start(migrate=True)
from django.utils import timezone
from kerp.allocation.blocks import ArmShare, Plan, generate
from kerp.allocation.chance import Seed
from kerp.allocation.release import Register, Release
from kerp.base.elapsed import MS_PER_DAY
from kerp.protocol.load import load_protocol
from kerp.session import events as ev
from kerp.web import demo
from kerp.web.actions import participants, record, study
from kerp.web.models import Log, Person, Site
from kerp.web.vault import doses, store
demo.seed()
who = {one.username: one for one in Person.objects.all()}
made = study.create_study(code="kerp-b", title="Blinded", blinded=True, target=20, actor=who["coordinator"])
arms = {"k": load_protocol(sys.argv[2]), "m": load_protocol("midazolam-erp")}
version = study.add_version(
    study=made, resolved=arms["m"], source_text="", warnings=[], why="", actor=who["coordinator"]
)
study.sign_rules(version=version, actor=who["prescriber"])
one = participants.register(study=made, site=Site.objects.get(), code="B1-001", actor=who["coordinator"])
plan = Plan(study="kerp-b", arms=(ArmShare("k"), ArmShare("m")), block_rounds=(1, 2), per_stratum=8)
store.seal(made=generate(plan, Seed("7f3a91c2e5d8406bb1a4c7e9d2f80356")), active=["k"], by="statistics unit")
protocols = {name: found.protocol for name, found in arms.items()}
doses.seal_doses(study_code="kerp-b", arms=protocols, shared=protocols["m"], by="statistics unit")
store.perform("kerp-b", Register(subject="B1-001", stratum=(), eligibility_signed=True, by="coordinator", at_ms=1))
store.perform("kerp-b", Release(subject="B1-001", by="pharmacist", at_ms=2))
for role in ("therapist", "rater"):
    participants.assign(participant=one, person=who[role], role=role, actor=who["coordinator"])
Log.objects.filter(participant=one).update(opened_at=timezone.now() - timedelta(days=10))
course = [(0, "", ev.Weighed(weight_kg=70)), (1, "dosing-1", ev.SessionOpened(plan="dosing")),
          (2, "dosing-1", ev.AdministrationStarted(route="iv")), (3, "dosing-1", ev.AdministrationEnded()),
          (4, "dosing-1", ev.ArmGuess(by=ev.Guesser.PARTICIPANT, guess="active", certainty=60))]
for minute, session, event in course:
    at = 2 * MS_PER_DAY + minute * 60_000
    entry = record.Submitted(id=uuid.uuid4(), event=event, occurred_ms=at, session=session)
    record.append(log_id=one.log.id, actor="nurse", submitted=entry)
print(one.public_id)
"""
KETAMINE = """
inherits = "midazolam-erp"
id = "study-1-ketamine"
title = "Study 1, ketamine arm"
version = "1.0.0"
[dose]
agent = "ketamine"
dose_mg_per_kg = { value = 0.5, unit = "mg/kg", source = "PAPER P27", mark = "read" }
max_dose_mg = { value = 60, unit = "mg", source = "kerp", mark = "assumed" }
source = "PAPER P27"
mark = "read"
"""


def sign_in(context, url, name, address):
    page = context.new_page()
    page.goto(f"{url}/account/login/?next={address}")
    page.fill("[name=login]", name)
    page.fill("[name=password]", "demonstration")
    page.click("button.primary")
    page.wait_for_load_state()
    if page.locator("h1", has_text="Is it still you?").count():
        page.fill("[name=password]", "demonstration")
        page.click("button.primary")
        page.wait_for_load_state()
    return page


def hand_over(page):
    page.click("button:has-text('Hand over this device') >> nth=0")
    page.wait_for_selector("text=What do you think you were given?")


def show_recipe(page):
    page.fill("[name=stock_mg_per_ml]", "1")
    page.fill("[name=lot]", "L42")
    page.fill("[name=use_before]", "today 14:00")
    page.click("button[value=prepare]")
    page.wait_for_selector("text=waits for a second person")


@pytest.mark.slow
@pytest.mark.parametrize("size", list(SIZES))
def test_pages_of_a_blinded_study_are_accessible(serving, playing, tmp_path, size):
    data, arm = tmp_path / "data", tmp_path / "ketamine.toml"
    arm.write_text(KETAMINE)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KERP_", "DJANGO_"))}
    more = {"KERP_DATA_DIR": str(data), "DJANGO_SETTINGS_MODULE": "kerp.web.settings", "KERP_DEMO": "1"}
    command = [sys.executable, "-c", SEED, str(data), str(arm)]
    seeded = subprocess.run(command, env=kept | more, capture_output=True, text=True, check=False)
    assert seeded.returncode == 0, seeded.stderr[-2000:]
    who = seeded.stdout.split()[-1]
    server = serving(data, "--demo")
    browser = playing.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    ways = {
        "pharmacy": ("pharmacist", "/pharmacy/", None),
        "prepare": ("pharmacist", "/pharmacy/kerp-b/prepare/B1-001/", show_recipe),
        "guesses": ("therapist", f"/participants/{who}/guesses/", None),
        "own-guess": ("therapist", f"/participants/{who}/guesses/day7/", None),
        "handed": ("therapist", f"/participants/{who}/guesses/", hand_over),
        "rating": ("rater", "/ratings/", None),
        "rater-guess": ("rater", f"/ratings/{who}/guess/day7/", None),
        "blinding": ("statistician", "/blinding/", None),
        "allocation": ("statistician", "/study/kerp-b/allocation/", None),
        "lock": ("data-manager", "/study/kerp-b/lock/", None),
        "second-factors": ("administrator", "/people/second-factors/", None),
    }
    wrong = {}
    width, height = SIZES[size]
    SHOTS.mkdir(parents=True, exist_ok=True)
    for name, (role, address, act) in ways.items():
        context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
        page = sign_in(context, server.url, role, address)
        if act:
            act(page)
        for theme in ("light", "dark"):
            page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
            answer = Axe().run(page, options={"runOnly": {"type": "tag", "values": TAGS}}).response
            for found in answer["violations"]:
                wrong[name, theme, found["id"]] = [node["html"][:160] for node in found["nodes"][:3]]
            if theme == "light":
                page.screenshot(path=SHOTS / f"blinded-{name}-{width}x{height}.png", full_page=True)
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            wrong[name, "wider than the screen"] = page.url
        context.close()
    browser.close()
    assert not wrong, "\n".join(map(str, wrong.items()))
