"""Citations: where every number in this product comes from, as text and as BibTeX."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cache
from typing import Any

from kerp.base.data import DATA
from kerp.base.errors import Fault, KerpError
from kerp.base.tomlfile import TomlDocument, read_toml
from kerp.evidence.sourced import Mark

TYPES = {
    "article": "article",
    "book": "book",
    "chapter": "incollection",
    "thesis": "phdthesis",
    "preprint": "misc",
    "dataset": "misc",
    "registration": "misc",
    "label": "misc",
    "web": "misc",
    "software": "misc",
    "abstract": "misc",
}
_REQUIRED = ("type", "authors", "title", "year", "mark")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One source. `mark` is of these bibliographic details (read or recalled); numbers carry their own mark.

    `year` is None where the source prints none. `licence` is set where figures were taken over under one.
    """

    id: str
    type: str
    authors: tuple[str, ...]
    title: str
    year: int | None
    mark: Mark
    topic: str = ""
    journal: str = ""
    volume: str = ""
    number: str = ""
    pages: str = ""
    publisher: str = ""
    doi: str = ""
    pmid: str = ""
    pmcid: str = ""
    trial: str = ""
    url: str = ""
    licence: str = ""
    note: str = ""


@cache
def references() -> dict[str, Reference]:
    """Every shipped reference by id, sorted; a malformed or doubly defined one is a `KerpError`."""
    found: dict[str, Reference] = {}
    faults: list[Fault] = []
    for path in sorted((DATA / "references").glob("*.toml")):
        document = read_toml(path)
        for key, table in document.data.items():
            if key in found:
                where = f"references/{found[key].topic}.toml"
                faults.append(_fault(document, key, f"this reference already stands in {where}"))
            elif problem := _problem(table):
                faults.append(_fault(document, key, problem))
            else:
                found[key] = _reference(key, table, path.stem)
    if faults:
        raise KerpError(*faults)
    return dict(sorted(found.items()))


def _fault(document: TomlDocument, key: str, message: str) -> Fault:
    ways = ("docs/data-files.md shows a whole one",)
    return Fault(message, document.where, document.line_of((key,)), key, ways_out=ways)


def _problem(table: Any) -> str:
    if not isinstance(table, dict):
        return "a reference is a table"
    known = {field.name for field in fields(Reference)} - {"id", "topic"}
    if missing := [key for key in _REQUIRED if key not in table]:
        return f"missing: {', '.join(missing)}"
    if unknown := sorted(set(table) - known):
        return f"unknown keys: {', '.join(unknown)}; allowed: {', '.join(sorted(known))}"
    if table["type"] not in TYPES:
        return f"the type {table['type']!r} is none of {', '.join(TYPES)}"
    if table["mark"] not in {Mark.READ, Mark.RECALLED}:
        return "the mark of a reference is read or recalled"
    return "" if table["authors"] else "a reference has at least one author"


def _reference(key: str, table: dict[str, Any], topic: str) -> Reference:
    year = table["year"] or None  # TOML has no null: 0 stands for an undated page
    rest = {name: str(item) for name, item in table.items() if name not in _REQUIRED}
    authors = tuple(table["authors"])
    return Reference(
        id=key,
        type=table["type"],
        authors=authors,
        title=table["title"],
        year=year,
        mark=Mark(table["mark"]),
        topic=topic,
        **rest,
    )


def reference_ids() -> list[str]:
    """Ids of every shipped reference."""
    return list(references())


def reference(identifier: str) -> Reference:
    """The reference of an id; an unknown one is refused with the nearest."""
    known = references()
    if identifier not in known:
        near = get_close_matches(identifier, known, n=3, cutoff=0.6)
        ways = (*(f"did you mean {name}?" for name in near), "kerp evidence list references shows every id")
        raise KerpError(Fault(f"there is no reference called {identifier!r}", found=identifier, ways_out=ways))
    return known[identifier]


def cite(identifiers: Iterable[str], style: str = "text") -> str:
    """The references of some ids, each once, in the order of first mention.

    `style` is `text` (one paragraph each) or `bibtex`. Raises `KerpError` for an unknown id or style.
    """
    if style not in {"text", "bibtex"}:
        raise KerpError(Fault("there is no such citation style", found=style, allowed="text, bibtex"))
    chosen = [reference(identifier) for identifier in dict.fromkeys(identifiers)]
    write = as_text if style == "text" else as_bibtex
    return "\n\n".join(write(item) for item in chosen)


def as_text(item: Reference) -> str:
    """One paragraph: authors, title, place, identifiers, and a word where the details are from memory."""
    authors = ", ".join("et al." if name == "others" else name for name in item.authors)
    locator = item.volume + (f"({item.number})" if item.number else "") + (f":{item.pages}" if item.pages else "")
    place = " ".join(part for part in (item.journal or item.publisher, str(item.year or "n.d.")) if part)
    parts = [f"{authors.rstrip('.')}.", f"{item.title.rstrip('.')}.", f"{place}{';' + locator if locator else ''}."]
    parts += [f"{name} {found}." for name, found in _identifiers(item)]
    parts += [f"Licence: {item.licence}."] if item.licence else []
    parts += ["[details recalled, verify]"] if item.mark is Mark.RECALLED else []
    return " ".join(parts)


def _identifiers(item: Reference) -> list[tuple[str, str]]:
    named = [("DOI", item.doi), ("PMID", item.pmid), ("PMCID", item.pmcid), ("Registration", item.trial)]
    return [(name, found) for name, found in named if found]


_ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
}
_VERBATIM = {"author", "doi", "url"}  # authors are escaped name by name


def as_bibtex(item: Reference) -> str:
    """One BibTeX entry; characters special to TeX are escaped, braces stay balanced."""
    entry: dict[str, str] = {
        "author": " and ".join(_bibtex_name(name) for name in item.authors),
        "title": item.title,
        "journal" if TYPES[item.type] == "article" else "howpublished": item.journal,
        "publisher": item.publisher,
        "year": str(item.year or ""),
        "volume": item.volume,
        "number": item.number,
        "pages": item.pages.replace("-", "--"),
        "doi": item.doi,
        "pmid": item.pmid,
        "url": item.url,
        "note": "; ".join(part for part in (item.trial, item.licence, item.note) if part),
    }
    lines = [f"  {key} = {{{_tex(key, text)}}}," for key, text in entry.items() if text]
    return "\n".join([f"@{TYPES[item.type]}{{{item.id},", *lines, "}"])


def _tex(key: str, text: str) -> str:
    if key in _VERBATIM:
        return text
    escaped = "".join(_ESCAPES.get(letter, letter) for letter in text)
    return f"{{{escaped}}}" if key == "title" else escaped


def _bibtex_name(name: str) -> str:
    """`Rodriguez CI` -> `Rodriguez, C. I.`; the name of a body stands in braces, so that nobody splits it."""
    if name == "others":
        return name
    family, _, initials = name.rpartition(" ")
    if family and initials.isalpha() and initials.isupper() and len(initials) <= 4:
        return _tex("", f"{family}, {' '.join(f'{letter}.' for letter in initials)}")
    return f"{{{_tex('', name)}}}"
