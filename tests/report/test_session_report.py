"""The session report holds what it must, says where every number is from, and tells nothing that would unblind."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from kerp.base.errors import KerpError
from kerp.cli.main import main
from kerp.evidence.references import reference_ids
from kerp.protocol.load import load_protocol
from kerp.records.logfile import Log
from kerp.records.replay import replay
from kerp.report.session.document import read_for_report, session_page, session_report, time_line_svg
from kerp.report.session.drug import doses_of, drug_picture
from kerp.session import events as e

TRACKS = (
    "Phase",
    "Predicted drug level",
    "Felt effect",
    "Distress and urge",
    "Exposure blocks",
    "Rituals",
    "Blood pressure",
    "Heart rate",
    "Oxygen saturation",
    "Sedation, MOAA/S",
    "Harms, medication",
    "Advice",
)
VOID = {"meta", "br", "hr", "img", "input", "link"}
HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}


class Reader(HTMLParser):
    """Reads a page strictly: every tag closed in order; collects ids, headings, pictures, tables, texts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.ids: list[str] = []
        self.pointers: list[str] = []
        self.headings: list[int] = []
        self.pictures: list[dict[str, str | None]] = []
        self.tables = self.captions = 0
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        self.faults += [f"{tag} is never closed" for tag in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        names = [name for name, _ in attrs]
        self.faults += [f"{name} twice on {tag}" for name in set(names) if names.count(name) > 1]
        if found.get("id"):
            self.ids.append(str(found["id"]))
        for name in ("href", "aria-labelledby"):
            if str(found.get(name, "")).startswith("#") or (name == "aria-labelledby" and found.get(name)):
                self.pointers.append(str(found[name]).removeprefix("#"))
        if tag in HEADINGS:
            self.headings.append(int(tag[1]))
        self.pictures += [found] if found.get("role") == "img" else []
        self.tables += tag == "table"
        self.captions += tag == "caption"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1] != tag:
            self.faults.append(f"</{tag}> closes {self.open[-1] if self.open else 'nothing'} at {self.getpos()}")
        else:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"style", "script"}:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def html(example_log: Log) -> str:
    return session_report(example_log)


@pytest.fixture(scope="module")
def page(html: str) -> Reader:
    return Reader(html)


@pytest.fixture(scope="module")
def blinded(blinded_log: Log) -> Reader:
    return Reader(session_report(blinded_log))


def test_every_track_stands_on_the_one_time_line(html: str) -> None:
    first = html[html.index('id="time-line-1"') : html.index('id="time-line-2"')]
    figure = first[: first.index("</figure>")]
    assert figure.count("<svg") == 1
    for title in TRACKS:
        assert f">{title}</text>" in figure, title


def test_the_head_names_participant_protocol_digest_and_that_nobody_is_real(page: Reader, example_log: Log) -> None:
    assert "Session report: P-017" in page.text
    assert "simulated participant" in page.text
    assert example_log.opened.protocol_digest in page.text
    assert example_log.chain_head in page.text
    assert "no site has signed them" in page.text


def test_the_dose_is_told_as_it_was_given_segment_by_segment(page: Reader) -> None:
    assert "infusion, segment 1 0 31 52.5 mL/h, 0.875 mg/min 27.12 mL 27.12 mg" in page.text
    assert "infusion, segment 2 35 44 52.5 mL/h, 0.875 mg/min 7.875 mL 7.875 mg" in page.text
    assert "Read off at the end of session dosing-1: 35 mL and 35 mg." in page.text


def test_the_forecast_and_the_prediction_are_called_model_output_with_their_sampling_site(page: Reader) -> None:
    assert "Predicted ketamine, ng/mL, arterial plasma: model output (Kamp 2020 (pooled, arterial))" in page.text
    assert "Model output, which decided nothing" in page.text
    assert (
        "forecast: Felt effect with tolerance (exploratory), calibrated, not fitted. It decided nothing." in page.text
    )
    assert "shape-calibrated to published statements on time course, not fitted to data" in page.text
    assert "looking back, from every rating" in page.text


def test_doses_for_the_model_are_the_segments_as_given_not_the_plan(example_log: Log) -> None:
    view = read_for_report(example_log).course.views[0]
    doses = doses_of(view)
    assert doses is not None
    assert [(s.from_min, s.to_min, s.mg_per_min) for s in doses.segments] == [(0, 31, 0.875), (35, 44, 0.875)]
    made = drug_picture(view, 120).prediction
    assert made is not None
    assert made.typical[33] < made.typical[31]  # the pause shows


def test_scores_stand_with_their_period_and_the_one_that_looks_back_over_the_dose_is_not_valid(page: Reader) -> None:
    assert "Yale-Brown Obsessive Compulsive Scale, ten severity items past 7 days 29 −1 17 14 −12 −41" in page.text
    assert "day 3: 20, moderate (not valid: a dose lies in the period)" in page.text
    assert "29 before, 17 on day 14 (−41\u00a0%)" in page.text.replace("(−41 %)", "(−41\u00a0%)")


