"""What waits on a device: nothing is taken for another, and nothing takes another along."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from bad_network import BadNetwork
from kept import ids, left_on_disk, opened, put
from steps import until


def test_the_same_id_with_another_content_is_refused_flagged_and_laid_aside_where_somebody_looks(served, person):
    nurse = opened(served, person, "kept")
    same = put(nurse, 30)
    nurse.saved()
    answers = []
    nurse.page.on("response", lambda answer: answers.append(answer.status) if "/entries" in answer.url else None)
    put(nurse, 90, id=same)
    nurse.page.wait_for_selector("text=1 TO LOOK AT")
    assert 409 in answers
    assert left_on_disk(nurse) == 0
    assert [one["event"]["value"] for one in nurse.entries() if one["id"] == same] == [30]
    nurse.page.reload()
    nurse.ready()
    nurse.page.wait_for_selector("text=1 TO LOOK AT")
    nurse.tap("badge")
    assert "The same id is in the record with other content" in nurse.page.inner_text("#panel")
    nurse.page.click("text=Show it")
    assert '"value": 90' in nurse.page.inner_text("dialog[open] pre")
    nurse.page.keyboard.press("Escape")
    status, answer = nurse.page.evaluate(
        """async (id) => {
          const { api, device } = globalThis.kerp;
          const entries = [{ id, event: { type: "urge", value: 5 }, occurred_ms: 1 }];
          const answer = await api.call(api.base() + "entries", { body: { device, entries } });
          return [answer.status, answer.data];
        }""",
        same,
    )
    assert status == 409
    assert [one["result"] for one in answer["outcomes"]] == ["conflict"]
    assert "write a correction" in answer["outcomes"][0]["faults"][0]["ways_out"][0]
    assert stored_flags(served, same) == ["same_id_other_content"] * 2


def stored_flags(served, entry_id):
    with closing(sqlite3.connect(next(served.data.rglob("kerp.sqlite3")))) as database:
        rows = database.execute("SELECT kind FROM kerp_flag WHERE entry_id = ?", [entry_id.replace("-", "")])
        return [kind for (kind,) in rows]


def test_what_waits_of_a_session_that_is_not_there_holds_up_no_other(served, person):
    nurse = opened(served, person, "kept")
    nurse.page.evaluate(
        """async () => {
          const { append, seal } = await import('/static/bedside/store.js'), { key, owner } = globalThis.kerp.outbox;
          const event = { type: 'suds', value: 1 };
          const entry = { id: crypto.randomUUID(), event, occurred_ms: 1, clock_offset_ms: 0 };
          const place = { log: crypto.randomUUID(), session: 'dosing-1' };
          await append({ id: entry.id, owner, ...place, ...(await seal(key, entry)) });
        }"""
    )
    here = put(nurse, 17)
    until(nurse.page, "globalThis.kerp.outbox.count === 1 && !globalThis.kerp.writing")
    assert here in ids(nurse.entries())
    assert left_on_disk(nurse) == 1  # the other one is kept, and shown as waiting
    nurse.page.wait_for_selector("text=1 WAITING")


def test_an_entry_that_cannot_be_read_takes_no_other_along(served, person):
    nurse = opened(served, person, "kept")
    nurse.context.set_offline(True)
    good = [put(nurse, 11)]
    bad = put(nurse, 12, at=10**15)  # a minute that no record can hold
    good.append(put(nurse, 13))
    nurse.page.wait_for_selector("text=3 WAITING")
    nurse.context.set_offline(False)
    nurse.page.wait_for_selector("text=TO LOOK AT")
    there = set(ids(nurse.entries()))
    assert set(good) <= there
    assert bad not in there
    assert left_on_disk(nurse) == 0


def test_a_server_that_is_slow_to_answer_is_waited_for_and_not_given_the_same_work_for_ever(served, person, chromium):
    network = BadNetwork(served.port, seed=1)
    context = chromium.new_context(base_url=network.url)
    context.add_init_script(  # all patience a quarter of what it is at the bedside, so that the test is short
        "const given = AbortSignal.timeout.bind(AbortSignal); AbortSignal.timeout = (ms) => given(ms / 4);"
    )
    nurse = person(served, "nurse", context=context)
    try:
        nurse.bedside(served.log("kept"))
        network.delay_s = 2.6
        one = put(nurse, 44)
        nurse.saved()
        assert ids(nurse.entries()).count(one) == 1
    finally:
        network.close()


def test_saved_is_never_shown_while_something_waits_on_the_disk(served, person):
    nurse = opened(served, person, "kept")
    nurse.context.set_offline(True)
    wrong = nurse.page.evaluate(
        """async () => {
          const { outbox } = globalThis.kerp, wrong = [];
          for (let value = 0; value < 30; value++) {
            const id = crypto.randomUUID();
            const looks = [outbox.refresh(), outbox.refresh()];
            setTimeout(() => looks.push(outbox.refresh()), Math.random() * 8);
            await globalThis.kerp.record({ type: "urge", value }, { id });
            looks.push(outbox.refresh());
            const here = () => outbox.waiting.filter((row) => row.entry.id === id).length;
            if (here() !== 1) wrong.push([value, "put", here()]);
            await Promise.all(looks);
            if (here() !== 1) wrong.push([value, "looked at", here()]);
          }
          return wrong;
        }"""
    )
    assert wrong == []
    assert left_on_disk(nurse) == nurse.page.evaluate("globalThis.kerp.outbox.count") == 30
    nurse.context.set_offline(False)
    nurse.saved()


def test_a_device_that_was_cleared_still_keeps_what_is_entered_afterwards(served, person):
    nurse = opened(served, person, "kept")
    nurse.saved()
    nurse.tap("badge")
    nurse.tap("clear")
    nurse.page.wait_for_selector("text=Nothing of this session is on this device any more.")
    nurse.page.evaluate("globalThis.kerp.refresh()")
    nurse.page.evaluate("globalThis.kerp.snapshot()")
    nurse.context.set_offline(True)
    one = put(nurse, 77)
    nurse.page.reload()
    nurse.ready()
    nurse.page.wait_for_selector("text=1 WAITING")
    nurse.context.set_offline(False)
    nurse.saved()
    assert one in ids(nurse.entries())
