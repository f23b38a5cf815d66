"""What people do on the pages, step by step: shared by the browser tests."""

from __future__ import annotations

import time

# Give an answer to every item of an instrument on an office page: the wanted one, or the first that is one.
ANSWER = """(wanted) => {
  for (const group of document.querySelectorAll('fieldset.item')) {
    const options = [...group.querySelectorAll('input[type=radio]')].filter((one) => one.value !== '');
    (options.find((one) => one.value === wanted) ?? options[0])?.click();
  }
  for (const box of document.querySelectorAll('main form input[data-number]'))
    if (box.value === '') box.value = box.dataset.min || '1';
}"""
# Every criterion looked at, with a reason where one is asked for.
PASS = "() => document.querySelectorAll('main form input[type=radio][value=yes]').forEach((one) => one.click())"


def in_dialog(page, text):
    page.click(f'dialog[open] button:has-text("{text}")')


def sent(page, text):
    """Press a button of an office page, and wait for the page that answers."""
    with page.expect_navigation():
        page.click(f'main button:has-text("{text}")')
    assert page.query_selector("main .fault, main .faults") is None, page.inner_text("main")


def until(page, expression, timeout_s=30.0):
    """How long until this is true on the page, in seconds; nothing may wait inside it, by its policy."""
    began = time.monotonic()
    while not page.evaluate(expression):
        assert time.monotonic() - began < timeout_s, expression
        time.sleep(0.01)
    return time.monotonic() - began


# --- the days before ---


def register(coordinator, study, code):
    page = coordinator.page
    page.goto("/participants/register/")
    page.select_option("select[name=study]", value=page.get_attribute(f"option:has-text('{study}')", "value"))
    page.fill("input[name=code]", code)
    sent(page, "Register")
    page.wait_for_selector(f'h1:has-text("{code}")')
    return page.url


def screen(coordinator, participant):
    """Item by item; consent; who rates; nothing is ready before."""
    page = coordinator.page
    page.goto(f"{participant}screening/")
    first = page.query_selector("fieldset.item")
    first.query_selector("input[value=yes]").check()
    sent(page, "Record findings")
    page.goto(f"{participant}screening/")
    assert page.query_selector('.mark:has-text("1 of ")')
    page.evaluate(PASS)
    sent(page, "Record findings")
    page.goto(f"{participant}consent/")
    page.fill("input[name=version]", "3.1")
    page.check("input[name=confirmed]")
    sent(page, "Record")
    page.goto(participant)
    page.click("summary:has-text('Assign a person')")
    page.select_option("select[name=person]", label="Blinded rater Example")
    page.select_option("select[name=role]", value="rater")
    sent(page, "Assign")
    assert page.query_selector('.mark.good:has-text("eligible")')
    assert page.query_selector('.mark.good:has-text("version 3.1")')


HIERARCHY = (
    ("cup", "Drink from a cup that stood open", 30), ("handle", "Hold the door handle", 40),
    ("coin", "Keep coins in the palm", 45), ("bin-lid", "Touch the lid of the ward's bin", 55),
    ("script", "Hear the script of the kitchen", 60), ("shoe-sole", "Hold the sole of a shoe", 70),
    ("cloth", "Hold a used cloth", 75), ("phone", "Use a phone that lay on the floor", 85),
)  # fmt: skip


def plan(therapist, participant):
    page = therapist.page

    page.goto(f"{participant}plan/")

    def part(name, text, fill):
        page.click(f"details:has(form[action$='/plan/{name}/']) summary")
        box = page.locator(f"form[action$='/plan/{name}/']")
        fill(box)
        with page.expect_navigation():
            box.locator(f'button:has-text("{text}")').click()

    def item(name, trigger, suds):
        def fill(box):
            box.locator("[name=item]").fill(name)
            box.locator("[name=trigger]").fill(trigger)
            box.locator("[name=suds]").fill(str(suds))
            box.locator("[name=modality]").select_option("object")

        return fill

    def contract(box):
        box.locator("[name=overt_rituals]").fill("hand washing")
        box.locator("[name=mental_rituals]").fill("counting")
        box.locator("[name=text]").fill("No washing until the evening.")
        box.locator("[name=agreed]").check()

    def chosen(box):
        box.locator("[name=items][value=bin-lid]").check()
        box.locator("[name=items][value=shoe-sole]").check()
        box.locator("[name=safe]").check()

    def rehearsed(box):
        for one in box.locator("[name=instruments]").all():
            one.check()

    for name, trigger, suds in HIERARCHY:
        part("item", "Record item", item(name, trigger, suds))
    part("contract", "Record contract", contract)
    part("stop-word", "Record word", lambda box: box.locator("[name=word]").fill("harbour"))
    part("rehearsal", "Record rehearsal", rehearsed)
    part("chosen", "Record choice", chosen)
    assert page.query_selector('.note:has-text("Still missing")') is None


def rate_all(rater, code, visit, wanted="2"):
    """The blinded rater answers what is open for a visit: no session, no arm, no earlier total. What was answered."""
    page, names = rater.page, []
    while True:
        page.goto("/ratings/")
        section = page.locator(f'section:has(h2:has-text("{code}"))')
        links = section.locator(f'h3:text-is("{visit}") + .actions a.button.primary')
        if not links.count():
            return names
        names.append(links.first.inner_text())
        assert len(set(names)) == len(names), names  # an answer that was given is not asked for again
        links.first.click()
        page.wait_for_selector("main form")
        for word in ("mg", "ketamine", "esketamine", "earlier", "Total"):
            assert word not in page.inner_text("main form")
        page.evaluate(ANSWER, wanted)
        sent(page, "Record")


