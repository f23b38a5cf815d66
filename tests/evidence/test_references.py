"""References: whole, unique, citable as text and as BibTeX."""

from __future__ import annotations

import re

import pytest

from kerp.base.errors import KerpError
from kerp.evidence.references import as_bibtex, as_text, cite, reference, reference_ids, references

PAPER = "bottemanne2021"


def bibtex_entries(text: str) -> dict[str, tuple[str, dict[str, str]]]:
    """An independent reader of BibTeX: entries, fields in balanced braces, nothing left over."""
    found, rest = {}, text
    while rest := rest.strip():
        head = re.match(r"@(\w+)\{([^,\s]+),\s*", rest)
        assert head, f"no entry begins here: {rest[:60]!r}"
        rest, fields = rest[head.end() :], {}
        while field := re.match(r"(\w+)\s*=\s*\{", rest):
            value, rest = balanced(rest[field.end() :])
            assert field.group(1) not in fields
            fields[field.group(1)] = value
            rest = re.sub(r"^\s*,\s*", "", rest)
        assert rest.startswith("}")
        assert head.group(2) not in found
        found[head.group(2)] = (head.group(1), fields)
        rest = rest[1:]
    return found


def balanced(text: str) -> tuple[str, str]:
    depth, index = 1, 0
    while depth:
        character = text[index]
        if character == "\\":
            index += 1
        elif character in "{}":
            depth += 1 if character == "{" else -1
        index += 1
    return text[: index - 1], text[index:]


def test_the_source_paper_is_cited_in_full():
    text = as_text(reference(PAPER))
    assert text.startswith("Bottemanne H, Arnould A. Ketamine augmentation of exposure response prevention")
    assert "Innov Clin Neurosci 2021;18(10-12):9-11." in text


def test_every_reference_as_bibtex_is_read_back_by_an_independent_reader():
    entries = bibtex_entries(cite(reference_ids(), "bibtex"))
    assert list(entries) == reference_ids()
    for identifier, (kind, fields) in entries.items():
        entry = references()[identifier]
        assert kind in {"article", "book", "incollection", "phdthesis", "misc"}
        assert re.sub(r"\{.*?\}", "", fields["author"]).count(" and ") == len(entry.authors) - 1
        assert fields.get("doi", "") == entry.doi
        assert fields.get("year", "") == str(entry.year or "")


@pytest.mark.parametrize("identifier", reference_ids())
def test_no_character_special_to_tex_is_left_bare(identifier):
    _, fields = bibtex_entries(as_bibtex(reference(identifier)))[identifier]
    for name in set(fields) - {"doi", "url"}:
        assert not re.search(r"(?<!\\)[&%$#_]", fields[name]), name


def test_a_body_as_author_is_kept_whole():
    _, fields = bibtex_entries(as_bibtex(reference("jnjsedation2024")))["jnjsedation2024"]
    assert fields["author"] == r"{Johnson \& Johnson Medical Connect}"


@pytest.mark.parametrize("identifier", reference_ids())
def test_identifiers_look_like_identifiers(identifier):
    entry = reference(identifier)
    assert re.fullmatch(r"[a-z0-9-]+", identifier)
    assert not entry.doi or re.fullmatch(r"10\.\d{4,9}/\S+", entry.doi)
    assert not entry.pmid or entry.pmid.isdigit()
    assert not entry.pmcid or re.fullmatch(r"PMC\d+", entry.pmcid)
    assert entry.year is None or 1900 < entry.year < 2030


def test_no_two_references_share_a_doi():
    dois = [entry.doi.lower() for entry in references().values() if entry.doi]
    assert len(dois) == len(set(dois))


def test_details_from_memory_say_so():
    assert "[details recalled, verify]" in as_text(reference("rodriguez2013"))
    assert "recalled" not in as_text(reference(PAPER))


def test_each_is_cited_once_in_order_of_first_mention():
    text = cite(["foa2005", PAPER, "foa2005"])
    assert text.index("Foa EB") < text.index("Bottemanne")
    assert text.count("Foa EB") == 1


def test_an_unknown_reference_offers_the_nearest():
    with pytest.raises(KerpError, match="rodriguez2013"):
        cite(["rodriquez2013"])


def test_an_unknown_style_is_refused():
    with pytest.raises(KerpError, match="text, bibtex"):
        cite([PAPER], "apa")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a]\ntitle = 'x'", "missing: type, authors, year, mark"),
        ("[a]\ntype='film'\nauthors=['A']\ntitle='x'\nyear=2000\nmark='read'", "'film'"),
        ("[a]\ntype='book'\nauthors=[]\ntitle='x'\nyear=2000\nmark='read'", "at least one author"),
        ("[a]\ntype='book'\nauthors=['A']\ntitle='x'\nyear=2000\nmark='assumed'", "read or recalled"),
        ("[a]\ntype='book'\nauthors=['A']\ntitle='x'\nyear=2000\nmark='read'\ncolour='x'", "unknown keys: colour"),
    ],
)
def test_a_reference_that_is_not_whole_is_refused(tmp_path, monkeypatch, text, message):
    (tmp_path / "references").mkdir()
    (tmp_path / "references" / "x.toml").write_text(text)
    monkeypatch.setattr("kerp.evidence.references.DATA", tmp_path)
    with pytest.raises(KerpError, match=message):
        references.__wrapped__()


def test_an_id_in_two_files_is_refused(tmp_path, monkeypatch):
    (tmp_path / "references").mkdir()
    for name in ("a", "b"):
        text = "[same]\ntype='book'\nauthors=['A']\ntitle='x'\nyear=2000\nmark='read'"
        (tmp_path / "references" / f"{name}.toml").write_text(text)
    monkeypatch.setattr("kerp.evidence.references.DATA", tmp_path)
    with pytest.raises(KerpError, match=r"already stands in references/a\.toml"):
        references.__wrapped__()
