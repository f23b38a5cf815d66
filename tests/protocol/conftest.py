"""Planting defects: a site variant with a few lines of its own, or one field changed in the frozen protocol."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kerp.protocol.load import load_protocol

HEAD = 'inherits = "{base}"\nid = "site"\nversion = "1"\n'


@pytest.fixture
def iv():
    return load_protocol("bottemanne2021-iv").protocol


@pytest.fixture
def nasal():
    return load_protocol("bottemanne2021-nasal").protocol


@pytest.fixture
def variant(tmp_path):
    """Write a variant file with these lines; gives its path."""

    def write(text: str, base: str = "bottemanne2021-iv", name: str = "site.toml"):
        path = tmp_path / name
        path.write_text(HEAD.format(base=base) + text)
        return path

    return write


def changed(records, identifier, **fields):
    """The same tuple of records with one of them changed."""
    assert any(record.id == identifier for record in records)
    return tuple(replace(record, **fields) if record.id == identifier else record for record in records)


def without(records, identifier):
    """The same tuple without one record."""
    assert any(record.id == identifier for record in records)
    return tuple(record for record in records if record.id != identifier)
