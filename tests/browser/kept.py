"""What was entered on a page: what the record has of it, what still waits on the disk of the device."""

from __future__ import annotations


def opened(served, person, name, size=(768, 1024)):
    """The session of this name, opened by whoever comes first."""
    nurse, log = person(served, "nurse", size), served.log(name)
    seen = served.__dict__.setdefault("opened", set())
    nurse.bedside(log) if name in seen else nurse.open(log)
    seen.add(name)
    nurse.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    nurse.tab("now")
    return nurse


def put(nurse, value, **more):
    """An entry as the buttons make it, under an id of the test's choice."""
    return nurse.page.evaluate(
        "async ([value, more]) => globalThis.kerp.record({ type: 'suds', value }, more)", [value, more]
    )["id"]


def ratings(entries, kind="suds"):
    return [one["event"]["value"] for one in entries if one["event"]["type"] == kind]


def ids(entries):
    return [one["id"] for one in entries]


def left_on_disk(one) -> int:
    return one.page.evaluate("async () => (await (await import('/static/bedside/store.js')).all('outbox')).length")
