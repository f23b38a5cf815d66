"""What is read off a record once is the same as what is read off it anew."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace

from kerp.base.digest import digest
from kerp.session.once import ReadOnce


@dataclass(frozen=True)
class Weights(ReadOnce):
    kg: tuple[float, ...]


def heaviest(weights: Weights, above: float) -> float | None:
    LOOKED.append(above)
    return max((one for one in weights.kg if one > above), default=None)


LOOKED: list[float] = []


def test_a_value_is_read_once_for_what_is_asked_and_anew_where_it_or_the_question_differs():
    LOOKED.clear()
    weights = Weights((70.0, 82.5))
    assert [weights.once(heaviest, 0.0), weights.once(heaviest, 0.0)] == [82.5, 82.5]
    assert LOOKED == [0.0]
    assert weights.once(heaviest, 90.0) is None
    assert weights.once(heaviest, 0.0) == 82.5
    assert LOOKED == [0.0, 90.0, 0.0]
    assert replace(weights, kg=(60.0,)).once(heaviest, 0.0) == 60.0


def test_what_was_read_is_no_part_of_the_value():
    read, fresh = Weights((70.0,)), Weights((70.0,))
    read.once(heaviest, 0.0)
    assert read == fresh
    assert hash(read) == hash(fresh)
    assert digest(read) == digest(fresh)
    sent = pickle.loads(pickle.dumps(read))
    assert sent == read
    assert sent.__dict__ == {"kg": (70.0,)}
