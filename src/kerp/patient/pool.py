"""Who walks in: the shares and spreads of `data/population`, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from kerp.base.data import path_of
from kerp.base.errors import Fault, KerpError
from kerp.base.tomlfile import read_toml


@dataclass(frozen=True, slots=True)
class Theme:
    """A dimension of obsessions: its share, and the overt share m of neutralising."""

    id: str
    share: float
    m_mean: float
    m_sd: float


@dataclass(frozen=True, slots=True)
class Pool:
    """Themes and the numbers of each section, by their names in the file."""

    id: str
    themes: tuple[Theme, ...]
    numbers: Mapping[str, Mapping[str, float]]

    def __getitem__(self, section: str) -> Mapping[str, float]:
        return self.numbers[section]


@cache
def pool(identifier: str = "adult-ocd") -> Pool:
    """A shipped pool of people."""
    document = read_toml(path_of("population", identifier))
    themes = tuple(_theme(table) for table in document.data["themes"])
    total = sum(theme.share for theme in themes)
    if abs(total - 1.0) > 1e-9:
        raise KerpError(
            Fault("the shares of the themes do not add up to 1", document.where, field="themes", found=str(total))
        )
    numbers = {name: _numbers(table) for name, table in document.data.items() if isinstance(table, dict)}
    return Pool(identifier, themes, numbers)


def _theme(table: Mapping[str, Any]) -> Theme:
    return Theme(table["id"], table["share"], table["m_mean_fraction"], table["m_sd_fraction"])


def _numbers(table: Mapping[str, Any]) -> dict[str, float]:
    return {key: float(value) for key, value in table.items() if isinstance(value, int | float)}
