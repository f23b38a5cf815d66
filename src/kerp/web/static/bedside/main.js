// The bedside page: holds what is known, asks the server how the session stands, and shows it.

import { Api, NoContact, SignedOut, Stream } from "./api.js";
import { Clock, LIMIT_MS } from "./clock.js";
import { h } from "./dom.js";
import { foot, head, tick } from "./frame.js";
import { Lock } from "./lock.js";
import { Outbox } from "./outbox.js";
import { explain, told } from "./dialogs.js";
import { keyOf, read, seal, unseal, write } from "./store.js";
import { panels } from "./panels.js";

const [, , log, session] = location.pathname.split("/");
const UNDO_MS = 9000;

class App {
  constructor() {
    this.place = { log, session };
    this.api = new Api(this.place);
    this.outbox = new Outbox(this.place);
    this.clock = new Clock(log);
    this.stream = new Stream(this.api);
    this.lock = new Lock(this);
    this.entries = new Map();
    this.status = null;
    this.plan = null;
    this.planned = false; // whether the plan came from the server since this page was opened
    this.contact = false;
    this.writing = 0; // entries on their way to the disk
    this.signedOut = false;
    this.tab = "";
    this.hints = {}; // which rating is shown on a narrow screen, and the like
    this.toast = null;
    this.local = new BroadcastChannel(`kerp-${log}-${session}`);
  }

  // --- start ---

  async start() {
    document.documentElement.dataset.theme = localStorage.getItem("kerp-bedside-theme") ?? "dark";
    this.device = localStorage.getItem("kerp-device") ?? `tablet-${crypto.randomUUID().slice(0, 8)}`;
    localStorage.setItem("kerp-device", this.device);
    navigator.storage?.persist?.();
    if ("serviceWorker" in navigator) navigator.serviceWorker.register("/bedside/worker.js").catch(() => {});
    this.listen();
    await this.clock.restore();
    await this.outbox.belongsTo("");
    this.lock.start(); // before anything is shown
    await this.fromSnapshot();
    await this.refresh();
    if (!this.status) this.waitForContact();
    this.stream.open();
    setInterval(() => { if (this.clock.look()) this.changed(); tick(this); }, 500);
    setInterval(() => this.refresh(), 5000);
    setInterval(() => this.drain(), 2000);
    setInterval(() => this.measure(), 60000);
    if (!this.clock.fresh) this.measure();
  }

  listen() {
    this.outbox.addEventListener("change", () => this.changed());
    this.outbox.addEventListener("acknowledged", ({ detail }) => this.acknowledged(detail));
    this.stream.addEventListener("entries", ({ detail }) => this.received(detail));
    this.stream.addEventListener("beat", () => this.inContact(true));
    const release = () => { this.pressed = false; setTimeout(() => { if (this.renderAfter && !this.pressed) { this.renderAfter = false; this.render(); } }, 0); };
    addEventListener("pointerdown", () => { this.pressed = true; this.pressedAt = performance.now(); }, { capture: true, passive: true });
    setInterval(() => { if (this.pressed && performance.now() - this.pressedAt > 5000) release(); }, 1000); // some releases are never told
    for (const name of ["pointerup", "pointercancel"]) addEventListener(name, release, { capture: true, passive: true });
    addEventListener("blur", (event) => { if (event.target === window) release(); }); // not when only the focus moves: that is part of a press
    addEventListener("online", () => { this.drain(); this.refresh(); });
    addEventListener("offline", () => this.inContact(false));
    addEventListener("pageshow", (event) => { if (event.persisted) this.refresh(); });
    document.addEventListener("visibilitychange", () => { this.stream.shown(!document.hidden); if (!document.hidden) this.refresh(); });
  }

  async fromSnapshot() {
    if (!this.outbox.owner) return;
    const kept = await read("kept", `snapshot-${log}-${session}`);
    if (!kept) return;
    try {
      const { status, plan, entries } = await unseal(await keyOf(this.outbox.owner), kept);
      Object.assign(this, { status, plan, entries: new Map(entries.map((one) => [one.id, one])) });
      this.render();
    } catch { /* a snapshot of another key tells nothing */ }
  }

  async snapshot() {
    if (!this.outbox.key || !this.status || !this.plan) return;
    const { name, username, ...me } = this.status.me;
    const status = { ...this.status, participant: "", csrf: "", me: { ...me, name: "", username: "" } };
    const content = { status, plan: this.plan, entries: [...this.entries.values()].slice(-400) };
    await write("kept", await seal(this.outbox.key, content), `snapshot-${log}-${session}`, "relaxed");
  }

