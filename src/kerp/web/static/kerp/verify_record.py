"""Checks exported kerp logs. One file, standard library only: nothing of kerp is needed, and nothing is trusted.

    python3 verify_record.py LOG.kerplog --head HASH
    python3 verify_record.py FOLDER --head HASH --head HASH ... [--json]

Checked: every line is the canonical form of its record; every hash follows from the record and the hash before it;
entries count from 1 without a gap and no id is used twice; the protocol in line 1 is the one the log was opened with;
every signature covers entries before it, and the chain head it names is the head at that entry; and a chain head
that was printed or signed elsewhere (--head, at least 16 digits) is one of this log, so that the whole log was not
replaced.

A log that was exported without free text has a chain of its own: its signatures name heads of the complete log and
are reported as not checkable here. Ends with 0 when everything holds, 1 when something does not, 2 when it was asked
wrongly.

The rule: hash = SHA-256(hash before, newline, canonical JSON of the record); before the first record 64 zeros.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

GENESIS = "0" * 64
FORMAT, VERSION = "kerp-log", 1
SHORTEST_HEAD = 16
OMITTED = "[omitted]"


def canonical(value):
    """Sorted keys, no spaces, UTF-8, whole floats as integers."""
    return json.dumps(whole(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def whole(value):
    """5.0 and 5 alike."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    return value


def chain_hash(before, record):
    """The hash of a record after the hash before it."""
    return hashlib.sha256(f"{before}\n{canonical(record)}".encode()).hexdigest()


class Log:
    """One log as it is read: what is wrong with it, its heads by entry number, its signatures."""

    def __init__(self, name, raw):
        self.name, self.faults, self.heads, self.entries, self.signatures = name, [], [], [], []
        self.protocol_digest = ""
        parsed = self.parsed(raw)
        if parsed:
            self.check_opening(parsed[0])
        if not self.faults:
            self.check_entries(parsed[1:])
            self.check_signatures()

    def wrong(self, line, what):
        self.faults.append({"file": self.name, "line": line, "what": what})

    def parsed(self, raw):
        """Every line as data. Damage ends the reading: what follows could be anything."""
        pieces = raw.split(b"\n")
        if pieces.pop() != b"":
            self.wrong(len(pieces) + 1, "the last line is cut off")
        found = []
        for number, piece in enumerate(pieces, start=1):
            try:
                text = piece.decode("utf-8")
                record = json.loads(text, parse_constant=refuse)
                if canonical(record) != text:
                    self.wrong(
                        number, "the line is not the canonical form of its record (spaces, order, a key twice?)"
                    )
            except (ValueError, RecursionError):
                self.wrong(number, "the line is damaged: not JSON in UTF-8")
                break
            found.append(record)
        if not found:
            self.wrong(1, "this is not a kerp log")
        return found

    def check_opening(self, record):
        """Line 1: format, version, protocol, and their hash."""
        if not isinstance(record, dict) or record.get("format") != FORMAT or record.get("version") != VERSION:
            self.wrong(1, f"this is not a kerp log of version {VERSION}")
            return
        content = {key: value for key, value in record.items() if key != "hash"}
        if chain_hash(GENESIS, content) != record.get("hash"):
            self.wrong(1, "the opening record does not match its hash: protocol, format or version was changed")
        self.heads.append(record.get("hash"))
        self.protocol_digest = "sha256:" + hashlib.sha256(canonical(record.get("protocol")).encode()).hexdigest()

    def check_entries(self, records):
        """Order, ids, hashes. After the first broken link every later one is broken too: only the first is named."""
        seen = {}
        for line, record in enumerate(records, start=2):
            if not isinstance(record, dict) or set(record) != {"entry", "hash"} or not is_entry(record["entry"]):
                self.wrong(line, "the line does not hold an entry and its hash")
                return
            entry = record["entry"]
            if entry["seq"] != line - 1:
                self.wrong(line, f"entry {line - 1} was expected, entry {entry['seq']} is here")
                return
            if chain_hash(self.heads[-1], entry) != record["hash"]:
                self.wrong(
                    line, f"entry {entry['seq']} does not match its hash: it, or what is before it, was changed"
                )
                return
            if entry["id"] in seen:
                self.wrong(line, f"the id of entry {seen[entry['id']]} is used again")
            if (line == 2) != (entry["event"]["type"] == "log_opened"):
                self.wrong(line, "a log has one opening entry, the first")
            seen.setdefault(entry["id"], entry["seq"])
            self.heads.append(record["hash"])
            self.entries.append(entry)
        if not self.entries:
            self.wrong(2, "the log holds no entry")
        elif self.entries[0]["event"].get("protocol_digest") != self.protocol_digest:
            self.wrong(1, "the protocol in line 1 is not the one the log was opened with")

    def check_signatures(self):
        """What each signature covers, and whether the record still is what was signed."""
        without_text = any(OMITTED in canonical(entry) for entry in self.entries)
        for entry in self.entries:
            if entry["event"]["type"] != "signature":
                continue
            event, line = entry["event"], entry["seq"] + 1
            through, named = event.get("through_seq"), event.get("record_digest", "")
            if not isinstance(through, int) or not 1 <= through < entry["seq"]:
                self.wrong(line, f"the signature covers entry {through}, which is not before it")
                continue
            result = "holds"
            if not named:
                result = "names no chain head: covers the entries by number only"
            elif named != self.heads[through] and without_text:
                result = "not checkable: this export leaves free text out; export the complete log"
            elif named != self.heads[through]:
                result = "BROKEN"
                self.wrong(line, f"what was signed through entry {through} is not what stands here")
            later = [e for e in self.entries if e["seq"] > entry["seq"] and e.get("session") == entry.get("session")]
            self.signatures.append(
                {
                    "name": event.get("name"),
                    "account": entry.get("actor"),
                    "at": entry.get("wall_clock"),
                    "meaning": event.get("meaning"),
                    "session": entry.get("session"),
                    "through": through,
                    "result": result,
                    "unsigned_later": sum(e["event"]["type"] != "signature" for e in later),
                }
            )

    def place_of(self, head):
        """The entry a printed head belongs to; None where it is no head of this log."""
        found = [seq for seq, one in enumerate(self.heads) if isinstance(one, str) and one.startswith(head.lower())]
        return found[-1] if found else None


