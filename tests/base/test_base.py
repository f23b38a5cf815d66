"""Digests, files, line numbers, seeds: what every room stands on."""

import os
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerp.base.chain import chain, chain_hash, first_break
from kerp.base.digest import canonical, digest
from kerp.base.elapsed import clock, min_from_ms, ms_from_min
from kerp.base.errors import Fault, KerpError, UnknownIdError
from kerp.base.seeds import Stream, generator
from kerp.base.textfile import read_text, write_all, write_atomic
from kerp.base.tomlfile import dotted, parse_toml

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=5), PLAIN, max_size=5))
def test_key_order_does_not_change_a_digest(data: dict) -> None:
    assert digest(dict(reversed(data.items()))) == digest(data)


def test_a_whole_float_and_an_integer_have_one_digest_and_other_numbers_do_not() -> None:
    assert digest({"a": 5.0}) == digest({"a": 5})
    assert digest({"a": 5.5}) != digest({"a": 5})
    assert canonical({"b": Decimal("0.10"), "a": (1, 2)}) == '{"a":[1,2],"b":"0.10"}'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_has_no_digest(value: float) -> None:
    with pytest.raises(KerpError, match="not a number"):
        digest({"a": [value]})


@settings(max_examples=50, deadline=None)
@given(st.lists(PLAIN, min_size=1, max_size=6), st.data())
def test_a_chain_breaks_where_a_record_was_changed(records: list, data: st.DataObject) -> None:
    hashes = chain(records)
    assert first_break(zip(records, hashes, strict=True)) is None
    at = data.draw(st.integers(0, len(records) - 1))
    changed = [*records[:at], {"changed": records[at]}, *records[at + 1 :]]
    assert first_break(zip(changed, hashes, strict=True)) == at
    assert chain_hash(hashes[-1], records[0]) not in hashes


def test_every_key_of_a_toml_file_knows_its_line() -> None:
    text = (
        '# note\nid = "x"\n\n[dose]\nmg = 5\n[[rules]]\nid = "a"\n'
        '[[rules]]\nid = "b"\n[rules.thresholds]\nsbp = 180\n'
    )
    document = parse_toml(text, where="f.toml")
    assert document.line_of(("id",)) == 2
    assert document.line_of(("dose", "mg")) == 5
    assert document.line_of(("rules", 0, "id")) == 7
    assert document.line_of(("rules", 1, "thresholds", "sbp")) == 11
    assert document.line_of(("rules", 1, "thresholds", "missing")) == 10
    assert dotted(("rules", 1, "thresholds", "sbp")) == "rules[1].thresholds.sbp"


def test_a_key_inside_a_long_text_is_no_key() -> None:
    document = parse_toml('a = """\nb = 1\n"""\nc = 2\n', where="f.toml")
    assert document.line_of(("b",)) is None
    assert document.line_of(("c",)) == 4


def test_broken_toml_names_its_line() -> None:
    with pytest.raises(KerpError) as refused:
        parse_toml("a = 1\nb = = 2\n", where="f.toml")
    assert refused.value.faults[0].line == 2


def test_toml_nested_beyond_reading_is_refused() -> None:
    with pytest.raises(KerpError, match="nested too deeply"):
        parse_toml("a = " + "[" * 5000 + "]" * 5000, where="site.toml")


def test_a_number_of_thousands_of_digits_is_refused() -> None:
    with pytest.raises(KerpError, match="far too long"):
        parse_toml("a = " + "9" * 5000, where="site.toml")


@pytest.mark.parametrize("digits", [20, 400])
def test_a_whole_number_that_toml_does_not_know_is_refused_with_its_place(digits: int) -> None:
    with pytest.raises(KerpError, match="far too long") as refused:
        parse_toml("a = 1\n[[b]]\nc = [2, -1" + "0" * digits + "]\n", where="site.toml")
    (fault,) = refused.value.faults
    assert (fault.line, fault.field) == (3, "b[0].c[1]")
    assert parse_toml(f"a = {2**63 - 1}", where="site.toml").data == {"a": 2**63 - 1}


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"fine\n\xff\xfe")
    with pytest.raises(KerpError, match="not UTF-8") as refused:
        read_text(tmp_path / "bytes")
    assert refused.value.faults[0].line == 2
    with pytest.raises(KerpError, match="directory"):
        read_text(tmp_path)
    with pytest.raises(KerpError, match="no such file"):
        read_text(tmp_path / "none")


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("x")
    with pytest.raises(KerpError, match="cannot be written"):
        write_atomic(blocked / "below", "y")
    write_atomic(tmp_path / "new" / "file", "content")
    assert (tmp_path / "new" / "file").read_text() == "content"
    assert sorted(item.name for item in tmp_path.iterdir()) == ["file", "new"]


def test_files_that_belong_together_are_replaced_together_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [tmp_path / name for name in ("a", "b", "c")]
    write_all(dict.fromkeys(names, "old"))
    left = iter([None, OSError(28, "No space left on device")])

    def nearly_full(_: int) -> None:
        if (error := next(left)) is not None:
            raise error

    monkeypatch.setattr("kerp.base.textfile.os.fsync", nearly_full)
    with pytest.raises(KerpError, match="No space left") as refused:
        write_all(dict.fromkeys(names, "new"))
    assert refused.value.faults[0].where == str(names[1])
    assert [name.read_text() for name in names] == ["old"] * 3
    assert sorted(tmp_path.iterdir()) == names
    monkeypatch.undo()
    (tmp_path / "d").mkdir()
    with pytest.raises(KerpError, match="directory"):
        write_all(dict.fromkeys([*names, tmp_path / "d"], "new"))
    assert names[0].read_text() == "old"


def test_a_pipe_or_a_device_is_never_replaced_by_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(KerpError, match="not a file"):
        write_atomic(pipe, "content")
    assert pipe.is_fifo()


def test_a_fault_says_where_what_and_the_ways_out() -> None:
    fault = Fault("too much", "p.toml", 12, "dose.mg", "86", "28, 56, 84", ("give 84",))
    assert str(fault) == "p.toml:12 dose.mg: too much\n  found:   86\n  allowed: 28, 56, 84\n  way out: give 84"
    assert "did you mean ybocs" in str(UnknownIdError("instrument", "ybcos", ["ybocs", "cadss6"]))


def test_seeds_do_not_depend_on_what_was_drawn_before() -> None:
    first = generator(7, Stream.PATIENT, 3).normal(size=4)
    generator(7, Stream.PROCESS, 3).normal(size=100)
    assert np.array_equal(first, generator(7, Stream.PATIENT, 3).normal(size=4))
    assert not np.array_equal(first, generator(7, Stream.PATIENT, 4).normal(size=4))
    with pytest.raises(KerpError, match="zero or more"):
        generator(-1, Stream.PATIENT)


@settings(max_examples=50, deadline=None)
@given(st.integers(-(10**6), 10**6))
def test_minutes_and_milliseconds_agree(minutes: int) -> None:
    assert min_from_ms(ms_from_min(minutes)) == minutes


def test_a_clock_reads_as_hours_and_minutes() -> None:
    assert [clock(ms) for ms in (-45 * 60_000, 5 * 60_000, 70 * 60_000)] == ["-0:45", "0:05", "1:10"]