  waitForContact() {
    document.getElementById("panel").replaceChildren(h("section.b-card", {}, h("h1", {}, "No contact yet"),
      h("p", {}, this.signedOut ? "You are not signed in on this device." : "This device has not opened the session before, and the server does not answer. The page tries again by itself; meanwhile use the paper sheet."),
      this.signedOut ? h("a.button.primary", { href: `/account/login/?next=${encodeURIComponent(location.pathname)}` }, "Sign in") : null));
  }

  // --- how the session stands ---

  async refresh() {
    if (this.refreshing) { this.again = true; return this.refreshing; }
    this.refreshing = this.fetchStatus().finally(() => { this.refreshing = null; });
    await this.refreshing;
    if (this.again) { this.again = false; await this.refresh(); }
  }

  async fetchStatus() {
    const started = performance.now();
    try {
      const { status, data } = await this.api.get("status");
      if (status !== 200) { this.refused = data.error; this.inContact(true); this.showRefusal(); return; }
      const jumped = this.clock.learn(data.now_ms, data.speed, started, data.wall_ms);
      if (jumped) await this.measure();
      this.api.csrf = data.csrf;
      this.status = data;
      this.signedOut = false;
      await this.outbox.belongsTo(data.me.id);
      if (!this.planned) { this.plan = (await this.api.get("plan")).data; this.planned = true; } // a kept one may be older than this version
      if (!this.entries.size) this.take((await this.api.get("entries")).data.entries ?? []);
      this.inContact(true);
      this.render();
      this.snapshot().catch(() => {});
      this.drain();
    } catch (error) { this.failed(error); }
  }

  showRefusal() {
    if (!this.status) document.getElementById("panel").replaceChildren(h("section.b-card", {}, h("h1", {}, "This session does not open"), h("p", {}, this.refused), h("a.button", { href: "/bedside/" }, "Sessions")));
  }

  failed(error) {
    if (error instanceof SignedOut) { this.signedOut = true; this.inContact(true); }
    else if (error instanceof NoContact) this.inContact(false);
    else throw error;
  }

  inContact(yes) {
    if (!yes) this.clock.fresh = false; // measured again before anything that waited is sent
    if (this.contact !== yes) { this.contact = yes; this.render(); if (yes) this.drain(); }
    else if (!this.pressed) head(this);
  }

  async measure() {
    try { await this.measured(); } catch (error) { if (!(error instanceof NoContact || error instanceof SignedOut)) throw error; }
  }

  // One measurement at a time, and what waited while the clock jumped is marked, on the disk, before the clock counts as
  // measured: its minute may be wrong, and it must not be sent without saying so.
  measured() {
    this.measuring ??= this.measureAndMark().finally(() => { this.measuring = null; });
    return this.measuring;
  }

  async measureAndMark() {
    const jumped = await this.clock.measure(() => this.api.wall());
    if (Math.abs(jumped) > LIMIT_MS) await this.outbox.mark(jumped);
    this.clock.fresh = true;
    this.changed();
  }

  received(entries) { this.take(entries); this.refresh(); }
  take(entries) { for (const one of entries) this.entries.set(one.id, one); }

  // --- recording ---

  // Something happened. On the disk first, then on the screen, then on its way.
  async record(event, { at, text = "", undo = true, id = crypto.randomUUID() } = {}) {
    this.clock.look();
    at ??= this.clock.now();
    const entry = { id, event, occurred_ms: Math.round(at), clock_offset_ms: this.clock.offset, queued: !this.contact };
    if (!(await this.keep(entry))) return null;
    navigator.vibrate?.(15);
    this.say(text || event.type.replaceAll("_", " "), undo ? entry : null);
    this.local.postMessage({ event });
    this.drain();
    return entry;
  }

  // On the disk, or said plainly that it is not.
  async keep(entry) {
    this.writing += 1;
    this.changed();
    try { await this.outbox.put(entry); return true; } catch (error) {
      await told("This was NOT kept", `The device could not store it (${error.message}). Write it on the paper sheet now.`);
      return false;
    } finally { this.writing -= 1; this.changed(); }
  }

  // Something shall happen: the server answers, with its reasons.
  async ask(event, { text = "", override = "", id = crypto.randomUUID(), at } = {}) {
    this.clock.look();
    at ??= this.clock.now();
    if (this.outbox.count) await this.drain();
    let answer;
    try {
      answer = await this.api.request({ id, event, device: this.device, occurred_ms: Math.round(at), override, clock_offset_ms: this.clock.offset });
    } catch (error) {
      this.failed(error);
      return explain.noContact(this, event, { id, at, text });
    }
    if (answer.status !== 200) { await told("Not accepted", (answer.data.faults ?? []).map((fault) => fault.message).join(" ") || answer.data.error); return false; }
    if (!answer.data.accepted) return explain.refused(this, event, answer.data.reasons, text);
    this.local.postMessage({ event });
    this.say(text || event.type.replaceAll("_", " "), { id, event });
    await this.refresh();
    return true;
  }