def refuse(name):
    """NaN and infinity are no numbers."""
    raise ValueError(name)


def is_entry(entry):
    """Whether it has what every entry has."""
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("seq"), int)
        and isinstance(entry.get("id"), str)
        and isinstance(entry.get("event"), dict)
        and isinstance(entry["event"].get("type"), str)
    )


def files_of(places):
    """Log files, those of folders in the order of their names."""
    for place in map(Path, places):
        yield from sorted(place.glob("**/*.kerplog")) if place.is_dir() else [place]


def match_heads(logs, heads):
    """Each printed head must be of one log, and each log must have one where any was given."""
    found = {log.name: [at for head in heads if (at := log.place_of(head)) is not None] for log in logs}
    strange = [head for head in heads if all(log.place_of(head) is None for log in logs)]
    without = [log.name for log in logs if heads and not found[log.name] and not log.faults]
    faults = [
        {"file": "", "line": 0, "what": f"the printed head {head} is of none of these logs"} for head in strange
    ]
    faults += [{"file": name, "line": 0, "what": "no printed head belongs to this log"} for name in without]
    return faults, found


def report(logs, faults, found, heads):
    """Lines for people."""
    for log in logs:
        last = log.heads[-1] if log.heads else "none"
        yield f"{log.name}: {len(log.entries)} entries, {len(log.faults)} faults\n  chain head {last}"
        for seq in found[log.name]:
            later = len(log.entries) - seq
            yield f"  printed head: entry {seq}" + (f"; {later} entries came after it" if later else ", the last")
        for one in log.signatures:
            yield (
                f"  signed by {one['name']} ({one['account']}, {one['at']}): {one['meaning']}\n"
                f"    session {one['session']}, through entry {one['through']}: {one['result']}"
                f"; {one['unsigned_later']} later entries unsigned"
            )
    for one in faults:
        yield f"FAULT {one['file']}:{one['line']}: {one['what']}"
    if not heads:
        yield "no printed head was given: a log that was replaced as a whole would pass"
    yield "NOT VERIFIED" if faults else "verified"


def main(arguments=None):
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("places", nargs="+", metavar="FILE_OR_FOLDER")
    parser.add_argument("--head", action="append", default=[], help="a printed chain head, or its first 16 digits")
    parser.add_argument("--json", action="store_true", help="machine-readable")
    asked = parser.parse_args(arguments)
    for head in asked.head:
        if len(head) < SHORTEST_HEAD or set(head.lower()) - set("0123456789abcdef"):
            parser.error(f"a head has {SHORTEST_HEAD} to 64 hexadecimal digits: {head}")
    try:
        logs = [Log(str(path), path.read_bytes()) for path in files_of(asked.places)]
    except OSError as error:
        parser.error(f"{error.filename}: {error.strerror}")
    if not logs:
        parser.error("there is no .kerplog file")
    unmatched, found = match_heads(logs, asked.head)
    faults = [fault for log in logs for fault in log.faults] + unmatched
    if asked.json:
        files = [
            {"file": log.name, "entries": len(log.entries), "head": log.heads[-1] if log.heads else "",
             "printed": found[log.name], "signatures": log.signatures}
            for log in logs
        ]  # fmt: skip
        shown = json.dumps({"verified": not faults, "faults": faults, "logs": files}, indent=2, ensure_ascii=False)
        sys.stdout.write(shown + "\n")
    else:
        sys.stdout.write("\n".join(report(logs, faults, found, asked.head)) + "\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
