"""Reads a protocol: shipped base, site overlay and signed stopping rules become one resolved, frozen protocol.

Every fault of form comes at once, with file, line, field, what was found and what is allowed. What a clinician would
object to is `kerp.protocol.check`.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from kerp.base.data import DATA, ids, path_of
from kerp.base.digest import digest
from kerp.base.errors import Fault, KerpError, UnknownIdError
from kerp.base.tomlfile import TomlDocument, read_toml
from kerp.instrument.load import instrument_ids, load_instrument
from kerp.protocol.digest import protocol_digest, rules_digest
from kerp.protocol.layers import IdPath, Layer, Merged, Origin, id_path, nearest
from kerp.protocol.mend import mended
from kerp.protocol.model import InstrumentUse, Protocol
from kerp.protocol.shape import Finding, findings
from kerp.protocol.words import finding_of

FOLDER = "protocols"
SCHEMA_VERSION = 1
BASE, OVERLAY, SIGNED = "shipped base", "site overlay", "signed stopping rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests:
    """What a log opens with. A shipped protocol is its own base and has neither overlay nor signed rules."""

    resolved: str
    base: str
    overlay: str = ""
    stopping_rules: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The protocol the engine sees, its digests, and where each field came from."""

    protocol: Protocol
    digests: Digests
    origins: Mapping[IdPath, Origin]
    where: str

    def origin(self, path: str) -> Origin | None:
        """Origin of a dotted path of keys and record ids, such as `rules.bp_stop.thresholds.sbp_mmhg`."""
        return nearest(self.origins, tuple(path.split(".")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How far a file could be read: every fault of form, and the protocol where enough of it makes sense.

    With faults, `resolved` has stand-ins (kerp.protocol.mend): good for finding further faults, never for use.
    """

    resolved: Resolved | None
    faults: tuple[Fault, ...] = ()


def protocol_ids() -> list[str]:
    """Ids of the shipped protocols."""
    return ids(FOLDER)


def load_protocol(id_or_path: str | Path) -> Resolved:
    """The resolved protocol of a shipped id, or of a file of the site.

    Raises `KerpError` with every fault of form; `UnknownIdError` names the nearest shipped ids.
    """
    read = read_protocol(id_or_path)
    if read.faults or read.resolved is None:
        raise KerpError(*read.faults)
    return read.resolved


def read_protocol(id_or_path: str | Path) -> Reading:
    """The same as far as it can be read. Raises `KerpError` only where there is nothing to read on with."""
    text = str(id_or_path)
    if text in protocol_ids():
        return _shipped(text)
    if isinstance(id_or_path, Path) or text.endswith(".toml") or "/" in text or Path(text).is_file():
        return _read(Path(id_or_path))
    known = protocol_ids()
    raise UnknownIdError("protocol", text, known)


@cache
def _shipped(identifier: str) -> Reading:
    return _read(path_of(FOLDER, identifier))


def _read(path: Path) -> Reading:
    merged, document, base = _layers(path, ())
    form, protocol = _validate(merged)
    faults = [*merged.faults, *form]
    if protocol is None:
        return Reading(resolved=None, faults=tuple(faults))
    protocol = _with_periods(protocol)
    faults = faults or _signature_faults(protocol, merged)
    digests = _digests(path, protocol, document, base)
    resolved = Resolved(protocol=protocol, digests=digests, origins=merged.origins, where=str(path))
    return Reading(resolved=resolved, faults=tuple(faults))


def _digests(path: Path, protocol: Protocol, document: TomlDocument, base: Resolved | None) -> Digests:
    if base is None or _is_shipped(path):
        own = protocol_digest(protocol)
        return Digests(resolved=own, base=own)
    rules = document.data.get("stopping_rules")
    overlay = {key: value for key, value in document.data.items() if key != "stopping_rules"}
    return Digests(
        resolved=protocol_digest(protocol),
        base=base.digests.resolved,
        overlay=digest(_dates_as_text(overlay)),
        stopping_rules=digest(_dates_as_text(rules)) if rules else "",
    )


def _is_shipped(path: Path) -> bool:
    return path.resolve().parent == (DATA / FOLDER).resolve()


# ------------------------------------------------------------------------------------------------ layers


def _layers(path: Path, below: tuple[Path, ...]) -> tuple[Merged, TomlDocument, Resolved | None]:
    """All layers of a file merged; `below` are the files that led here, to notice a circle."""
    if path.resolve() in below:
        raise KerpError(Fault("this protocol inherits from itself", where=str(path)))
    document = read_toml(path)
    parent = document.data.get("inherits")
    if parent is None:
        merged = Merged()
        Layer(merged, BASE if _is_shipped(path) else "file", document).apply(_body(document))
        return merged, document, None
    base_path = _parent_path(parent, document)
    merged = _base(base_path, (*below, path.resolve()))
    base_id = str(merged.data.get("id"))
    base = load_protocol(base_path.stem if _is_shipped(base_path) else base_path)
    if "stopping_rules" in document.data:  # a signature stands until another one takes its place
        merged.drop(("stopping_rules",))
    shipped = _is_shipped(path)
    _overlay(merged, document, BASE if shipped else OVERLAY)
    merged.faults += [] if shipped else list(_overlay_faults(document, base_id))
    return merged, document, base


def _base(path: Path, below: tuple[Path, ...]) -> Merged:
    """A copy of the merged layers of what is inherited; shipped ones are read once."""
    return (_shipped_layers(path.stem) if _is_shipped(path) else _whole(_layers(path, below)[0])).copy()


@cache
def _shipped_layers(identifier: str) -> Merged:
    return _whole(_layers(path_of(FOLDER, identifier), ())[0])


def _whole(merged: Merged) -> Merged:
    if merged.faults:
        raise KerpError(*merged.faults)
    return merged


def _body(document: TomlDocument) -> dict[str, Any]:
    return {key: value for key, value in document.data.items() if key not in {"inherits", "remove"}}


def _overlay(merged: Merged, document: TomlDocument, name: str) -> None:
    layer = Layer(merged, name, document)
    layer.remove(document.data.get("remove", []))
    body = _body(document)
    signed = body.pop("stopping_rules", None)
    layer.apply(body)
    if isinstance(signed, dict):
        layer = Layer(merged, SIGNED, document)
        rules = signed.get("rules", [])
        layer.apply({"rules": rules} if rules else {}, ("stopping_rules",))
        layer.apply(
            {key: item for key, item in signed.items() if key != "rules"}, ("stopping_rules",), ("stopping_rules",)
        )


def _parent_path(parent: Any, document: TomlDocument) -> Path:
    beside = Path(document.where).parent / str(parent)
    if str(parent).endswith(".toml") and beside.is_file():
        return beside
    if parent in protocol_ids():
        return path_of(FOLDER, str(parent))
    ways = ("inherit from a shipped protocol by its id, or from a file beside this one by its name",)
    line = document.line_of(("inherits",))
    known = ", ".join(protocol_ids())
    raise KerpError(
        Fault("there is nothing to inherit from", document.where, line, "inherits", str(parent), known, ways)
    )


def _overlay_faults(document: TomlDocument, base_id: str) -> list[Fault]:
    """A variant has its own name, and changes stopping rules only under a signature (M16)."""
    faults = []
    data, where = document.data, document.where
    if data.get("id") in {None, base_id}:
        ways = ('give the variant its own id, for example id = "site-a-iv"',)
        faults.append(
            Fault("a variant needs an id of its own", where, document.line_of(("id",)) or 1, "id", ways_out=ways)
        )
    if "rules" in data:
        ways = (
            "move the change under [stopping_rules], as [[stopping_rules.rules]], with version, signed_by, signed_on",
        )
        message = "hold and stop rules change only under a signature (M16)"
        faults.append(Fault(message, where, document.line_of(("rules",)), "rules", ways_out=ways))
    removals = data.get("remove", [])
    for index, entry in enumerate(removals if isinstance(removals, list) else []):
        if isinstance(entry, dict) and str(entry.get("path", "")).split(".")[0] == "rules":
            ways = ("switch the rule off under [[stopping_rules.rules]] with active = false",)
            line = document.line_of(("remove", index))
            faults.append(
                Fault("a rule is switched off, not removed", where, line, f"remove[{index}]", ways_out=ways)
            )
    return faults


# ------------------------------------------------------------------------------------------------ form


@cache
def adapter() -> TypeAdapter[Protocol]:
    """The frozen model as pydantic reads it."""
    return TypeAdapter(Protocol)


def _dates_as_text(value: Any) -> Any:
    """TOML dates become the text a person reads."""
    if isinstance(value, dict):
        return {key: _dates_as_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_dates_as_text(item) for item in value]
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else value


def _validate(merged: Merged) -> tuple[list[Fault], Protocol | None]:
    """Every fault of form, and the protocol: with stand-ins where an origin is missing, None where more is."""
    data = _dates_as_text(merged.data)
    found = list(findings(data))
    protocol, complaints = _parsed(data)
    found += complaints
    if data.get("schema_version") not in {None, SCHEMA_VERSION}:
        ways = ("use the kerp version this file was written for",)
        version = str(data["schema_version"])
        found.append(
            Finding(("schema_version",), "this file format is not known", version, "1", ways, readable=False)
        )
    if protocol is None:
        protocol = _parsed(mended(data))[0]
    readable = all(item.readable for item in found)
    return _faults(merged, found), protocol if readable else None


def _parsed(data: dict[str, Any]) -> tuple[Protocol | None, list[Finding]]:
    try:
        return adapter().validate_json(json.dumps(data), strict=True), []
    except ValidationError as error:
        return None, [finding_of(entry) for entry in error.errors(include_url=False)]


def _with_periods(protocol: Protocol) -> Protocol:
    """Reference periods in days as the instruments state them, for the engine to flag a clash (M1)."""
    uses = tuple(_with_period(use) for use in protocol.instruments)
    return replace(protocol, instruments=uses)


def _with_period(use: InstrumentUse) -> InstrumentUse:
    if use.id not in instrument_ids():
        return use
    period = load_instrument(use.id).period
    straddle = use.must_not_straddle_dose or period.must_not_straddle_dose
    return replace(use, must_not_straddle_dose=straddle, period_days=period.window_days)


def _faults(merged: Merged, found: list[Finding]) -> list[Fault]:
    """One fault per place, in the order of the file."""
    faults: dict[tuple[str, ...], Fault] = {}
    for item in found:
        path = id_path(merged.data, item.path)
        origin = merged.origin(path) or Origin("", "", None)
        fault = Fault(
            item.message, origin.where, origin.line, ".".join(path), item.found, item.allowed, item.ways_out
        )
        faults.setdefault(path, fault)
    return sorted(faults.values(), key=lambda fault: (fault.where, fault.line or 0))


def _signature_faults(protocol: Protocol, merged: Merged) -> list[Fault]:
    """The signed digest must be that of the rules in force: a rule changed after signing is a fault (M16)."""
    signature = protocol.stopping_rules
    if signature is None:
        return []
    in_force = rules_digest(protocol, signature)
    if signature.digest == in_force:
        return []
    origin = merged.origin(("stopping_rules", "digest")) or Origin("", "", None)
    changed = (
        "the rules in force are not the ones that were signed"
        if signature.digest
        else "the signature names no digest"
    )
    ways = [f'after the signatory has read the rules, write digest = "{in_force}"']
    ways += ["raise the version if the rules changed since they were signed"] if signature.digest else []
    place = ("stopping_rules.digest", signature.digest, in_force)
    return [Fault(changed, origin.where, origin.line, *place, ways_out=tuple(ways))]