  // What was written down late keeps its own minute and is marked as late, not as held by the device.
  async recordLate(event, { id, at, why, memory, text = "Late entry recorded, marked as late" }) {
    const entry = { id, event, occurred_ms: Math.round(at), clock_offset_ms: this.clock.offset, queued: false, late: true };
    if (!(await this.keep(entry))) return;
    await this.record({ type: "late_entry", entry: id, reason: why, from_memory: memory }, { text, undo: false });
  }

  async undo(entry) {
    this.toast = null;
    await this.record({ type: "correction", entry: entry.id, reason: "undone at the bedside", retracted: true }, { text: "Taken back, by a correction", undo: false });
  }

  // Send what waits. One pass at a time; what comes during a pass starts another one, unless contact is lost: then the
  // next beat of two seconds tries again.
  drain() {
    this.more = true;
    this.draining ??= this.sendWhileMore();
    return this.draining;
  }

  async sendWhileMore() {
    try { do { this.more = false; } while (await this.sendAll() && this.more); }
    catch (error) { console.error("not sent, tried again", error); }
    finally { this.draining = null; }
  }

  // Whether it went well. The clock is measured before anything is sent, so that a jump of the device is marked first.
  async sendAll() {
    if (!this.outbox.count || this.signedOut) return true;
    try {
      if (!this.clock.fresh) await this.measured();
      const sent = await this.outbox.drain((place, entries) => this.api.entries(place, this.device, entries.map((entry) => this.outgoing(entry, place))));
      if (sent) this.inContact(true);
      return true;
    } catch (error) { this.failed(error); return false; }
  }

  // As it is sent: what waited for long is marked as held by the device. Minutes of another log have another zero.
  outgoing({ late, ...entry }, place) {
    const held = place.log === log && entry.occurred_ms < this.clock.now() - 10000 * this.clock.speed && !late;
    return { ...entry, queued: entry.queued || held };
  }

  acknowledged({ entry, outcome }) {
    if (outcome.result === "stored") this.refreshSoon();
    if (outcome.result === "refused" && entry.event.type === "dose_verified") { this.refresh(); told("Not verified", `${outcome.faults.map((fault) => fault.message).join(" ")}.`); }
    if (outcome.warnings?.length) this.say(`Kept. ${outcome.warnings[0].text}`, null);
  }

  refreshSoon() { clearTimeout(this.soon); this.soon = setTimeout(() => this.refresh(), 60); }

  say(text, entry) {
    this.toast = { text, entry, until: performance.now() + UNDO_MS };
    this.changed();
  }

  changed() { this.renderSoon ??= requestAnimationFrame(() => { this.renderSoon = null; this.render(); }); }

  // --- showing ---

  may(permission) { return this.status?.me.may.includes(permission); }
  get t0() { return this.status?.session?.t0_ms ?? null; }
  minute(ms = this.clock.now()) { return ms - (this.t0 ?? ms); }

  // What the clock on the wall of the site shows, whatever zone this device was set to.
  wall() { return new Date(Date.now() - this.clock.offset).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: this.plan?.zone }); }

  // What goes on when the other track is held or ended: said only where it is true (M11).
  get exposureGoesOn() { return this.status?.exposure.blocks.some((block) => !block.ended_ms) ? " Exposure goes on until somebody stops it." : ""; }
  get drugGoesOn() { return this.status?.drug.status === "running" ? " The drug goes on until somebody stops it." : ""; }

  // Entries that wait count as given: what the screen shows is what this device knows.
  waitingOf(type) { return this.outbox.waiting.filter((row) => row.session === session && row.entry.event.type === type).map((row) => row.entry); }

  go(tab) { this.tab = tab; this.render(); document.getElementById("panel").scrollTo(0, 0); }

  render() {
    if (!this.status || !this.plan) return;
    if (this.pressed) { this.renderAfter = true; return; } // a button that is being pressed stays where it is
    const panel = document.getElementById("panel"), focused = document.activeElement?.dataset?.key;
    document.body.dataset.hand = this.status.me.hand;
    document.documentElement.dataset.text = this.status.me.text;
    const shown = panels(this);
    if (!shown.some((one) => one.id === this.tab)) this.tab = shown[0].id;
    head(this);
    foot(this, shown);
    const chosen = shown.find((one) => one.id === this.tab);
    const scroll = panel.scrollTop;
    if (!(chosen.keep?.(panel))) panel.replaceChildren(...[chosen.render(this)].flat().filter(Boolean));
    panel.dataset.tab = this.tab;
    panel.scrollTop = scroll;
    if (focused) document.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    document.title = `${this.plan.title} · kerp`;
    tick(this);
  }
}

const app = new App();
globalThis.kerp = app; // for tests and for support
app.start();
