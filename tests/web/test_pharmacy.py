"""The preparation page: per kit the recipe, two people, nothing of it for anybody blinded (M2, M8)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from decimal import Decimal

import pytest
from django.urls import reverse

from kerp.base.errors import KerpError
from kerp.protocol.blind import shared_protocol
from kerp.protocol.load import load_protocol
from kerp.protocol.model import Agent
from kerp.session import events as ev
from kerp.web.actions import people, record
from kerp.web.actions import study as study_acts
from kerp.web.bedside.dosing import proposed
from kerp.web.models import AuditEvent, Entry
from kerp.web.vault import doses, preparations, store
from kerp.web.vault.models import SealedDoses, VaultEvent

PASSWORD = "a long sentence for tests"
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
TELLING = (b"verum-q7", b"placebo-x9", b"ketamine", b"midazolam", b"mg/mL", b"Draw up")


def prove(browser):
    browser.post(reverse("account_reauthenticate"), {"password": PASSWORD, "next": "/"})
    return browser


@pytest.fixture
def arms(tmp_path):
    file = tmp_path / "ketamine.toml"
    file.write_text(KETAMINE)
    return {"verum-q7": load_protocol(file).protocol, "placebo-x9": load_protocol("midazolam-erp").protocol}


@pytest.fixture
def sealed(blinded, arms):
    doses.seal_doses(study_code="kerp-b", arms=arms, shared=arms["placebo-x9"], by="statistics unit")
    weigh(blinded, 70)
    other = people.create(username="second", full_name="Second Pharmacist", actor="", password=PASSWORD)
    people.grant(person=other, role="pharmacist", actor=None)
    blinded.people["second"] = other
    return blinded


def weigh(team, kg):
    one = record.Submitted(id=uuid.uuid4(), event=ev.Weighed(weight_kg=kg))
    record.append(log_id=team.log.id, actor="nurse", submitted=one)


def address(subject="B1-001"):
    return reverse("prepare_kit", args=["kerp-b", subject])


def vial(arm):
    return {"stock_mg_per_ml": "10" if arm == "verum-q7" else "1", "lot": "L42", "use_before": "today 14:00"}


def arm_of(code="B1-001"):
    return store.arms_for_unblinded("kerp-b")[0][code]


EXPECTED = {  # 70 kg: 0.5 mg/kg of a vial of 10 mg/mL, 0.045 mg/kg of a vial of 1 mg/mL, in 50 mL over 40 min
    "verum-q7": {"dose_mg": "35", "drug_ml": "3.5", "diluent_ml": "46.5", "concentration_mg_per_ml": "0.7"},
    "placebo-x9": {"dose_mg": "3.15", "drug_ml": "3.15", "diluent_ml": "46.85", "concentration_mg_per_ml": "0.063"},
}


def test_the_pharmacist_sees_how_the_kit_is_made(signed_in, sealed):
    browser = prove(signed_in("pharmacist"))
    shown = browser.post(address(), vial(arm_of()) | {"act": "show"})
    recipe = shown.context["recipe"]
    for name, value in EXPECTED[arm_of()].items():
        assert recipe[name] == value, name
    assert (recipe["volume_ml"], recipe["rate_ml_per_h"], recipe["duration_min"]) == ("50", "75", "40")
    kit = dict(store.state("kerp-b").kits)["B1-001"]
    assert list(shown.context["label"])[:4] == [
        f"KIT {kit}",
        "Participant B1-001",
        "50 mL at 75 mL/h",
        "over 40 min, iv infusion",
    ]
    assert f"KIT {kit}\nParticipant B1-001\n50 mL at 75 mL/h\n" in shown.content.decode()
    assert "{{" not in shown.content.decode()
    assert preparations.made_for("kerp-b") == []  # looking writes nothing


def test_what_the_bedside_verifies_is_what_the_pharmacy_made(signed_in, sealed):
    asked = prove(signed_in("pharmacist")).post(address(), vial(arm_of()) | {"act": "show"}).context["recipe"]
    event = proposed(sealed.log, {})["event"]
    assert (event["volume_ml"], event["rate_ml_per_h"]) == (
        float(asked["volume_ml"]),
        float(asked["rate_ml_per_h"]),
    )
    assert not {"dose_mg", "concentration_mg_per_ml", "agent"} & {name for name, value in event.items() if value}


def test_one_person_prepares_and_another_checks(signed_in, sealed):
    first, second = prove(signed_in("pharmacist")), prove(signed_in("second"))
    first.post(address(), vial(arm_of()) | {"act": "prepare"})
    (made,) = preparations.made_for("kerp-b", "B1-001")
    assert (made["by"], made["checks"], made["made"]["lot"]) == ("pharmacist", [], "L42")
    check = reverse("check_kit", args=["kerp-b", made["seq"]])
    first.post(check, {"verdict": "agrees"})
    assert preparations.made_for("kerp-b")[0]["checks"] == []  # whoever prepared does not check
    second.post(check, {"verdict": "agrees"})
    (made,) = preparations.made_for("kerp-b", "B1-001")
    assert [(one["by"], one["verdict"]) for one in made["checks"]] == [("second", "agrees")]
    assert b"prepared, checked" in first.get(reverse("pharmacy")).content
    acts = AuditEvent.objects.filter(subject="participant:B1-001", act__startswith="dose.").order_by("seq")
    assert [(one.act, one.actor) for one in acts] == [("dose.prepared", "pharmacist"), ("dose.checked", "second")]


def test_a_preparation_found_wrong_stays_in_the_record_and_is_made_anew(signed_in, sealed):
    first, second = prove(signed_in("pharmacist")), prove(signed_in("second"))
    first.post(address(), vial(arm_of()) | {"act": "prepare"})
    second.post(
        reverse("check_kit", args=["kerp-b", preparations.made_for("kerp-b")[0]["seq"]]), {"verdict": "differs"}
    )
    assert b"found wrong" in first.get(reverse("pharmacy")).content
    first.post(address(), vial(arm_of()) | {"act": "prepare"})
    assert [bool(one["checks"]) for one in preparations.made_for("kerp-b")] == [False, True]


def test_neither_log_nor_audit_nor_the_open_part_of_the_store_learns_the_recipe(signed_in, sealed):
    prove(signed_in("pharmacist")).post(address(), vial(arm_of()) | {"act": "prepare"})
    texts = [one.record for one in Entry.objects.all()] + [one.record for one in VaultEvent.objects.all()]
    texts += [one.details + one.reason + one.subject for one in AuditEvent.objects.all()]
    for word in ("verum-q7", "placebo-x9", "L42", "drug_ml"):
        assert not [text for text in texts if word in text], word
    assert b"verum-q7" not in bytes(SealedDoses.objects.get().sealed)


@pytest.mark.parametrize(
    "role", ["nurse", "prescriber", "therapist", "coordinator", "monitor", "rater", "data_manager"]
)
def test_blinded_roles_see_kit_volume_and_rate_and_never_the_recipe(signed_in, sealed, role):
    browser = prove(signed_in(role))
    for answer in (
        browser.get(address()),
        browser.post(address(), {"act": "show"}),
        browser.get(reverse("pharmacy")),
    ):
        assert answer.status_code == 403
        assert not [word for word in TELLING if word in answer.content]


def test_a_stale_or_changed_weight_is_shouted_on_the_page(signed_in, sealed):
    weigh(sealed, 76)
    page = prove(signed_in("pharmacist")).get(address())
    assert "recalculate: the weight changed" in page.content.decode()


def test_a_dose_above_the_cap_is_refused_in_the_same_words_in_both_arms(signed_in, sealed):
    weigh(sealed, 125)
    page = prove(signed_in("pharmacist")).get(address())
    assert page.context["recipe"] == {}
    assert "above the largest dose of the site" in page.content.decode()


@pytest.mark.parametrize(("stock", "word"), [("0", "above 0"), ("0.01", "does not fit"), ("-3", "above 0")])
def test_an_impossible_vial_is_refused_and_nothing_is_written(signed_in, sealed, stock, word):
    answer = prove(signed_in("pharmacist")).post(
        address(), vial(arm_of()) | {"act": "prepare", "stock_mg_per_ml": stock}
    )
    assert answer.status_code == 200
    assert word in answer.content.decode()
    assert preparations.made_for("kerp-b") == []


def test_before_the_doses_are_sealed_the_page_says_what_to_do(signed_in, blinded):
    weigh(blinded, 70)
    page = prove(signed_in("pharmacist")).get(address())
    assert "kerp web seal-doses" in page.content.decode()


def test_arms_that_differ_in_more_than_the_drug_are_not_sealed(blinded, arms):
    from dataclasses import replace

    telling = replace(arms["verum-q7"], visits=arms["verum-q7"].visits[1:])
    with pytest.raises(KerpError, match="M8"):
        doses.seal_doses(
            study_code="kerp-b",
            arms=arms | {"verum-q7": telling},
            shared=arms["placebo-x9"],
            by="x",
        )
    with pytest.raises(KerpError, match="each arm of the list"):
        doses.seal_doses(study_code="kerp-b", arms={"a": arms["verum-q7"]}, shared=arms["placebo-x9"], by="x")


def test_the_doses_also_fit_a_study_whose_own_protocol_names_no_drug(blinded, arms):
    shared = shared_protocol(list(arms.values()), study_id="kerp-b", title="T", version="1")
    assert shared.dose.agent is Agent.MASKED
    doses.seal_doses(study_code="kerp-b", arms=arms, shared=shared, by="x")
    assert {rule.agent for rule in doses.dose_rules("kerp-b").values()} == {Agent.KETAMINE, Agent.MIDAZOLAM}


def test_an_open_study_is_prepared_from_its_own_protocol(signed_in, team):
    weigh(team, 72.5)
    browser = prove(signed_in("pharmacist"))
    assert b"S1-001" in browser.get(reverse("pharmacy")).content
    page = browser.get(reverse("prepare_kit", args=["kerp-1", "S1-001"]))
    assert Decimal(page.context["recipe"]["dose_mg"]) == Decimal("36.25")
    assert json.loads(json.dumps(page.context["recipe"]))["volume_ml"]


SEED = """
import sys
from pathlib import Path
from kerp.web.datadir import prepare
prepare(Path(sys.argv[1]))
from kerp.web.start import start
start(migrate=True)
from kerp.protocol.load import load_protocol
from kerp.web.actions import people, study
someone = people.create(username="pi", full_name="P I", actor="", password="a long sentence for tests")
made = study.create_study(code="kerp-b", title="B", blinded=True, target=1, actor=someone)
version = study.add_version(
    study=made, resolved=load_protocol("midazolam-erp"), source_text="", warnings=[], why="", actor=someone
)
study.sign_rules(version=version, actor=someone)
"""


@pytest.mark.slow
def test_list_and_doses_are_sealed_from_the_command_line(tmp_path):
    data, plan, arm = tmp_path / "data", tmp_path / "plan.toml", tmp_path / "ketamine.toml"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KERP_", "DJANGO_"))}
    environment = kept | {"KERP_DATA_DIR": str(data), "DJANGO_SETTINGS_MODULE": "kerp.web.settings"}
    subprocess.run([sys.executable, "-c", SEED, str(data)], env=environment, check=True)
    plan.write_text(
        'study = "kerp-b"\nactive = ["k"]\nblock_rounds = [1, 2]\nper_stratum = 4\n[arms]\nk = 1\nm = 1\n'
    )
    arm.write_text(KETAMINE)

    def kerp(*words, **more):
        command = [sys.executable, "-c", "from kerp.cli.main import main; main()", "web", *words]
        where = ["--data-dir", str(data), "--by", "statistics unit"]
        return subprocess.run(
            [*command, *where], env=environment, capture_output=True, text=True, check=False, **more
        )

    sealed = kerp("seal-list", "--plan", str(plan), input="7f3a91c2e5d8406bb1a4c7e9d2f80356\n")
    assert sealed.returncode == 0, sealed.stderr
    wrong = kerp("seal-doses", "--study", "kerp-b", "--arm", f"k={arm}")
    assert wrong.returncode == 2
    assert "each arm of the list" in wrong.stderr
    good = kerp("seal-doses", "--study", "kerp-b", "--arm", f"k={arm}", "--arm", "m=midazolam-erp")
    assert good.returncode == 0, good.stderr
    assert "version 1 of the doses of kerp-b is sealed" in good.stdout


def test_a_pharmacist_of_another_site_sees_and_prepares_nothing_of_this_one(signed_in, sealed):
    elsewhere = study_acts.create_site(code="lyo", name="Lyon", zone="Europe/Paris", actor=sealed["administrator"])
    far = people.create(username="far", full_name="Far Pharmacist", actor="", password=PASSWORD)
    people.grant(person=far, role="pharmacist", actor=None, site=elsewhere)
    sealed.people["far"] = far
    browser = prove(signed_in("far"))
    assert b"B1-001" not in browser.get(reverse("pharmacy")).content
    assert browser.get(reverse("prepare_kit", args=["kerp-b", "B1-001"])).status_code == 404
    held = VaultEvent.objects.count()
    assert browser.post(reverse("release_kit", args=["kerp-b"]), {"subject": "B1-001"}).status_code == 404
    assert VaultEvent.objects.count() == held


def test_who_may_unblind_at_another_site_is_offered_nobody_of_this_one(signed_in, sealed):
    elsewhere = study_acts.create_site(code="lyo", name="Lyon", zone="Europe/Paris", actor=sealed["administrator"])
    far = people.create(username="far", full_name="Far Prescriber", actor="", password=PASSWORD)
    people.grant(person=far, role="prescriber", actor=None, site=elsewhere)
    sealed.people["far"] = far
    browser = prove(signed_in("far"))
    assert b"B1-001" not in browser.get(reverse("unblinding")).content
    wanted = {"participant": sealed.participant.pk, "reason": "a seizure"}
    browser.post(reverse("unblinding"), wanted)
    assert store.notes("kerp-b", store.ASKED) == []
    prove(signed_in("prescriber")).post(reverse("unblinding"), wanted)
    assert [row["subject"] for row in store.notes("kerp-b", store.ASKED)] == ["B1-001"]
