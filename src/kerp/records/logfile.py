"""The log file: JSON Lines, one entry a line, hash-chained, self-contained.

Line 1 is the opening record: format and version, and the resolved protocol the log was kept under, so that a log
can be replayed years later. Every following line is `{"entry": ..., "hash": ...}`. A last line cut off by a power
failure is dropped with a warning; damage anywhere else is refused with its line number, and nothing is read past it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from kerp.base.chain import GENESIS, chain_hash
from kerp.base.digest import canonical, digest, plain
from kerp.base.errors import Fault, KerpError
from kerp.base.textfile import read_bytes, write_atomic
from kerp.protocol.digest import said
from kerp.protocol.model import Protocol
from kerp.session.codec import decode, encode
from kerp.session.events import Entry, LogOpened

FORMAT = "kerp-log"
VERSION = 1


@dataclass(frozen=True)
class Log:
    """A log as read: its entries, the protocol it names (plain data), the chain head, what had to be mended."""

    where: str
    entries: tuple[Entry, ...]
    protocol: Mapping[str, Any]
    chain_head: str
    warnings: tuple[str, ...] = ()

    @property
    def opened(self) -> LogOpened:
        """The first entry's event."""
        event = self.entries[0].event
        assert isinstance(event, LogOpened)
        return event


def opening_record(protocol: Protocol) -> dict[str, Any]:
    """What line 1 holds."""
    return {"format": FORMAT, "version": VERSION, "protocol": plain(said(protocol))}


def lines(entries: Iterable[Entry], protocol: Protocol) -> Iterator[str]:
    """The lines of a log file, each ending in a newline."""
    opening = opening_record(protocol)
    previous = chain_hash(GENESIS, opening)
    yield canonical(opening | {"hash": previous}) + "\n"
    for entry in entries:
        written = encode(entry)
        previous = chain_hash(previous, written)
        yield canonical({"entry": written, "hash": previous}) + "\n"


def write_log(path: Path | str, entries: Iterable[Entry], protocol: Protocol) -> None:
    """Write a whole log; the old file stays whole until the new one is."""
    held = tuple(entries)
    faults = tuple(_order_faults(held, str(path)))
    if faults:
        raise KerpError(*faults)
    write_atomic(path, "".join(lines(held, protocol)))


class LogWriter:
    """Appends entries to an open binary file, flushed by `sync` (for example `os.fsync`) before it returns."""

    def __init__(self, stream: BinaryIO, chain_head: str, seq: int) -> None:
        self.stream = stream
        self.chain_head = chain_head
        self.seq = seq

    def append(self, entry: Entry) -> None:
        """Write one entry; its `seq` must be the next one."""
        if entry.seq != self.seq + 1:
            message = "the entry is not the next one"
            raise KerpError(Fault(message, field="seq", found=str(entry.seq), allowed=str(self.seq + 1)))
        written = encode(entry)
        head = chain_hash(self.chain_head, written)
        self.stream.write((canonical({"entry": written, "hash": head}) + "\n").encode())
        self.stream.flush()
        self.chain_head, self.seq = head, entry.seq


def read_log(path: Path | str) -> Log:
    """Read and verify a log file; every entry is checked, the chain is checked, the order is checked."""
    where = str(path)
    raw = read_bytes(path)
    if not raw.strip():
        raise KerpError(Fault("the file is empty", where=where, allowed="a log written by kerp"))
    return read_log_bytes(raw, where=where)


def read_log_bytes(raw: bytes, *, where: str) -> Log:
    """The same for bytes; `where` is what messages call them."""
    parsed, warnings = _parse_lines(raw, where)
    opening = _check_opening(parsed[0], where)
    entries: list[Entry] = []
    previous = opening["hash"]
    for number, record in enumerate(parsed[1:], start=2):
        entries.append(_entry(record, where, number))
        if _link(previous, record["entry"], where, number) != record["hash"]:
            raise KerpError(_damage("the hash does not follow from the lines before it", where, number))
        previous = record["hash"]
    faults = tuple(_order_faults(entries, where))
    if faults:
        raise KerpError(*faults)
    log = Log(where, tuple(entries), opening["protocol"], previous, tuple(warnings))
    _check_protocol(log)
    return log


