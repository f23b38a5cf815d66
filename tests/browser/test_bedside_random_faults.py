"""Random loss, doubled posts and reloads on one page (many at once: test_bedside_faults.py)."""

from __future__ import annotations

import time

import numpy as np
import pytest
from kept import ids, opened, ratings
from playwright.sync_api import Error


def faulty_session(served, person, name, seed, steps):
    """Entries under random loss, doubled posts, reloads; what the page acknowledged is what the server has."""
    chance = np.random.default_rng(seed)
    nurse = opened(served, person, name)
    before, entered = len(ratings(nurse.entries(), "urge")), []

    def interfere(route):
        draw = chance.random()
        if draw < 0.25:
            route.abort()
        elif draw < 0.5:  # the server has it, the answer is lost
            try:
                route.fetch()
                route.abort()
            except Error:
                return  # the page had gone on without waiting
        else:
            route.continue_()

    nurse.page.route("**/entries", interfere)
    for _ in range(steps):
        act = chance.random()
        if act < 0.12:
            while nurse.page.evaluate("globalThis.kerp.writing"):  # a tap counts once it is shown as kept
                time.sleep(0.01)
            nurse.page.reload()
            nurse.ready()
            nurse.tab("now")
        elif act < 0.3:
            nurse.context.set_offline(bool(chance.random() < 0.5))
        value = int(chance.integers(0, 11)) * 10
        nurse.tap(f"urge-{value}")
        entered.append(value)
    nurse.context.set_offline(False)
    nurse.page.unroute("**/entries")
    nurse.saved()
    entries = nurse.entries()
    assert sorted(ratings(entries, "urge")[before:]) == sorted(entered)  # a repeated one may come late
    assert len(set(ids(entries))) == len(entries)


@pytest.mark.parametrize("seed", [1])
def test_random_faults_lose_and_double_nothing(served, person, seed):
    faulty_session(served, person, "faults", seed, steps=12)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 40))
def test_random_faults_lose_and_double_nothing_in_many_sessions(served, person, seed):
    faulty_session(served, person, "faults", seed, steps=40)
