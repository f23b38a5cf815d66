"""`kerp model`, `patient`, `arm`, `fit`: what they print, and that bad input ends with 2 and writes nothing."""

import json
import re

import pytest
from click.testing import CliRunner

from kerp.base.data import path_of
from kerp.base.errors import KerpError
from kerp.cli.main import cli
from kerp.evidence.references import references
from kerp.learning.priors import priors
from kerp.learning.registry import catalogue, model
from kerp.patient.draw import blocks
from kerp.simulate.population.timing import TimingRequest, coupling_sets, surface, worlds


def run(*arguments):
    return CliRunner().invoke(cli, [str(one) for one in arguments])


def refused(*arguments):
    """The message of a refusal: `main` turns a `KerpError`, and click its own errors, into exit code 2."""
    result = run(*arguments)
    assert isinstance(result.exception, KerpError) or result.exit_code == 2, result.output
    return str(result.exception) if isinstance(result.exception, KerpError) else result.output


def test_a_model_shows_equations_lines_priors_and_what_it_predicts():
    data = json.loads(run("model", "show", "block", "--json").output)
    assert data["predicts"]
    assert any("core.py:" in line["code"] for line in data["equations"])
    parameters = {one["id"]: one for one in data["parameters"]}
    assert parameters["kappa_c"]["prior"].endswith("at or below 0")
    assert parameters["kappa_c"]["mark"] == "assumed"
    assert {"EC50", "tau_on", "tau_off", "r"} <= set(parameters)
    assert "core" in run("model", "list").output


def test_comparing_arms_on_the_reference_person_gives_the_reference_changes():
    result = run("arm", "compare", "--arms", "placebo,erp-alone", "--typical", "--json")
    arms = json.loads(result.output)["arms"]
    values = arms["erp-alone"]["ybocs_latent_24h"]
    assert 100 * (values[14] / values[0] - 1) == pytest.approx(-42.9, abs=1.5)
    assert arms["placebo"]["ybocs_latent_24h"] == pytest.approx([values[0]] * 43, abs=1e-9)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folders = [tmp_path_factory.mktemp("arms") / name for name in ("a", "b")]
    for folder in folders:
        run("arm", "compare", "--arms", "concurrent-single", "--typical", "--out", folder)
    return folders


def test_a_comparison_writes_a_page_that_needs_no_network(pages):
    names = {path.name for path in pages[0].iterdir()}
    assert {"index.html", "comparison.csv", "comparison.json", "ybocs.svg", "ybocs.png", "suds.svg"} <= names
    page = (pages[0] / "index.html").read_text()
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", page)
    assert "No controlled trial has run exposure during the infusion" in page


def test_the_same_comparison_writes_the_same_bytes(pages):
    for path in pages[0].iterdir():
        assert path.read_bytes() == (pages[1] / path.name).read_bytes(), path.name


def test_drawn_patients_can_be_compared_and_a_broken_file_is_named_cell_by_cell(tmp_path):
    people = tmp_path / "people.csv"
    run("patient", "draw", "--n", 30, "--seed", 2, "--out", people)
    drawn = json.loads(run("arm", "compare", "--arms", "erp-alone", "--n", 30, "--seed", 2, "--json").output)
    read = json.loads(
        run("arm", "compare", "--arms", "erp-alone", "--seed", 2, "--patients", people, "--json").output
    )
    assert drawn == read
    lines = people.read_text().splitlines()
    lines[4] = lines[4].replace(lines[4].split(",")[16], "NaN")
    people.write_text("\n".join(lines))
    assert "row 4, column V0" in refused("arm", "compare", "--arms", "erp-alone", "--patients", people)


def test_the_timing_surface_is_reported_whole_with_its_error():
    data = json.loads(
        run("arm", "timing", "--offsets", "-10:50:60", "--dose", "0.25,0.5", "--n", 25, "--day", 3, "--json").output
    )
    assert data["offsets_min"] == [-10, 50]
    assert set(data["couplings"]) == {"none", "acute-gain", "acute-loss", "delayed-gain", "block"}
    for one in data["couplings"].values():
        assert len(one["gain_points"]) == 2
        assert all(0 < se < 2 for row in one["gain_se"] for se in row)


def test_the_surface_shows_only_worlds_that_the_model_can_be_in():
    shown = {one: set(worlds(model(one))) for one in ("core", "concurrent", "sequential", "block")}
    assert shown["core"] == set(coupling_sets())
    assert shown["concurrent"] == {"none", "acute-gain", "acute-loss"}
    assert shown["sequential"] == {"none", "delayed-gain"}
    assert shown["block"] == {"none", "acute-loss", "delayed-gain", "block"}
    assert worlds(model("linear-null")) == {"none": (model("linear-null").card.title, {})}
    request = TimingRequest(model("dissolution-only"), (0.0,), count=3, day=1)
    assert set(surface(request).surfaces) == {"none"}


def test_the_highest_distress_of_a_session_is_read_from_its_first_moment():
    """An hour before the dose distress only falls: its highest is what the person came with."""
    request = TimingRequest(model("core"), (-60.0,), session_min=50, count=20, day=1, fixed={"V0": 0.7, "psi": 0.3})
    (people,) = blocks(20, 1, request.fixed)
    came_with = 100 * 0.7 * (1 - people.traits["avoidance"]).mean()
    assert surface(request).surfaces["none"].suds_max[0][0] == pytest.approx(came_with, rel=1e-9)