def truncated(log: Log, through_seq: int) -> Log:
    """The log as it stood after entry `through_seq`."""
    return replace(log, entries=log.entries[:through_seq])


def _link(previous: str, record: Any, where: str, line: int) -> str:
    try:
        return chain_hash(previous, record)
    except UnicodeEncodeError:  # half of a character, written as an escape: no text that kerp can have written
        raise KerpError(_damage("the line holds half of a character", where, line)) from None


def _parse_lines(raw: bytes, where: str) -> tuple[list[Any], list[str]]:
    """Every line as data. Only a last line without its end can be a power cut; a damaged whole line is damage."""
    complete = raw.endswith(b"\n")
    pieces = raw.rstrip(b"\r\n").split(b"\n")
    parsed: list[Any] = []
    for number, piece in enumerate(pieces, start=1):
        try:
            parsed.append(json.loads(piece.decode("utf-8"), parse_constant=_refuse_constant))
        except (ValueError, RecursionError) as error:
            if number == len(pieces) and number > 1 and not complete:
                cut = f"{where}:{number}: the last line was cut off (power failure?) and left out; the rest is whole"
                return parsed, [cut]
            reason = "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else "not JSON"
            raise KerpError(_damage(f"the line is damaged ({reason})", where, number)) from None
    return parsed, []


def _refuse_constant(name: str) -> Any:
    message = f"{name} is not a number"
    raise ValueError(message)


def _damage(message: str, where: str, line: int) -> Fault:
    ways = ("restore the file from a backup", "export the log again from the study database")
    return Fault(message, where=where, line=line, ways_out=ways)


def _check_opening(record: Any, where: str) -> dict[str, Any]:
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        allowed = f'an opening record with "format": "{FORMAT}"'
        raise KerpError(Fault("this is not a kerp log", where=where, line=1, allowed=allowed))
    if record.get("version") != VERSION:
        found = str(record.get("version"))
        ways = ("read it with the version of kerp that wrote it",)
        raise KerpError(
            Fault("the log has another format version", where, 1, "version", found, str(VERSION), ways_out=ways)
        )
    content = {key: value for key, value in record.items() if key != "hash"}
    if not isinstance(content.get("protocol"), dict) or _link(GENESIS, content, where, 1) != record.get("hash"):
        raise KerpError(_damage("the opening record does not match its hash", where, 1))
    return record


def _entry(record: Any, where: str, line: int) -> Entry:
    if not isinstance(record, dict) or set(record) != {"entry", "hash"}:
        raise KerpError(_damage('a line holds "entry" and "hash", nothing else', where, line))
    try:
        return decode(record["entry"])
    except KerpError as error:
        raise KerpError(*(replace(fault, where=where, line=line) for fault in error.faults)) from None


def _order_faults(entries: Iterable[Entry], where: str) -> Iterator[Fault]:
    """A log opens with `log_opened`, counts from 1 without gaps, and never uses an id for two contents."""
    seen: dict[str, int] = {}
    count = 0
    for line, entry in enumerate(entries, start=2):
        count += 1
        if entry.seq != count:
            yield Fault("entries are not in order", where, line, "seq", str(entry.seq), str(count))
        if (count == 1) != isinstance(entry.event, LogOpened):
            yield Fault("a log opens with one log_opened entry", where, line, "type", entry.event.type, "log_opened")
        if entry.id in seen:
            yield Fault(
                "an id is used twice", where, line, "id", entry.id, f"an id not used on line {seen[entry.id]}"
            )
        seen.setdefault(entry.id, line)
    if not count:
        yield Fault("the log holds no entry", where)


def _check_protocol(log: Log) -> None:
    found = digest(log.protocol)
    if found != log.opened.protocol_digest:
        message = "the protocol in the opening record is not the one the log was opened with"
        raise KerpError(Fault(message, log.where, 1, "protocol_digest", found, log.opened.protocol_digest))
