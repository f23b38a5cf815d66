"""Makes a working study in a data directory, for browser tests: people, protocol, participants ready for the day.

Run as a program: `python seed.py DATA_DIR`. Prints JSON with the ids the tests need.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from pathlib import Path

PASSWORD = "a long sentence for tests"


def main(data: Path, speeds: list[int], protocol: str) -> None:
    from kerp.web.datadir import prepare

    prepare(data)
    os.environ |= {"KERP_DATA_DIR": str(data), "DJANGO_SETTINGS_MODULE": "kerp.web.settings", "KERP_DEMO": "1"}
    from kerp.web.start import start

    start(migrate=True)
    from django.conf import settings

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    from django.contrib.auth.hashers import PBKDF2PasswordHasher

    PBKDF2PasswordHasher.iterations = 1000
    team = people()
    logs = study(team, speeds, protocol)
    print(json.dumps({"logs": logs, "password": PASSWORD}))


def people():
    from kerp.web.access import matrix
    from kerp.web.actions import people as acts

    team = {}
    for role, entry in matrix().roles.items():
        team[role] = acts.create(username=role, full_name=f"{entry.title} Example", actor="", password=PASSWORD)
        acts.grant(person=team[role], role=role, actor=None)
    return team


def study(team, speeds, protocol):
    from kerp.protocol.load import load_protocol
    from kerp.web.actions import participants
    from kerp.web.actions import study as acts
    from kerp.web.models import Log

    admin = team["administrator"]
    site = acts.create_site(code="par", name="Paris", zone="Europe/Paris", actor=admin)
    trial = acts.create_study(code="kerp-1", title="A study", blinded=False, target=12, actor=admin)
    version = acts.add_version(
        study=trial, resolved=load_protocol(protocol), source_text="", warnings=[], why="", actor=admin
    )
    acts.sign_rules(version=version, actor=team["prescriber"])
    for code, title, name in (
        ("office-iv", "Infusions", "bottemanne2021-iv"),
        ("office-nasal", "Sprays", "bottemanne2021-nasal"),
    ):
        empty = acts.create_study(code=code, title=title, blinded=False, target=12, actor=admin)
        held = acts.add_version(
            study=empty, resolved=load_protocol(name), source_text="", warnings=[], why="", actor=admin
        )
        acts.sign_rules(version=held, actor=team["prescriber"])
    made = []
    for number, speed in enumerate(speeds, 1):
        one = participants.register(study=trial, site=site, code=f"S1-{number:03}", actor=team["coordinator"])
        Log.objects.filter(participant=one).update(clock_speed=speed)
        screened(Log.objects.get(participant=one), team, protocol)
        made.append(str(one.log.id))
    return made


def screened(log, team, protocol):
    from kerp.protocol.load import load_protocol
    from kerp.session import events as ev
    from kerp.web.actions import record

    def append(role, *events):
        for event in events:
            record.append(
                log_id=log.id,
                actor=team[role].username,
                submitted=record.Submitted(id=uuid.uuid4(), event=event, role=role),
            )

    criteria = [c for c in load_protocol(protocol).protocol.criteria if c.active]
    append("prescriber", *(ev.EligibilityItem(criterion=c.id, met=True) for c in criteria))
    append("coordinator", ev.ConsentChecked(version="v3", confirmed=True))
    items = [
        ("bin-lid", "Touch the lid of the ward's bin", "Carry germs home", 55, "object"),
        ("shoe-sole", "Hold the sole of a shoe", "Fall ill within days", 70, "object"),
        ("door-handle", "Touch the door handle", "", 40, "object"),
        ("script", "Hear the script of the contaminated kitchen", "Harm the family", 65, "audio"),
    ]
    append(
        "therapist",
        *(ev.HierarchyItem(item=i, trigger=t, feared_outcome=f, suds=s, modality=m) for i, t, f, s, m in items),
    )
    append(
        "therapist",
        ev.ItemsChosen(plan="dosing", items=("bin-lid", "shoe-sole")),
        ev.StopWordAgreed(word="harbour"),
        ev.ResponsePreventionAgreed(
            agreed=True,
            overt_rituals=("hand washing",),
            mental_rituals=("counting",),
            text="No washing until the evening.",
        ),
        ev.ScalesRehearsed(instruments=("suds", "urge", "felt_effect")),
    )
    answers = {f"ybocs_{n:02}": 2.0 for n in range(1, 11)}
    append("rater", ev.ScaleAnswered(instrument="ybocs", version="1", answers=answers, rated_by="rater"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(speed) for speed in sys.argv[2].split(",")], sys.argv[3])
