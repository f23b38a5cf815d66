// The outbox: an entry is on the disk before the screen says so, and leaves it only when the server has acknowledged it.

import { all, keyOf, read, remove, seal, unseal, write } from "./store.js";

const BATCH = 50;

export class Outbox extends EventTarget {
  constructor(place) {
    super();
    this.place = place; // { log, session }: opaque
    this.owner = "";
    this.waiting = [];
    this.aside = [];
    this.foreign = 0;
    this.last = 0;
  }

  // Who is signed in: only their entries are sent, in their name.
  async belongsTo(owner) {
    if (owner && owner !== this.owner) {
      this.owner = owner;
      await write("kept", owner, "owner");
    }
    this.owner ||= (await read("kept", "owner")) ?? "";
    if (this.owner) this.key = await keyOf(this.owner);
    await this.refresh();
  }

  async refresh() {
    const rows = await all("outbox");
    const mine = rows.filter((row) => row.owner === this.owner);
    this.waiting = [];
    for (const row of mine) {
      try { this.waiting.push({ ...row, entry: await unseal(this.key, row) }); } catch { /* a key of another time: kept, shown as foreign */ }
    }
    this.foreign = rows.length - this.waiting.length;
    this.aside = await all("aside");
    this.dispatchEvent(new Event("change"));
  }

  // Put one entry on the disk. Resolves when it is there.
  async put(entry) {
    const order = Math.max(Date.now() * 1000, this.last + 1);
    this.last = order;
    const row = { order, id: entry.id, owner: this.owner, ...this.place, ...(await seal(this.key, entry)) };
    await write("outbox", row);
    this.waiting.push({ ...row, entry });
    this.dispatchEvent(new Event("change"));
  }

  get count() { return this.waiting.length; }

  // Send what waits, oldest first, until nothing does or contact is lost. One sender at a time, over all tabs.
  async drain(post) {
    if (!this.owner || !this.count) return;
    const work = () => this.send(post);
    await (navigator.locks ? navigator.locks.request(`kerp-outbox-${this.owner}`, { ifAvailable: true }, (lock) => lock && work()) : work());
  }

  async send(post) {
    await this.refresh();
    while (this.waiting.length) {
      const first = this.waiting[0];
      const rows = this.waiting.filter((row) => row.log === first.log && row.session === first.session).slice(0, BATCH);
      const outcomes = await post({ log: first.log, session: first.session }, rows.map((row) => row.entry));
      const done = await this.settle(rows, outcomes);
      if (!done) return;
    }
  }

  // Acknowledged entries leave the device. One that was refused is laid aside, where somebody must look at it.
  async settle(rows, outcomes) {
    const by = new Map(outcomes.map((outcome) => [outcome.id, outcome]));
    const gone = [];
    for (const row of rows) {
      const outcome = by.get(row.entry.id);
      if (!outcome || outcome.result === "later") continue;
      if (outcome.result === "conflict" || outcome.result === "refused") {
        const faults = outcome.faults.map((fault) => fault.message);
        await write("aside", { id: row.entry.id, result: outcome.result, faults, owner: row.owner, log: row.log, session: row.session, iv: row.iv, data: row.data });
      }
      gone.push(row.order);
      this.dispatchEvent(new CustomEvent("acknowledged", { detail: { entry: row.entry, outcome } }));
    }
    await remove("outbox", gone);
    await this.refresh();
    return gone.length > 0;
  }
}
