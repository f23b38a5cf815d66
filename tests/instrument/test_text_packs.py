"""The site's wording: ids and version must match, the digest is recorded (M18)."""

from __future__ import annotations

import hashlib

import pytest

from kerp.base.errors import KerpError
from kerp.instrument.load import load_instrument
from kerp.instrument.textpack import load_text_pack, load_text_packs

CGI = load_instrument("ymrs1")


def pack(instrument="ymrs1", version=CGI.version, items='elevated_mood = "text of the site"', more=""):
    head = f'instrument = "{instrument}"\nversion = "{version}"\nlanguage = "en"\nrights = "licence 12"\n'
    return f"{head}{more}[items]\n{items}\n"


def written(folder, text, name="ymrs1.toml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_pack_that_fits_is_loaded_with_the_digest_of_its_bytes(tmp_path):
    path = written(tmp_path, pack() + '[anchors]\n"elevated_mood:4" = "x"\n')
    found = load_text_packs(tmp_path)["ymrs1"]
    assert found.items == {"elevated_mood": "text of the site"}
    assert found.digest == "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.anchors == {"elevated_mood:4": "x"}


def test_a_changed_word_changes_the_digest(tmp_path):
    first = load_text_pack(written(tmp_path, pack())).digest
    assert load_text_pack(written(tmp_path, pack(items='elevated_mood = "other text"'))).digest != first


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (pack(items='mood = "x"'), "no text for elevated_mood"),
        (pack(items='elevated_mood = "x"\nextra = "y"'), "has no item extra"),
        (pack(items='elevated_mood = "  "'), "empty or not text"),
        (pack(version="11 items"), "the pack is for '11 items'"),
        (pack(instrument="nothing"), "names its instrument"),
        (pack(more='colour = "x"\n'), "unknown key"),
        (pack() + '[anchors]\n"elevated_mood:9" = "x"\n', "not an item and one of its answers"),
        ("", "empty"),
    ],
)
def test_a_pack_that_does_not_fit_is_refused(tmp_path, text, message):
    with pytest.raises(KerpError, match=message):
        load_text_pack(written(tmp_path, text))


def test_two_packs_for_one_instrument_are_refused(tmp_path):
    written(tmp_path, pack())
    written(tmp_path, pack(), name="again.toml")
    with pytest.raises(KerpError, match="already"):
        load_text_packs(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(KerpError, match="not there"):
        load_text_packs(tmp_path / "none")
