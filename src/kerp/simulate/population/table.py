"""A comparison as plain tables: the JSON that programs read, and one long table for statisticians."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from typing import Any

from kerp.simulate.population.compare import ArmResult, Comparison, Track

COLUMNS = ("arm", "measure", "at", "unit", "mean", "sd", "q05", "q25", "q50", "q75", "q95")


def contract(result: Comparison) -> dict[str, Any]:
    """`{"model": ..., "arms": {ID: {...}}}`. `loop_number` is the median; a model without one says null."""
    return {"model": result.request.model.card.id, "arms": {name: _arm(one) for name, one in result.arms.items()}}


def _arm(one: ArmResult) -> dict[str, Any]:
    return {
        "day": list(one.latent.at),
        "ybocs_latent_24h": one.latent.mean,
        "ybocs_latent_24h_sd": one.latent.sd,
        "rated_day": list(one.rated.at),
        "ybocs_rated": one.rated.mean,
        "ybocs_rated_sd": one.rated.sd,
        "response35": one.responses["farris2013.response"],
        "loop_number": [known(value) for value in one.loop_number.bands[0.5]],
    }


def known(value: float) -> float | None:
    """A number, or nothing where there is none."""
    return value if math.isfinite(value) else None


def rows(result: Comparison) -> Iterator[tuple[Any, ...]]:
    """One row per arm, measure and place."""
    for name, one in result.arms.items():
        for measure, track, unit in (
            ("ybocs_latent_24h", one.latent, "day"),
            ("obsessions_latent_24h", one.obsessions, "day"),
            ("compulsions_latent_24h", one.compulsions, "day"),
            ("ybocs_rated", one.rated, "day"),
            ("loop_number", one.loop_number, "day"),
        ):
            yield from _track_rows(name, measure, track, unit)
        for index, track in one.suds.items():
            yield from _track_rows(name, f"suds_session_{index + 1}", track, "min")
        for measure, track in one.scales.items():
            yield from _track_rows(name, measure, track, _unit(measure))
        for definition, shares in one.responses.items():
            for day, share in zip(one.rated.at, shares, strict=True):
                yield (name, f"share {definition}", day, "day", share, *[None] * 6)
        for index_name, value in one.safety.items():
            yield (name, index_name, None, "", known(value), *[None] * 6)


def _unit(measure: str) -> str:
    """What `at` counts."""
    return {"aybocs_rated": "day", "rituals_counted": "session"}.get(measure, "min")


def _track_rows(arm: str, measure: str, track: Track, unit: str) -> Iterator[tuple[Any, ...]]:
    for place, at in enumerate(track.at):
        bands = [known(values[place]) for values in track.bands.values()]
        yield (arm, measure, at, unit, known(track.mean[place]), known(track.sd[place]), *bands)


def as_csv(result: Comparison) -> str:
    """The long table as CSV; an empty cell is a missing value."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(["" if cell is None else cell for cell in row] for row in rows(result))
    return stream.getvalue()


def as_parquet(result: Comparison) -> bytes | None:
    """The long table as Parquet, where the extra `tables` is installed."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return None
    columns = list(zip(*rows(result), strict=True))
    stream = io.BytesIO()
    pq.write_table(pa.table(dict(zip(COLUMNS, columns, strict=True))), stream)
    return stream.getvalue()
