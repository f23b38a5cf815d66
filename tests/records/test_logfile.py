"""The log file keeps what was written, mends only a cut-off end, and refuses everything else with its line."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerp.base.chain import GENESIS
from kerp.base.errors import KerpError
from kerp.protocol.digest import protocol_digest
from kerp.protocol.load import load_protocol
from kerp.records.logfile import LogWriter, lines, read_log, read_log_bytes, write_log
from kerp.session.events import Entry, FeltEffectRated, LogOpened, SudsRated, UnknownEvent

PROTOCOL = load_protocol("bottemanne2021-iv").protocol


def opening() -> Entry:
    event = LogOpened(
        participant="P001", protocol_id=PROTOCOL.id, protocol_digest=protocol_digest(PROTOCOL), engine_version="0.1.0"
    )
    return Entry(seq=1, id="id-1", occurred_ms=0, recorded_ms=0, actor="nurse-1", event=event)


def rating(seq: int, value: int) -> Entry:
    return Entry(
        seq=seq, id=f"id-{seq}", occurred_ms=seq * 60_000, recorded_ms=seq * 60_000, actor="therapist-1",
        session="s1", event=SudsRated(value=value),
    )  # fmt: skip


def some_log(count: int = 5) -> list[Entry]:
    return [opening(), *(rating(seq, seq * 7 % 100) for seq in range(2, count + 1))]


def text_of(entries: list[Entry]) -> bytes:
    return "".join(lines(entries, PROTOCOL)).encode()


def test_a_written_log_reads_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "p001.kerplog"
    write_log(path, some_log(), PROTOCOL)
    log = read_log(path)
    assert list(log.entries) == some_log()
    assert log.warnings == ()
    assert log.opened.participant == "P001"


@settings(max_examples=30, deadline=None)
@given(cut=st.integers(1, 400))
def test_a_power_cut_loses_at_most_the_line_that_was_being_written(cut: int) -> None:
    raw = text_of(some_log())
    last = len(raw) - len(raw.splitlines(keepends=True)[-1])
    cut_raw = raw[: max(last + 1, len(raw) - cut)]
    log = read_log_bytes(cut_raw, where="p001.kerplog")
    whole = list(log.entries) == some_log()
    assert whole or (list(log.entries) == some_log()[:-1] and "cut off" in log.warnings[0])


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_changed_byte_before_the_last_line_is_refused_with_its_line(data: st.DataObject) -> None:
    pieces = text_of(some_log()).splitlines(keepends=True)
    number = data.draw(st.integers(0, len(pieces) - 2))
    position = data.draw(st.integers(0, len(pieces[number]) - 2))
    damaged = bytearray(pieces[number])
    damaged[position] ^= 0x01
    raw = b"".join([*pieces[:number], bytes(damaged), *pieces[number + 1 :]])
    with pytest.raises(KerpError) as refused:
        read_log_bytes(raw, where="p001.kerplog")
    assert refused.value.faults[0].line is not None
    assert refused.value.faults[0].line <= number + 2


def test_a_last_line_that_is_whole_but_damaged_is_no_power_cut() -> None:
    raw = text_of(some_log())
    for damage in (raw[:-40] + b"\n", raw + b"[" * 100_000 + b"\n", raw + b"\xff\n"):
        with pytest.raises(KerpError, match="the line is damaged"):
            read_log_bytes(damage, where="log")


def test_an_empty_line_at_the_end_takes_nothing_away() -> None:
    log = read_log_bytes(text_of(some_log()) + b"\n\n", where="log")
    assert list(log.entries) == some_log()
    assert log.warnings == ()


def test_half_of_a_character_in_a_log_is_damage_with_its_line() -> None:
    opening, rest = text_of(some_log()).split(b"\n", 1)
    with pytest.raises(KerpError, match="half of a character") as refused:
        read_log_bytes(opening[:-1] + b',"x":"\\ud800"}\n' + rest, where="log")
    assert refused.value.faults[0].line == 1


def test_a_line_taken_out_of_the_middle_is_refused() -> None:
    pieces = text_of(some_log()).splitlines(keepends=True)
    with pytest.raises(KerpError, match="hash does not follow"):
        read_log_bytes(b"".join(pieces[:3] + pieces[4:]), where="log")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([rating(1, 5)], "opens with one log_opened"),
        ([opening(), rating(3, 5)], "not in order"),
        ([], "no entry"),
    ],
)
def test_a_log_in_disorder_is_not_written(tmp_path: Path, entries: list[Entry], message: str) -> None:
    path = tmp_path / "log"
    path.write_text("what was there before")
    with pytest.raises(KerpError, match=message):
        write_log(path, entries, PROTOCOL)
    assert path.read_text() == "what was there before"


def test_the_same_id_twice_is_refused(tmp_path: Path) -> None:
    third = Entry(seq=3, id="id-2", occurred_ms=1, recorded_ms=1, actor="a", event=SudsRated(value=9))
    with pytest.raises(KerpError, match="id is used twice"):
        write_log(tmp_path / "log", [opening(), rating(2, 5), third], PROTOCOL)


@pytest.mark.parametrize("content", [b"", b"   \n", b"\xff\xfe\x00", b"{}\n", b'{"format": "other"}\n', b"[1, 2]\n"])
def test_something_else_is_named_as_such(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(content)
    with pytest.raises(KerpError):
        read_log(path)


def test_a_directory_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(KerpError, match="directory"):
        read_log(tmp_path)
    with pytest.raises(KerpError, match="no such file"):
        read_log(tmp_path / "nothing")


def test_a_newer_format_is_refused_with_the_way_out() -> None:
    record = json.loads(text_of(some_log()).splitlines()[0]) | {"version": 9}
    with pytest.raises(KerpError, match="version of kerp that wrote it"):
        read_log_bytes(json.dumps(record).encode() + b"\n", where="log")


def test_nan_in_a_log_is_refused() -> None:
    raw = text_of(some_log()).replace(b'"value":14', b'"value":NaN')
    with pytest.raises(KerpError):
        read_log_bytes(raw, where="log")


def test_an_event_of_a_later_version_survives(tmp_path: Path) -> None:
    unknown = UnknownEvent(name="pupil_size", raw={"left_mm": 4.5})
    entries = [opening(), Entry(seq=2, id="id-2", occurred_ms=5, recorded_ms=5, actor="a", event=unknown)]
    write_log(tmp_path / "log", entries, PROTOCOL)
    assert read_log(tmp_path / "log").entries[1].event == unknown


def test_entries_can_be_appended_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write_log(path, some_log(3), PROTOCOL)
    log = read_log(path)
    with path.open("ab") as stream:
        writer = LogWriter(stream, log.chain_head, log.entries[-1].seq)
        writer.append(rating(4, 28))
        with pytest.raises(KerpError, match="not the next one"):
            writer.append(rating(9, 1))
    assert list(read_log(path).entries) == some_log(4)


def test_a_full_disk_leaves_the_old_log_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    write_log(path, some_log(3), PROTOCOL)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kerp.base.textfile.os.fsync", full)
    with pytest.raises(KerpError, match="No space left"):
        write_log(path, some_log(5), PROTOCOL)
    assert list(read_log(path).entries) == some_log(3)
    assert [item.name for item in tmp_path.iterdir()] == ["log"]


def test_the_chain_begins_at_a_known_place() -> None:
    assert GENESIS == "0" * 64


def test_felt_effect_keeps_its_fraction(tmp_path: Path) -> None:
    entry = Entry(seq=2, id="x", occurred_ms=5, recorded_ms=5, actor="a", event=FeltEffectRated(value=3.5))
    write_log(tmp_path / "log", [opening(), entry], PROTOCOL)
    assert read_log(tmp_path / "log").entries[1].event == FeltEffectRated(value=3.5)
