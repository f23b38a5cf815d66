// The session clock is the server's. This device only knows how far its own is off, and counts on when contact is lost.
//
// Two clocks of the device are compared all the time: the one on its wall, which somebody may set, and the one that only
// counts on, which stands still while some devices sleep. Where they part, the difference is kept on the disk, so that
// what is entered later is marked, also after a reload.

import { read, write } from "./store.js";

export const LIMIT_MS = 2000; // above this no administration may be started from here
const DRIFT = 1e-4; // by how much a device's clock may run fast or slow; quartz is ten times better

export class Clock {
  constructor(log) {
    this.name = `clock-${log}`; // each log has its own zero
    this.offset = 0; // this device minus server, Unix ms
    this.measured = false; // in this page's life
    this.fresh = false; // measured since contact was last lost, and what waited is marked
    this.estimated = false; // ever, on this device
    this.anchor = null; // { log, mono, doubt } of this page's life; doubt: ms by which it may be off
    this.speed = 1;
    this.asleep = document.hidden;
    this.base = this.both();
  }

  both() { return { wall: Date.now(), mono: performance.now() }; }

  async restore() {
    const device = await read("kept", "clock"), session = await read("kept", this.name);
    if (device) Object.assign(this, { offset: device.offset, estimated: true });
    if (!session || this.anchor) return;
    this.speed = session.speed;
    this.anchor = { log: session.log + (Date.now() - session.wall) * session.speed, mono: performance.now(), doubt: Infinity };
  }

  keep() {
    const kept = [];
    if (this.estimated) kept.push(write("kept", { offset: this.offset }, "clock", "relaxed"));
    if (this.anchor) kept.push(write("kept", { log: this.now(), wall: Date.now(), speed: this.speed }, this.name, "relaxed"));
    return Promise.all(kept).catch(() => {});
  }

  // Whether the wall clock was set since the last look, and by how much. Time that passed while nothing was shown is sleep.
  look() {
    const now = this.both(), parted = now.wall - this.base.wall - (now.mono - this.base.mono);
    if (Math.abs(parted) <= LIMIT_MS) { this.asleep = document.hidden; return 0; }
    this.base = now;
    const slept = parted > 0 && (this.asleep || document.hidden);
    this.asleep = document.hidden;
    if (slept) {
      if (this.anchor) Object.assign(this.anchor, { log: this.anchor.log + parted * this.speed, doubt: Infinity });
      return 0;
    }
    this.offset += Math.round(parted);
    this.estimated = true;
    this.keep();
    return parted;
  }

  // One exchange with the server; the shortest of a few is the most exact. Returns how far this device's clock has
  // jumped against what was known of it, on this page or before.
  async measure(ask) {
    this.look();
    let best = null;
    for (let turn = 0; turn < 3; turn++) {
      const sent = Date.now(), start = performance.now();
      const wall = await ask();
      const took = performance.now() - start;
      if (!best || took < best.took) best = { took, offset: Math.round(sent + took / 2 - wall) };
    }
    const jumped = this.estimated ? best.offset - this.offset : 0;
    Object.assign(this, { offset: best.offset, measured: true, estimated: true });
    this.keep();
    return jumped;
  }

  // The log's clock, as an answer of the server gave it: between asking and hearing, so a quick answer is worth more than
  // a slow one. Returns whether the server's wall clock shows that this one has jumped.
  learn(nowMs, speed, sentMono, wallMs) {
    this.look();
    const mono = performance.now(), doubt = (mono - sentMono) / 2, log = nowMs + doubt * speed;
    if (!this.trusts(log, doubt, speed, mono)) this.anchor = { log, mono, doubt };
    this.speed = speed;
    this.base = this.both();
    this.keep();
    return this.estimated && Math.abs(Date.now() - doubt - wallMs - this.offset) > LIMIT_MS + doubt;
  }

  // Whether what is known is as good as this answer and agrees with it.
  trusts(log, doubt, speed, mono) {
    if (!this.anchor || speed !== this.speed) return false;
    const known = this.anchor.doubt + (mono - this.anchor.mono) * DRIFT;
    return known < doubt && Math.abs(this.now() - log) <= (known + doubt) * speed;
  }

  get known() { return this.anchor !== null; }
  now() { return this.anchor ? Math.round(this.anchor.log + (performance.now() - this.anchor.mono) * this.speed) : 0; }
  get off() { return Math.abs(this.offset) > LIMIT_MS; }
}
