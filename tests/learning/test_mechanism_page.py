"""The page of equations names the lines that do them (`python tools/figures_mechanism.py --equations`)."""

from pathlib import Path

import pytest

from kerp.learning.priors import priors
from kerp.learning.registry import catalogue, line_of

PAGE = (Path(__file__).parents[2] / "docs/mechanism.md").read_text()


@pytest.mark.parametrize("model_id", sorted(catalogue()))
def test_every_equation_stands_next_to_the_line_that_computes_it(model_id):
    card = catalogue()[model_id].card
    assert card.id in PAGE or model_id == "core"
    for equation in card.equations:
        assert f"`{line_of(equation)}`" in PAGE, f"{equation.name}: run python tools/figures_mechanism.py --equations"


def test_every_prior_is_printed_with_its_mark_and_source():
    for prior in priors().values():
        assert f"| `{prior.id}` | {prior.meaning} | {prior.text()} |" in PAGE
        assert prior.typical.source in PAGE
