"""A course of treatment stepped by hand: the plainest executor there is, with closed-form stand-ins for the drug."""

from __future__ import annotations

import numpy as np
import pytest

from kerp.learning.contract import Inputs, Phase
from kerp.learning.priors import priors, typical
from kerp.learning.registry import model


class Course:
    """Steps one person (or many) through sessions; `drug` gives (E, F, P) at a day."""

    def __init__(self, model_id="core", drug=None, **over):
        self.model = model(model_id)
        self.values = typical(self.model.card) | over
        self.p = self.model.parameters(np, self.values)
        self.drug = drug or (lambda day: (0.0, 0.0, 0.0))
        self.day = 0.0
        self.state = self.model.init(np, self.p)

    def inputs(self, day, i=0.0):
        E, F, P = self.drug(day)
        return Inputs(E, F, P, i, self.values["r"], 1.0)

    def run(self, days, phase=Phase.BETWEEN, i=0.0, steps=20):
        h = days / steps
        for k in range(steps):
            u = self.inputs(self.day + (k + 0.5) * h, i)
            self.state = self.model.step(np, self.state, self.p, u, phase, h)
        self.day += days
        return self

    def session(self, minutes=60.0, i=1.0):
        self.run(minutes / 1440, Phase.SESSION, i)
        self.state = self.model.step(np, self.state, self.p, self.inputs(self.day), Phase.SESSION_END, 0.0)
        return self

    def signals(self, phase=Phase.BETWEEN, i=0.0):
        return self.model.observe(np, self.state, self.p, self.inputs(self.day, i), phase)


def infusion(day):
    """A stand-in for 40 min of ketamine from day 0: E, F and P of about the right height and length."""
    minutes = day * 1440
    if minutes < 0:
        return 0.0, 0.0, 0.0
    E = 0.72 * (1 - np.exp(-minutes / 10)) if minutes < 40 else 0.72 * np.exp(-(minutes - 40) / 150)
    F = 0.9 * (1 - np.exp(-minutes / 8)) if minutes < 40 else 0.9 * np.exp(-(minutes - 40) / 12)
    P = (np.exp(-day / 5) - np.exp(-day / 0.5)) / 0.6967
    return E, F, P


@pytest.fixture
def course():
    return Course


@pytest.fixture
def ketamine():
    return infusion


@pytest.fixture(scope="session")
def population():
    """Four hundred draws from the priors (the admissible patients of MODEL.md)."""
    rng = np.random.default_rng(20260101)
    return {name: prior.drawn(rng.random(400)) for name, prior in priors().items()}
