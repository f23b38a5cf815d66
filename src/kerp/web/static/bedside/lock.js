// The locked screen hides what was entered and goes on recording: clocks run, the outbox is sent, both stops stay one tap.
// A device is locked, not a tab: a reload, another tab or a closed one is no way around it, and none gives a try back.

import { field, h } from "./dom.js";
import { stopByParticipant, stopExposure } from "./frame.js";
import { read, spendTry, write } from "./store.js";

const IDLE_MS = 10 * 60 * 1000;
const ROUNDS = 200000;
const MOST_WRONG = 5;
const LOCKED = "kerp-locked", TOUCHED = "kerp-touched";

export class Lock {
  constructor(app) { this.app = app; this.locked = false; this.touched = performance.now(); this.told = -Infinity; }

  get pinKey() { return `pin-${this.app.outbox.owner}`; }

  start() {
    for (const name of ["pointerdown", "keydown"]) addEventListener(name, () => this.touch(), { passive: true });
    setInterval(() => { if (!this.locked && this.idle() > IDLE_MS) this.lock(); }, 5000);
    addEventListener("storage", ({ key }) => { if (key === LOCKED || key === null) this.follow(); }); // what another tab did
    addEventListener("pageshow", () => this.follow()); // a page that slept hears of nothing
    this.touch();
    this.follow();
  }

  // Somebody who works in one tab leaves no other to lock the device under their hands.
  touch() {
    this.touched = performance.now();
    if (this.locked || this.touched - this.told < 1000) return;
    this.told = this.touched;
    localStorage.setItem(TOUCHED, String(Date.now()));
  }

  idle() {
    const here = performance.now() - this.touched, anywhere = Date.now() - Number(localStorage.getItem(TOUCHED) ?? 0);
    return anywhere >= 0 ? Math.min(here, anywhere) : here; // the clock was set back meanwhile
  }

  follow() {
    if (localStorage.getItem(LOCKED)) this.close();
    else if (this.locked) this.reopen();
  }

  lock() {
    localStorage.setItem(LOCKED, "1");
    this.close();
  }

  close() {
    if (this.locked) return;
    this.locked = true;
    for (const part of ["head", "panel", "foot"]) document.getElementById(part).inert = true;
    for (const box of document.querySelectorAll("dialog[open]")) { box.close(); box.dataset.set = "aside"; } // with what was typed
    document.body.classList.add("locked");
    this.show();
  }

  async show() {
    const { app } = this, box = document.getElementById("lock");
    const pin = await read("kept", this.pinKey).catch(() => null); // the stops are shown whatever the disk says
    const secret = h("input", { type: "password", inputMode: pin ? "numeric" : "text", autocomplete: pin ? "off" : "current-password", name: "secret" });
    const fault = h("p.fault", { role: "alert", hidden: true });
    box.hidden = false;
    box.replaceChildren(h("div.b-lock-card", {},
      h("p.b-lock-clock", {}, h("b", { "data-clock": "session" }, "–")),
      h("h1", {}, "Locked"), h("p", {}, "Recording goes on. Both stops work."),
      h("form", { on: { submit: async (event) => { event.preventDefault(); const problem = await this.open(secret.value, Boolean(pin)); secret.value = ""; if (problem) { fault.hidden = false; fault.textContent = problem; secret.focus(); } } } },
        field(pin ? "PIN of this device" : "Your password", secret, pin ? "" : "Without contact a PIN of this device is needed: set one under Record."), fault, h("div.b-actions", {}, h("button.primary", { type: "submit" }, "Unlock"))),
      h("div.b-stops", {}, h("button.b-stop.patient", { type: "button", id: "locked-patient-stop", on: { click: () => stopByParticipant(app) } }, "■ Participant says STOP"),
        h("button.b-stop", { type: "button", on: { click: () => stopExposure(app) } }, "■ Stop exposure"))));
    secret.focus();
  }

  async open(secret, byPin) {
    if (byPin) return this.openByPin(secret);
    try {
      const { status, data } = await this.app.api.unlock(secret);
      if (status === 200) return this.unlock();
      if (status === 401) location.assign(`/account/login/?next=${encodeURIComponent(location.pathname)}`);
      return data.error;
    } catch { return "No contact: the password cannot be checked now."; }
  }

  // A try is spent on the disk before the PIN is looked at.
  async openByPin(text) {
    const pin = await spendTry(this.pinKey).catch(() => null);
    if (pin && pin.tries <= MOST_WRONG && await same(pin, text)) {
      await write("kept", { ...pin, tries: 0 }, this.pinKey);
      return this.unlock();
    }
    if (pin && pin.tries < MOST_WRONG) {
      const left = MOST_WRONG - pin.tries;
      return `That is not the PIN. ${left} ${left === 1 ? "try" : "tries"} left.`;
    }
    if (pin) await write("kept", null, this.pinKey);
    await this.show();
    return "";
  }

  unlock() {
    localStorage.removeItem(LOCKED);
    this.reopen();
    this.touch();
    return "";
  }

  reopen() {
    this.locked = false;
    this.touched = performance.now();
    for (const part of ["head", "panel", "foot"]) document.getElementById(part).inert = false;
    for (const box of document.querySelectorAll("dialog[data-set]")) { delete box.dataset.set; box.showModal(); }
    document.body.classList.remove("locked");
    document.getElementById("lock").hidden = true;
    document.getElementById("lock").replaceChildren();
    this.app.render();
  }

  async setPin(text) {
    const salt = crypto.getRandomValues(new Uint8Array(16));
    await write("kept", { salt, hash: await derive(text, salt), tries: 0 }, this.pinKey);
  }
}

async function derive(text, salt) {
  const key = await crypto.subtle.importKey("raw", new TextEncoder().encode(text), "PBKDF2", false, ["deriveBits"]);
  return new Uint8Array(await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt, iterations: ROUNDS }, key, 256));
}

async function same(pin, text) {
  const made = await derive(text, pin.salt);
  return made.every((byte, at) => byte === pin.hash[at]);
}