def test_outcome_is_given_by_every_definition_and_nothing_is_guessed(page: Reader) -> None:
    for title in ("Mataix-Cols 2016", "Simpson trials", "Tolin 2005", "Lewin 2011", "Farris 2013", "Cohen 2024"):
        assert title in page.text
    assert "cannot be determined (days it has held)" in page.text
    simpson = page.text[page.text.index("25 % rule of the Simpson trials") :]
    assert "response met met Y-BOCS at least 25 % below baseline" in simpson


def test_a_fall_of_suds_says_what_it_may_come_from_and_whether_it_counts(page: Reader) -> None:
    assert "dosing-1 b4 35.6 to 60.6 50 → 26 24 habituation, distraction, drug no derived" in page.text
    assert re.search(r"repeat-1 r1 0\.5 to 9\.5 62 → 52 10 habituation yes derived", page.text)


def test_advice_stands_with_who_decides_what_was_done_and_its_source(page: Reader) -> None:
    assert (
        "dosing-1 30.1 34.1 warn Blood pressure rising prescriber acknowledged by Dr Pia after 1 min vitals "
        "spravatolabel (read)" in page.text
    )
    assert "overridden by Theo within 1 min" in page.text


def test_missing_late_and_corrected_entries_are_told_apart(page: Reader) -> None:
    assert "dosing-1 Urge to ritualise participant 16 13 1 2 35, 70, 75 yes" in page.text
    assert "too dissociated 1" in page.text
    assert "dosing-1 70.6 suds 14.1 Theo yes" in page.text
    assert re.search(r"\d+ urge 70 60 Theo", page.text)


def test_free_text_stays_in_the_log_unless_it_is_asked_for(example_log: Log, page: Reader) -> None:
    written = ("participant wants to go on with the sink", "typed 70, said 60", "pause, repeat in 4 min")
    shown = Reader(session_report(example_log, free_text=True)).text
    for words in written:
        assert words not in page.text
        assert words in shown
    for never in ("went up and came down", "door handle of the clinic"):
        assert never not in page.text


def test_every_reference_used_is_listed_and_every_assumed_number_stands_there(page: Reader, example_log: Log) -> None:
    sections = {section.id: section for section in session_page(read_for_report(example_log)).sections}
    references = sections["references"].blocks[-1].items
    assert len(references) > 20
    assert any("Kamp J" in item for item in references)
    assert any("Bottemanne" in item or "Rodriguez CI" in item for item in references)
    rows = [row for table in sections["assumed"].blocks[1:] for row in table.rows]
    named = {row[0]: row[1] for row in rows}
    assert named["effect rule · onset rise"] == "2 points"
    assert named["rules bp warn · thresholds · sbp mmhg"] == "160 mmHg"
    assert "every 5 min" in named["sessions dosing · prompts suds"]
    assert named["felt rating · parameters · noise sd"] == "1 points"
    assert {row[2] for row in rows} == {"recalled", "assumed"}
    assert f"These {len(rows)} entries hold every number" in page.text
    sources = {name for row in rows for name in row[3].split("; ")}
    assert sources <= {*reference_ids(), "kerp"} | {name for name in sources if name.startswith("PAPER P")}


def test_a_blinded_report_tells_neither_mg_nor_drug_nor_a_predicted_concentration(blinded: Reader) -> None:
    assert "Hidden: this log is blinded (M8)." in blinded.text
    assert "study drug 35 mL" in blinded.text
    given = blinded.text[blinded.text.index("Dose as given") : blinded.text.index("Exposure blocks")]
    assert " mg" not in given.replace("no dose in mg is shown", "")
    for word in (
        "esketamine",
        "midazolam",
        "saline",
        "0.875",
        "Kamp",
        "ng/mL",
        "Forecast of the felt effect",
        "mg/kg",
    ):
        assert word not in blinded.text.split("References")[0], word
    assert "Drug models" not in blinded.text


def test_mg_that_slipped_into_a_blinded_log_is_not_passed_on(
    tell: Callable[..., Log], blinded_log: Log, example_log: Log
) -> None:
    protocol = replay(blinded_log).protocol
    wanted = (e.SessionOpened, e.DoseComputed, e.AdministrationStarted, e.AdministrationEnded)
    told = [entry for entry in example_log.entries if isinstance(entry.event, wanted) and entry.session == "dosing-1"]
    lines = [(0, 540 + index, entry.actor, entry.event, "dosing-1") for index, entry in enumerate(told)]
    assert any(
        line[3] == e.AdministrationEnded(volume_given_ml=35.0, dose_given_mg=35.0, interruptions="31 to 35 min")
        for line in lines
    )
    html = session_report(tell(protocol, lines))
    assert "0.875 mg" not in html
    assert "35 mg" not in html
    assert "mg/min" not in html
    assert "52.5 mL/h" in html


