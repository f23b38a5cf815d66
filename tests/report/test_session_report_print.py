"""The report as people see it: on a screen, on A4, through a screen reader. These tests need Chromium."""

from __future__ import annotations

import shutil
import subprocess
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdf
import pytest

from kerp.records.logfile import Log
from kerp.report.session.document import read_for_report, session_page, session_report
from system_browser import ARGUMENTS

A4_PT = (595.3, 841.9)
CONTENT_PX = round((210 - 2 * 14) / 25.4 * 96)  # width of an A4 page between the margins of the style sheet
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="module")
def chromium() -> str:
    """Where Chromium is; a machine without it fails, so that nobody believes these were run."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.fail("Chromium is missing: install the Debian package `chromium` (apt-get install chromium)")
    return found


@pytest.fixture(scope="module")
def report(example_log: Log, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("print") / "report.html"
    path.write_text(session_report(example_log), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def pdf(chromium: str, report: Path) -> Path:
    out = report.with_suffix(".pdf")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer", f"--print-to-pdf={out}"]
    profile = f"--user-data-dir={report.parent / 'profile'}"
    done = subprocess.run([chromium, *flags, profile, report.as_uri()], capture_output=True, timeout=120, check=False)
    assert out.is_file(), done.stderr.decode(errors="replace")[-2000:]
    return out


@pytest.fixture(scope="module")
def printed(pdf: Path) -> list[str]:
    """The text of every printed page."""
    return [page.extract_text() for page in pypdf.PdfReader(pdf).pages]


@pytest.fixture(scope="module")
def tab(playing: Any, chromium: str, report: Path) -> Iterator[Any]:
    browser = playing.chromium.launch(executable_path=chromium, args=ARGUMENTS)
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    opened.asked = []
    opened.on("request", lambda request: opened.asked.append(request.url))
    opened.goto(report.as_uri())
    yield opened
    browser.close()


def words(text: str) -> str:
    """Letters without spaces and ligatures, which a PDF sets as it likes."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def test_it_prints_on_a4_in_a_reasonable_number_of_pages(pdf: Path) -> None:
    pages = pypdf.PdfReader(pdf).pages
    assert 8 <= len(pages) <= 25
    for page in pages:
        assert [float(side) for side in page.mediabox[2:]] == pytest.approx(A4_PT, abs=1.5)


def test_every_table_is_printed_to_its_last_row_also_those_folded_away_on_a_screen(
    printed: list[str], example_log: Log
) -> None:
    whole = words("".join(printed))
    for section in session_page(read_for_report(example_log)).sections:
        for block in section.blocks:
            tables = block.numbers if block.kind == "figure" else [block] if block.kind == "table" else []
            for table in tables:
                assert words(table.caption) in whole, table.caption
                for value in (table.rows[0][0], table.rows[-1][-1]) if table.rows else ():
                    if isinstance(value, str):
                        assert words(value) in whole, f"{table.caption}: {value}"


def test_every_printed_page_says_whose_report_it_is_and_which_page(printed: list[str]) -> None:
    for number, text in enumerate(printed, start=1):
        assert "kerp session report · P-017" in text
        assert words(f"{number} / {len(printed)}") in words(text)


def test_a_time_line_is_whole_on_one_page(printed: list[str]) -> None:
    titles = ("Phase", "Predicted drug level", "Distress and urge", "Blood pressure", "Sedation, MOAA/S", "Advice")
    assert any(all(words(title) in words(text) for title in titles) for text in printed)


def test_no_table_is_wider_than_the_printed_page(tab: Any) -> None:
    tab.emulate_media(media="print")
    tab.set_viewport_size({"width": CONTENT_PX, "height": 1000})
    wide = tab.evaluate(
        "() => [...document.querySelectorAll('table, svg, p, li, dd')]"
        ".filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)"
        ".map(e => (e.caption ? e.caption.textContent : e.textContent.slice(0, 60)))"
    )
    tab.emulate_media(media="screen")
    tab.set_viewport_size({"width": 1280, "height": 900})
    assert wide == []


def test_words_of_the_time_line_do_not_run_out_of_the_picture(tab: Any) -> None:
    outside = tab.evaluate(
        "() => [...document.querySelectorAll('figure svg')].flatMap(svg => { const box = svg.getBoundingClientRect();"
        " return [...svg.querySelectorAll('text')].filter(t => { const b = t.getBoundingClientRect();"
        " return b.left < box.left - 1 || b.right > box.right + 1 || b.bottom > box.bottom + 1; })"
        ".map(t => t.textContent); })"
    )
    assert outside == []


def test_the_page_asks_the_network_for_nothing(tab: Any, report: Path) -> None:
    assert tab.asked == [report.as_uri()]


def test_a_screen_reader_finds_nothing_in_its_way(tab: Any) -> None:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(tab).response["violations"]
    assert [(rule["id"], rule["nodes"][0]["html"][:120]) for rule in found] == []


def test_in_grey_the_levels_of_the_bands_and_blocks_stay_apart(tab: Any) -> None:
    """Shades that stand for different things differ in lightness or in pattern, not in hue alone."""
    fills = tab.evaluate(
        "() => [...document.querySelectorAll('#time-line-1 svg rect, #time-line-1 svg path')]"
        ".map(e => e.getAttribute('fill')).filter(f => f && f.startsWith('url('))"
    )
    assert any("hatch-exposure" in fill for fill in fills)
    assert any("hatch-suds" in fill for fill in fills)
    marks = tab.evaluate(
        "() => [...document.querySelectorAll('#time-line-1 svg')].map(svg => ({"
        " up: svg.querySelectorAll('polygon').length, round: svg.querySelectorAll('circle').length,"
        " dashed: svg.querySelectorAll('[stroke-dasharray]:not([stroke-dasharray=none])').length }))"
    )[0]
    assert min(marks.values()) > 5
