// The locked screen hides what was entered and goes on recording: clocks run, the outbox is sent, both stops stay one tap.

import { field, h } from "./dom.js";
import { stopByParticipant, stopExposure } from "./frame.js";
import { read, write } from "./store.js";

const IDLE_MS = 10 * 60 * 1000;
const ROUNDS = 200000;
const MOST_WRONG = 5;

export class Lock {
  constructor(app) { this.app = app; this.locked = false; this.wrong = 0; this.touched = performance.now(); }

  start() {
    for (const name of ["pointerdown", "keydown"]) addEventListener(name, () => { this.touched = performance.now(); }, { passive: true });
    setInterval(() => { if (!this.locked && performance.now() - this.touched > IDLE_MS) this.lock(); }, 5000);
    if (sessionStorage.getItem("kerp-locked")) this.lock();
  }

  lock() {
    this.locked = true;
    sessionStorage.setItem("kerp-locked", "1"); // a reload is no way around it
    for (const part of ["head", "panel", "foot"]) document.getElementById(part).inert = true;
    document.body.classList.add("locked");
    this.show();
  }

  async show() {
    const { app } = this, box = document.getElementById("lock");
    const pin = await read("kept", `pin-${app.outbox.owner}`);
    const secret = h("input", { type: "password", inputMode: pin ? "numeric" : "text", autocomplete: pin ? "off" : "current-password", name: "secret" });
    const fault = h("p.fault", { role: "alert", hidden: true });
    box.hidden = false;
    box.replaceChildren(h("div.b-lock-card", {},
      h("p.b-lock-clock", {}, h("b", { "data-clock": "session" }, "–")),
      h("h1", {}, "Locked"), h("p", {}, "Recording goes on. Both stops work."),
      h("form", { on: { submit: async (event) => { event.preventDefault(); const problem = await this.open(secret.value, pin); secret.value = ""; if (problem) { fault.hidden = false; fault.textContent = problem; secret.focus(); } } } },
        field(pin ? "PIN of this device" : "Your password", secret, pin ? "" : "Without contact a PIN of this device is needed: set one under Record."), fault, h("div.b-actions", {}, h("button.primary", { type: "submit" }, "Unlock"))),
      h("div.b-stops", {}, h("button.b-stop.patient", { type: "button", id: "locked-patient-stop", on: { click: () => stopByParticipant(app) } }, "■ Participant says STOP"),
        h("button.b-stop", { type: "button", on: { click: () => stopExposure(app) } }, "■ Stop exposure"))));
    secret.focus();
  }

  async open(secret, pin) {
    if (pin) {
      if (await same(pin, secret)) return this.unlock();
      this.wrong += 1;
      if (this.wrong < MOST_WRONG) return `That is not the PIN. ${MOST_WRONG - this.wrong} tries left.`;
      await write("kept", null, `pin-${this.app.outbox.owner}`);
      await this.show();
      return "";
    }
    try {
      const { status, data } = await this.app.api.unlock(secret);
      if (status === 200) return this.unlock();
      if (status === 401) location.assign(`/account/login/?next=${encodeURIComponent(location.pathname)}`);
      return data.error;
    } catch { return "No contact: the password cannot be checked now."; }
  }

  unlock() {
    this.locked = false;
    this.wrong = 0;
    this.touched = performance.now();
    sessionStorage.removeItem("kerp-locked");
    for (const part of ["head", "panel", "foot"]) document.getElementById(part).inert = false;
    document.body.classList.remove("locked");
    document.getElementById("lock").hidden = true;
    document.getElementById("lock").replaceChildren();
    this.app.render();
    return "";
  }

  async setPin(text) {
    const salt = crypto.getRandomValues(new Uint8Array(16));
    await write("kept", { salt, hash: await derive(text, salt) }, `pin-${this.app.outbox.owner}`);
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