def test_nothing_is_loaded_from_a_network_and_nothing_runs(html: str) -> None:
    assert not re.search(r"<(script|link|iframe|object|embed|img|base|form)\b", html)
    assert not re.search(r"@import|@font-face", html)
    assert all(target.startswith("#") for target in re.findall(r'\b(?:href|src|xlink:href)="([^"]*)"', html))
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", html))


def test_the_page_is_well_formed_with_one_id_each_and_headings_in_order(page: Reader, blinded: Reader) -> None:
    for read in (page, blinded):
        assert read.faults == []
        assert len(read.ids) == len(set(read.ids))
        assert set(read.pointers) <= set(read.ids)
        assert read.headings[0] == 1
        assert read.headings.count(1) == 1
        pairs = zip(read.headings, read.headings[1:], strict=False)
        assert all(after - before <= 1 for before, after in pairs)


def test_every_picture_has_words_and_numbers_for_those_who_cannot_see_it(html: str, page: Reader) -> None:
    assert page.pictures
    assert all(len(str(picture.get("aria-label") or "")) > 20 for picture in page.pictures)
    for figure in html.split("<figure")[1:]:
        body = figure[: figure.index("</figure>")]
        assert "<figcaption>" in body
        assert body.count("<table") >= 2
    assert page.tables == page.captions


def test_the_same_log_gives_the_same_bytes(example_log: Log, html: str) -> None:
    assert session_report(example_log) == html


def test_names_from_the_log_cannot_become_markup(tell: Callable[..., Log]) -> None:
    protocol = load_protocol("bottemanne2021-iv").protocol
    lines = [
        (0, 540, "<b>Theo</b>", e.SessionOpened(plan="dosing"), '"><script>x</script>'),
        (0, 585, "Nora", e.AdministrationStarted(route="iv_infusion", rate_mg_per_min=1.0), '"><script>x</script>'),
        (
            0,
            590,
            "T",
            e.ExposureStarted(block="<i>", item="<img src=x>", modality=e.Modality.OBJECT),
            '"><script>x</script>',
        ),
    ]
    read = Reader(session_report(tell(protocol, lines)))
    assert read.faults == []
    assert "<script" not in session_report(tell(protocol, lines))


@pytest.mark.parametrize("name", ["erp-alone", "midazolam-erp", "bottemanne2021-nasal"])
def test_a_course_that_was_only_opened_can_be_reported(tell: Callable[..., Log], name: str) -> None:
    read = Reader(session_report(tell(load_protocol(name).protocol, [])))
    assert read.faults == []
    assert "no valid score before or after" in read.text


def test_an_exposure_without_a_drug_counts_its_minutes_from_the_first_exposure(tell: Callable[..., Log]) -> None:
    protocol = load_protocol("erp-alone").protocol
    plan = next(plan.id for plan in protocol.sessions if plan.kind == "exposure_only")
    started = e.ExposureStarted(block="a", item="tap", modality=e.Modality.OBJECT)
    lines = [(0, 540, "T", e.SessionOpened(plan=plan), "s1"), (0, 550, "T", started, "s1")]
    lines += [(0, 550 + minute, "P", e.SudsRated(value=80 - minute), "s1") for minute in (1, 6, 11)]
    read = Reader(session_report(tell(protocol, lines)))
    assert "minute 0 is the recorded first exposure" in read.text
    assert "Predicted" not in read.text
    assert "still open" in read.text


def test_an_active_placebo_is_not_given_a_ketamine_curve(tell: Callable[..., Log]) -> None:
    lines = [
        (0, 540, "N", e.SessionOpened(plan="dosing"), "s1"),
        (0, 541, "N", e.Weighed(weight_kg=70), "s1"),
        (0, 585, "N", e.AdministrationStarted(route="iv_infusion", rate_mg_per_min=0.08), "s1"),
    ]
    read = Reader(session_report(tell(load_protocol("midazolam-erp").protocol, lines)))
    expected = {"there is no concentration model for midazolam", "Hidden: this log is blinded"}
    assert any(words in read.text for words in expected)
    assert "ng/mL" not in read.text.split("References")[0]


def test_the_command_writes_the_page_and_says_where(
    example_log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report.html"
    with pytest.raises(SystemExit) as stopped:
        main(["session", "report", example_log.where, "--out", str(out)])
    assert stopped.value.code in {0, None}
    assert "P-017" in capsys.readouterr().out
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_missing_log_is_named_and_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "report.html"
    with pytest.raises(SystemExit) as stopped:
        main(["session", "report", str(tmp_path / "none.kerplog"), "--out", str(out)])
    assert stopped.value.code == 2
    assert "none.kerplog: there is no such file" in capsys.readouterr().err
    assert not out.exists()


def test_the_time_line_can_stand_alone_as_a_picture(example_log: Log) -> None:
    svg = time_line_svg(example_log, "repeat-1")
    root = ElementTree.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "Exposure blocks" in "".join(root.itertext())
    assert "Blood pressure" not in "".join(root.itertext())
    with pytest.raises(KerpError, match="dosing-1"):
        time_line_svg(example_log, "dosing-7")