def held(person, participant, visit, text="Record visit"):
    page = person.page
    page.goto(f"{participant}visits/{visit}/")
    sent(page, text)


# --- at the bedside ---


def vitals(nurse, systolic, diastolic, spo2="98"):
    page = nurse.page
    nurse.tab("checks")
    nurse.dialog("vitals")
    for name, value in {
        "systolic_mmhg": systolic,
        "diastolic_mmhg": diastolic,
        "heart_rate_per_min": 72,
        "spo2_pct": spo2,
    }.items():
        page.fill(f"dialog[open] input[name={name}]", str(value))
    in_dialog(page, "Record")


def prepare(nurse, dose="36 mg"):
    """Everything the nurse does before the second person, in the order of the list."""
    page = nurse.page
    vitals(nurse, 122, 78)
    nurse.tab("prepare")
    for key in (
        "plan_agreed-Done",
        "props_present-Done",
        "emergency_equipment-Done",
        "hcg-Negative",
        "toxicology-Negative",
        "fasting-Kept",
        "escort_named-Arranged",
    ):
        nurse.tap(f"gate-{key}")
    nurse.dialog("gate-weight-Weigh")
    page.fill("dialog[open] input[name=kg]", "72")
    in_dialog(page, "Record")
    nurse.saved()
    nurse.dialog("gate-time_out-Time-out")
    for box in page.query_selector_all("dialog[open] input[type=checkbox]"):
        box.check()
    page.fill("dialog[open] input[name=people]", "nurse, therapist, prescriber")
    in_dialog(page, "All confirmed")
    nurse.saved()
    nurse.dialog("compute")
    in_dialog(page, "Compute")
    page.wait_for_selector('dialog[open] [data-key="take-dose"]')
    assert dose in page.inner_text("dialog[open] dl")
    nurse.tap("take-dose")
    nurse.saved()
    nurse.tap("verify")
    nurse.served.later(6)  # the second of two readings, five minutes apart
    vitals(nurse, 120, 80)
    nurse.saved()


def begin(nurse, prescriber, log):
    """The second person verifies from their own sign-in; minute 0 by an explicit act."""
    prescriber.bedside(log)
    prescriber.tap("verify")
    prescriber.saved()
    nurse.tab("prepare")
    nurse.page.wait_for_selector("text=verified by nurse and prescriber")
    nurse.tap("ready")
    nurse.page.wait_for_selector('[data-key="start"]:not([disabled])')
    nurse.tap("start")
    nurse.page.wait_for_selector("text=since minute 0")


def rate(therapist, suds, urge, felt):
    """Three taps."""
    therapist.tab("now")
    for rating, value in (("suds", suds), ("urge", urge), ("felt_effect", felt)):
        therapist.tap(f"{rating}-{value}")


def scale(person, name, value="0"):
    """A scale as a form in a dialog: the same answer to every item, and 0 where the first is not on it."""
    person.tab("checks")
    person.dialog(f"scale-{name}")
    person.page.evaluate(
        """(wanted) => { for (const group of document.querySelectorAll('dialog[open] fieldset')) {
          const options = [...group.querySelectorAll('input[type=radio]')].filter((one) => one.value !== '');
          (options.find((one) => one.value === wanted) ?? options[0])?.click();
          const box = group.querySelector('input[type=text]'); if (box) box.value = wanted; } }""",
        value,
    )
    in_dialog(person.page, "Record")


def finish(nurse, *, advice=True):
    """The nurse works off what blocks, each by its own button."""
    page = nurse.page
    nurse.tab("now")
    nurse.tap("felt_effect-0")
    vitals(nurse, 121, 79)
    nurse.tab("checks")
    nurse.dialog("sedation")
    page.click("dialog[open] .b-big button >> nth=0")
    nurse.saved()
    nurse.tab("close")
    for key in ("orientation-Met", "gait-Met", *(("advice-Met",) if advice else ()), "escort-Is here"):
        nurse.tap(f"tick-{key}")
    nurse.dialog("tick-suicidality")
    for answer in page.query_selector_all('dialog[open] fieldset input[value="0"]'):
        answer.check(force=True)
    in_dialog(page, "Record")
    nurse.saved()
    if advice:
        page.wait_for_selector("text=nothing on the list blocks")


def discharge(prescriber):
    prescriber.tab("close")
    prescriber.dialog("discharge")
    prescriber.page.fill("dialog[open] input[name=escort]", "sister")
    prescriber.page.check("dialog[open] input[name=leaflet]")
    in_dialog(prescriber.page, "Discharge")
    prescriber.page.wait_for_selector('.mark.good:has-text("discharged")')


def sign(prescriber, log):
    page = prescriber.page
    page.goto(f"/bedside/{log}/dosing-1/sign/")
    page.wait_for_selector("input[name=password], input[name=meaning]")
    if page.query_selector("input[name=password]"):  # a fresh proof of who signs
        page.fill("input[name=password]", prescriber.served.password)
        page.press("input[name=password]", "Enter")
    before = page.locator('.mark.good:has-text("signed")').count()
    page.check("input[name=meaning] >> nth=0")
    page.click('button:has-text("Sign as")')
    page.wait_for_selector(f'.mark.good:has-text("signed") >> nth={before}')
