"""`--set name=value`, shared by the commands that run the learning models."""

from __future__ import annotations

from kerp.base.errors import Fault, KerpError


def settings_of(texts: tuple[str, ...]) -> dict[str, float]:
    """Named numbers, checked against their support. Every fault is reported."""
    from kerp.learning.priors import checked

    found: dict[str, float] = {}
    faults: list[Fault] = []
    for text in texts:
        name, equals, value = text.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            faults.append(Fault("not name=number", field="--set", found=text, allowed="for example kappa_a=0.8"))
    if faults:
        raise KerpError(*faults)
    return checked(found)


def names_of(text: str) -> tuple[str, ...]:
    """A comma-separated list without empty entries."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
