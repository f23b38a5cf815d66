// The outbox: an entry is on the disk before the screen says so, and leaves it only when the server has acknowledged it.

import { all, amend, append, keyOf, read, seal, settle, unseal, wipe, write } from "./store.js";

const BATCH = 50;
const HELD = new Set(["stored", "known"]); // the server has it
const ASIDE = new Set(["conflict", "refused"]); // it will never have it: a person must look

export class Outbox extends EventTarget {
  constructor(place) {
    super();
    this.place = place; // { log, session }: opaque
    this.owner = "";
    this.key = null;
    this.waiting = [];
    this.aside = [];
    this.foreign = 0;
    this.opened = new Map(); // entries of rows read before, by order
    this.turns = Promise.resolve();
    this.others = new BroadcastChannel("kerp-outbox"); // other tabs on this device share the disk
    this.others.onmessage = () => this.refresh().catch(() => {});
  }

  // Looks at the rows take turns, and each comes after what it shall show: a slow one never overwrites a newer one.
  turn(work) {
    const done = this.turns.then(work);
    this.turns = done.catch(() => {});
    return done;
  }

  // Who is signed in: only their entries are sent, in their name.
  async belongsTo(owner) {
    if (owner && owner !== this.owner) {
      const key = await keyOf(owner);
      await write("kept", owner, "owner");
      Object.assign(this, { owner, key });
    }
    if (!this.owner) {
      const known = (await read("kept", "owner")) ?? "";
      if (known) Object.assign(this, { key: await keyOf(known), owner: known });
    }
    await this.refresh();
  }

  refresh() { return this.turn(() => this.look()); }

  async look() {
    const rows = await all("outbox"), aside = await all("aside"), waiting = [], opened = new Map();
    for (const row of rows) {
      if (row.owner !== this.owner) continue;
      const known = this.opened.get(row.order);
      try {
        const entry = known?.iv.join() === row.iv.join() ? known.entry : await unseal(this.key, row);
        waiting.push({ ...row, entry });
        opened.set(row.order, { iv: row.iv, entry });
      } catch { /* a key of another time: kept, shown as foreign */ }
    }
    const before = this.summary();
    Object.assign(this, { waiting, aside, opened, foreign: rows.length - waiting.length });
    if (this.summary() !== before) this.dispatchEvent(new Event("change"));
  }

  summary() { return [this.waiting.map((row) => row.order), this.aside.map((row) => row.id), this.foreign].join("|"); }

  // Put one entry on the disk. Resolves when it is there.
  async put(entry) {
    const { owner, key } = this;
    const sealed = await seal(key, entry);
    await append({ id: entry.id, owner, ...this.place, ...sealed }); // waits for nobody's turn
    await this.refresh().catch(() => {}); // it is on the disk, whatever the look at it says
    this.others.postMessage("changed");
  }

  get count() { return this.waiting.length; }

  // The device's clock jumped by so much while these waited: their minute may be wrong, and stays marked through a reload.
  mark(byMs) {
    return this.turn(async () => {
      const rows = [];
      for (const { entry, ...row } of this.waiting) {
        if (Math.abs(entry.clock_offset_ms) >= Math.abs(byMs)) continue;
        rows.push({ ...row, ...(await seal(this.key, { ...entry, clock_offset_ms: byMs })) });
      }
      if (rows.length) { await amend(rows); await this.look(); }
    });
  }

  // Send what waits, oldest first, until nothing does or contact is lost. One sender at a time, over all tabs.
  // Whether there was somebody to send it to; null: another tab is sending.
  async drain(post) {
    if (!this.owner) return null;
    return navigator.locks.request(`kerp-outbox-${this.owner}`, { ifAvailable: true }, (lock) => (lock ? this.send(post) : null));
  }

  // A session of which the server says nothing (it is not open to this person any more) waits, and holds up no other.
  async send(post) {
    await this.refresh();
    const tried = this.count > 0, silent = new Set(), placed = (row) => `${row.log}/${row.session}`;
    for (let first; (first = this.waiting.find((row) => !silent.has(placed(row)))); ) {
      const rows = this.waiting.filter((row) => placed(row) === placed(first)).slice(0, BATCH);
      const outcomes = await post({ log: first.log, session: first.session }, rows.map((row) => row.entry));
      if (!(await this.settle(rows, outcomes))) silent.add(placed(first));
    }
    return tried;
  }

  // Acknowledged entries leave the device. One that was refused is laid aside, where somebody must look at it. What the
  // server said nothing of, or asks for later, stays.
  async settle(rows, outcomes) {
    const by = new Map(outcomes.map((outcome) => [outcome.id, outcome]));
    const answered = rows.filter((row) => HELD.has(by.get(row.entry.id)?.result) || ASIDE.has(by.get(row.entry.id)?.result));
    const aside = answered.filter((row) => ASIDE.has(by.get(row.entry.id).result)).map(({ order, entry, ...row }) => ({ ...row, result: by.get(entry.id).result, faults: by.get(entry.id).faults.map((fault) => fault.message) }));
    await this.turn(async () => {
      await settle(answered, aside);
      await this.look();
    });
    for (const { entry } of answered) this.dispatchEvent(new CustomEvent("acknowledged", { detail: { entry, outcome: by.get(entry.id) } }));
    if (answered.length) this.others.postMessage("changed");
    return answered.length > 0;
  }

  // Nothing of anybody stays here; false where something waits.
  wipe() {
    return this.turn(async () => {
      const gone = await wipe();
      await this.look();
      return gone;
    });
  }
}
