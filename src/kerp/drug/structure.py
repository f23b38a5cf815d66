"""Compartments by name: from one moiety's parameters (arrays over people) to a `Network` of the linear core.

A new structure is one function here and its name in `STRUCTURES`. Volumes in L, clearances in L/min, rates per min;
outputs in ng/mL per mg, that is 1000 / V.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kerp.drug.linear import Array, Network, Stage

NG_PER_ML = 1000.0  # one mg per litre

Parameters = Mapping[str, Array]
Builder = Callable[[Parameters, tuple[str, ...], Any], Network]

INFUSION = "infusion"
FIRST_NASAL, LATER_NASAL = "first_nasal", "later_nasal"
FIRST_SWALLOWED, LATER_SWALLOWED = "first_swallowed", "later_swallowed"


def mammillary(p: Parameters, analytes: tuple[str, ...], xp: Any) -> Network:
    """A central compartment (V1, CL) with any number of peripheral ones (V2, Q2), (V3, Q3)..."""
    numbers = [n for n in range(2, 10) if f"V{n}" in p]
    body = reversible(p["V1"], p["CL"], [(p[f"V{n}"], p[f"Q{n}"]) for n in numbers], xp)
    size = len(numbers) + 1
    return Network(
        (body,), (), _unit(p["V1"], size, 0, xp), _measure(p["V1"], size, 0, xp), (INFUSION,), analytes[:1]
    )


def mammillary_rates(p: Parameters, analytes: tuple[str, ...], xp: Any) -> Network:
    """The same, given as V1 per kg and rate constants k10, k12, k21 (k13, k31)."""
    V1 = p["V1_per_kg"] * p["weight_kg"]
    derived = {"V1": V1, "CL": p["k10"] * V1}
    for n in (2, 3):
        if f"k1{n}" in p:
            derived |= {f"Q{n}": p[f"k1{n}"] * V1, f"V{n}": p[f"k1{n}"] * V1 / p[f"k{n}1"]}
    return mammillary(derived, analytes, xp)


def mammillary_with_metabolite(p: Parameters, analytes: tuple[str, ...], xp: Any) -> Network:
    """Mammillary parent whose clearance forms a two-compartment metabolite (VM1, VM2, CLM, QM)."""
    parent = mammillary(p, analytes, xp)
    metabolite = reversible(p["VM1"], p["CLM"], [(p["VM2"], p["QM"])], xp)
    formed = p["fraction_formed"] * p["CL"] / p["V1"]
    return _with_metabolite(parent, metabolite, 0, 0, formed, p["VM1"], analytes, xp)


def nasal_hepatic(p: Parameters, analytes: tuple[str, ...], xp: Any) -> Network:
    """Perez-Ruixo 2021: nasal depot to centre, swallowed depot to liver, elimination from the liver."""
    zero = 0 * p["Vc"]
    sides = [(p["Vp1"], p["Q1"]), (p["Vp2"], p["Q2"]), (p["Vh"], p["Qh"])]
    body = reversible(p["Vc"], zero, sides, xp, losses={3: p["kel"] + p["kmet"]})
    nose, gut = _depot(p["ka_n"], xp), _depot(p["ka_sw"], xp)
    couplings = ((2, 0, _feed(p["ka_n"], 4, 0, xp)), (2, 1, _feed(p["ka_sw"], 4, 3, xp)))
    outputs = _measure(p["Vc"], 6, 2, xp)
    channels = (INFUSION, FIRST_NASAL, LATER_NASAL, FIRST_SWALLOWED, LATER_SWALLOWED)
    parent = Network((nose, gut, body), couplings, _nasal_inputs(p, xp), outputs, channels, analytes[:1])
    metabolite = reversible(p["Vcn"], p["CLn"], [(p["Vpn"], p["Q3n"])], xp)
    return _with_metabolite(parent, metabolite, 2, 3, p["kmet"], p["Vcn"], analytes, xp)


STRUCTURES: Mapping[str, Builder] = {
    "mammillary": mammillary,
    "mammillary_rates": mammillary_rates,
    "mammillary_with_metabolite": mammillary_with_metabolite,
    "nasal_hepatic": nasal_hepatic,
}


def reversible(
    centre: Array,
    clearance: Array,
    sides: list[tuple[Array, Array]],
    xp: Any,
    losses: Mapping[int, Array] | None = None,
) -> Stage:
    """A centre (volume, clearance) exchanging with side compartments (volume, flow); `losses` per min from sides."""
    volumes = [centre, *(volume for volume, _ in sides)]
    size, none = len(volumes), 0 * centre
    rows = [[none for _ in range(size)] for _ in range(size)]
    rows[0][0] = -(clearance + sum(flow for _, flow in sides)) / centre
    for index, (volume, flow) in enumerate(sides, start=1):
        rows[0][index] = flow / volume
        rows[index][0] = flow / centre
        rows[index][index] = -flow / volume - (losses or {}).get(index, none)
    return Stage(xp.stack([xp.stack(row, axis=-1) for row in rows], axis=-2), xp.stack(volumes, axis=-1))


def _with_metabolite(
    parent: Network,
    metabolite: Stage,
    stage: int,
    compartment: int,
    formed: Array,
    volume: Array,
    analytes: tuple[str, ...],
    xp: Any,
) -> Network:
    """Append a metabolite stage fed from one compartment of one stage, where it is asked for."""
    if len(analytes) < 2:
        return parent
    people, size, channels = parent.inputs.shape
    width = metabolite.volumes.shape[1]
    feed = _cell(formed, width, parent.stages[stage].volumes.shape[1], 0, compartment, xp)
    inputs = xp.concatenate([parent.inputs, xp.zeros((people, width, channels))], axis=1)
    seen = xp.concatenate([parent.outputs, xp.zeros((people, parent.outputs.shape[1], width))], axis=2)
    own = _measure(volume, size + width, size, xp)
    return Network(
        (*parent.stages, metabolite),
        (*parent.couplings, (len(parent.stages), stage, feed)),
        inputs,
        xp.concatenate([seen, own], axis=1),
        parent.channels,
        analytes,
    )


def _nasal_inputs(p: Parameters, xp: Any) -> Array:
    """Shares of the five channels: infusion to the centre; nose and gut shares of the first and of later devices."""
    none = 0 * p["Vc"]
    later = p["FRn"] * p["later_device_on_FRn"]
    nose = [none, p["FRn"], later, none, none]
    gut = [none, none, none, (1 - p["FRn"]) * p["Fgut"], (1 - later) * p["Fgut"]]
    centre = [1 + none, none, none, none, none]
    empty = [none] * 5
    rows = [nose, gut, centre, empty, empty, empty]
    return xp.stack([xp.stack(row, axis=-1) for row in rows], axis=-2)


def _depot(rate: Array, xp: Any) -> Stage:
    return Stage(-rate[:, None, None], xp.ones((rate.shape[0], 1)))


def _feed(rate: Array, size: int, to: int, xp: Any) -> Array:
    return _cell(rate, size, 1, to, 0, xp)


def _unit(like: Array, size: int, index: int, xp: Any) -> Array:
    return _cell(1 + 0 * like, size, 1, index, 0, xp)


def _measure(volume: Array, size: int, index: int, xp: Any) -> Array:
    return _cell(NG_PER_ML / volume, 1, size, 0, index, xp)


def _cell(value: Array, rows: int, columns: int, row: int, column: int, xp: Any) -> Array:
    """(people, rows, columns) that holds `value` (people,) in one cell."""
    none = 0 * value
    cells = [[value if (r, c) == (row, column) else none for c in range(columns)] for r in range(rows)]
    return xp.stack([xp.stack(line, axis=-1) for line in cells], axis=-2)
