"""One self-contained HTML page: sections of text, tables and figures, readable in print, in grey, by screen reader.

Every report of kerp is made of these blocks; nothing is loaded from a network. A figure is always followed by the
numbers behind it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from kerp import __version__

INTENDED_USE = (
    "Research software. Clinicians decide; kerp records, times, computes and warns. "
    "Model output is labelled as such and gates nothing."
)


@dataclass(frozen=True)
class Text:
    """A paragraph. `tone`: plain, note, warning."""

    text: str
    tone: str = "plain"
    kind: str = "text"


@dataclass(frozen=True)
class Facts:
    """Pairs of name and value, as at the head of a record."""

    pairs: Sequence[tuple[str, Any]]
    kind: str = "facts"


@dataclass(frozen=True)
class Listing:
    """A plain list."""

    items: Sequence[str]
    kind: str = "listing"


@dataclass(frozen=True)
class Table:
    """A table with a caption. `numeric` are the columns (by position) set flush right; `empty` stands for no rows."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    numeric: Sequence[int] = ()
    note: str = ""
    empty: str = "None."
    kind: str = "table"


@dataclass(frozen=True)
class Figure:
    """An SVG picture with a caption, a description for those who cannot see it, and the numbers behind it."""

    svg: str
    caption: str
    description: str
    numbers: Sequence[Table] = ()
    kind: str = "figure"


@dataclass(frozen=True)
class Subhead:
    """A heading within a section."""

    title: str
    kind: str = "subhead"


Block = Text | Facts | Listing | Table | Figure | Subhead


@dataclass(frozen=True)
class Section:
    """A part of a page."""

    id: str
    title: str
    blocks: Sequence[Block] = field(default_factory=tuple)


@dataclass(frozen=True)
class Page:
    """A whole page. `badges` stand beside the title: 'simulated'. `running_title` is at the foot of printed pages.

    `runs_on`: in print a section with a figure follows the one before, instead of beginning a page.
    """

    title: str
    subtitle: str
    sections: Sequence[Section]
    badges: Sequence[str] = ()
    language: str = "en"
    running_title: str = ""
    runs_on: bool = False


def render(page: Page) -> str:
    """The page as one HTML file. The same page gives the same bytes."""
    return str(_template().render(page=page, version=__version__, intended_use=INTENDED_USE))


def cell(value: Any) -> str:
    """A value as people read it: nothing for a missing one (never a zero), numbers without noise."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    return str(value)


def inline_svg(svg: str, prefix: str) -> str:
    """An SVG that can stand in a page: no XML head, ids of its own, width left to the page."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', body)
    body = re.sub(r'(xlink:href|href)="#([^"]+)"', rf'\1="#{prefix}-\2"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", body)
    return re.sub(
        r'<svg([^>]*?) width="[^"]*"([^>]*?)', r"<svg\1\2", re.sub(r' height="[^"]*pt"', "", body, count=1), count=1
    )


def css_text(words: str) -> str:
    """Words that can stand in a style sheet's string: whatever could end the string or the sheet is left out."""
    return "".join(letter for letter in words if letter.isalnum() or letter in " .,:;()·-_/")


@cache
def _template() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("kerp.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = cell
    environment.filters["css_text"] = css_text
    environment.filters["svg"] = Markup  # drawn by kerp itself, never by a user
    return environment.get_template("page.html.j2")