def test_saline_has_a_duration_and_a_spray_a_strength():
    assert "over 40 min" in run("arm", "show", "placebo").output
    assert "3 devices of 28 mg" in run("arm", "show", "nasal-repeated").output


def test_identify_says_what_a_design_would_teach():
    data = json.loads(run("fit", "identify", "--design", "two-arm-ybocs", "--n", 40, "--json").output)
    assert data["people"] == 40
    assert 0 <= data["parameters"]["kappa_a"]["contraction"] < 0.3


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("arm", "compare", "--arms", "concurent", "--n", 5), "concurrent"),
        (("arm", "compare", "--arms", ""), "no arm"),
        (("arm", "compare", "--arms", "placebo,placebo"), "twice"),
        (("arm", "compare", "--arms", "placebo", "--model", "cor"), "core"),
        (("arm", "compare", "--arms", "placebo", "--n", 0), "out of range"),
        (("arm", "compare", "--arms", "placebo", "--n", 10**15), "out of range"),
        (("arm", "compare", "--arms", "placebo", "--n", "many"), "integer"),
        (("arm", "compare", "--arms", "placebo", "--seed", 1.5), "integer"),
        (("arm", "compare", "--arms", "placebo", "--n", 5, "--seed", -1), "seed"),
        (("arm", "compare", "--arms", "placebo", "--set", "psi=1.5"), "support"),
        (("arm", "compare", "--arms", "placebo", "--set", "kapa_a=1"), "kappa_a"),
        (("arm", "compare", "--arms", "placebo", "--set", "kappa_a"), "name=number"),
        (("arm", "compare", "--arms", "placebo", "--without", "dropot"), "dropout"),
        (("arm", "compare", "--arms", "placebo", "--placebo-layer", "sham"), "waitlist"),
        (("arm", "show", "sequental"), "sequential"),
        (("model", "show", "cor"), "core"),
        (("arm", "timing", "--offsets", "10:0:5"), "from:to:step"),
        (("arm", "timing", "--offsets", "0:60"), "from:to:step"),
        (("arm", "timing", "--offsets", "0:10:5", "--dose", "x"), "doses"),
        (("arm", "timing", "--offsets", "0:10:5", "--dose", "9"), "out of range"),
        (("arm", "timing", "--offsets", "0:10:5", "--dose", ","), "no dose"),
        (("arm", "timing", "--offsets", "0:10:5", "--dose", "0.5,0.5"), "one twice"),
        (("arm", "timing", "--offsets", "0:10:5", "--set", "kappa_a=0.3"), "worlds of the surface"),
        (("arm", "compare", "--arms", "placebo", "--model", "dissolution-only", "--set", "kappa_p=0.6"), "holds"),
        (("arm", "compare", "--arms", "placebo", "--model", "block", "--set", "kappa_c=1"), "0 or below"),
        (("arm", "compare", "--arms", "placebo", "--typical", "--set", "omega=0.5"), "does not read"),
        (("fit", "identify", "--design", "two-arm-ybocs", "--model", "sequential", "--set", "kappa_a=1"), "holds"),
        (("patient", "draw", "--n", -4, "--seed", 1, "--out", "people.csv"), "out of range"),
        (("fit", "identify", "--design", "two-arm"), "two-arm-ybocs"),
    ],
)
def test_bad_input_is_refused_with_what_is_allowed_and_nothing_is_written(arguments, word, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    more = ("--out", "out") if arguments[:2] == ("arm", "compare") else ()
    assert word in refused(*arguments, *more)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "command", [("model", "list"), ("patient", "draw"), ("arm", "compare"), ("arm", "timing"), ("fit", "identify")]
)
def test_every_command_has_an_example(command):
    assert "Example:" in run(*command, "--help").output


@pytest.mark.parametrize("model_id", [one for one in sorted(catalogue()) if one != "state-dependent"])
def test_a_model_names_the_references_of_its_evidence(model_id):
    data = json.loads(run("model", "show", model_id, "--json").output)
    assert set(model(model_id).card.sources) <= set(data["sources"])
    assert model(model_id).card.sources
    shown = run("model", "show", model_id).output
    assert all(f"{name}:" in shown for name in data["sources"])


@pytest.mark.parametrize("name", ["kappa_a", "kappa_c", "kappa_p", "kappa_r", "eta0", "delta"])
def test_every_signed_coupling_names_the_studies_behind_it_and_stays_an_assumption(name):
    typical = priors()[name].typical
    named = [one for one in typical.source.split("; ") if one in references()]
    assert named
    assert str(typical.mark) == "assumed"


def test_pinning_a_schedule_again_prints_its_digests(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(path_of("schedules", "erp-alone").read_text().replace("sha256:", "sha256:0"))
    assert "not the one this schedule was written for" in refused("arm", "show", path)
    found = json.loads(run("arm", "pin", path, "--json").output)
    assert found[str(path)]["erp-alone"].startswith("sha256:")
    assert run("arm", "show", path).exit_code == 0
