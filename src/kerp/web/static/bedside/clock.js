// The session clock is the server's. This device only knows how far its own is off, and counts on when contact is lost.

import { read, write } from "./store.js";

export const LIMIT_MS = 2000; // above this no administration may be started from here

export class Clock {
  constructor() {
    this.offset = 0; // this device minus server, Unix ms
    this.measured = false;
    this.anchor = null; // { log, mono } of this page's life
    this.speed = 1;
  }

  async restore() {
    const kept = await read("kept", "clock");
    if (!kept) return;
    Object.assign(this, { offset: kept.offset, speed: kept.speed });
    this.anchor ??= { log: kept.log + (Date.now() - kept.wall) * kept.speed, mono: performance.now() };
  }

  // One exchange with the server; the shortest of a few is the most exact.
  async measure(ask) {
    let best = null;
    for (let turn = 0; turn < 3; turn++) {
      const sent = Date.now(), start = performance.now();
      const wall = await ask();
      const took = performance.now() - start;
      if (!best || took < best.took) best = { took, offset: Math.round(sent + took / 2 - wall) };
    }
    const before = this.measured ? this.offset : null;
    this.offset = best.offset;
    this.measured = true;
    return before === null ? 0 : best.offset - before; // how far this device's clock has jumped since
  }

  // The log's clock, as an answer of the server gave it.
  learn(nowMs, speed, sentMono) {
    const log = nowMs + ((performance.now() - sentMono) / 2) * speed;
    this.speed = speed;
    this.anchor = { log, mono: performance.now() };
    write("kept", { log, wall: Date.now(), offset: this.offset, speed }, "clock").catch(() => {});
  }

  get known() { return this.anchor !== null; }
  now() { return this.anchor ? Math.round(this.anchor.log + (performance.now() - this.anchor.mono) * this.speed) : 0; }
  get off() { return Math.abs(this.offset) > LIMIT_MS; }
}
