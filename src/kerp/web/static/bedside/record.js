// The record of this session: what was entered by whom, what waits, corrections, late entries, this device.

import { capital, card, choice, clock, field, h, mark, words } from "./dom.js";
import { dialog, form } from "./dialogs.js";
import { comment } from "./entries.js";
import { number, typed } from "./numbers.js";
import { unseal } from "./store.js";

export function record(app) {
  return [h("h1", {}, "Record"), waiting(app), aside(app), flags(app), events(app), deviations(app), device(app)];
}

function waiting(app) {
  const rows = app.outbox.waiting;
  return card("On this device", {}, rows.length ? [h("p", {}, mark("warn", `${rows.length} waiting`), " Kept on this device, encrypted, until the server has acknowledged them."), h("ul", {}, rows.map((row) => h("li", {}, describe(row.entry.event), app.t0 === null ? "" : ` · ${clock(row.entry.occurred_ms - app.t0, true)}`)))] : h("p", {}, mark("good", "nothing waits"), " Everything that was entered here is in the record."),
    app.outbox.foreign ? h("p.note.warning", {}, `${app.outbox.foreign} entries wait for another person's sign-in on this device.`) : null);
}

function aside(app) {
  return app.outbox.aside.length ? card("Not accepted: look at these", {}, app.outbox.aside.map((row) => h("div.note.error", {}, h("strong", {}, row.result === "conflict" ? "The same id is in the record with other content" : "Refused"), h("p", {}, row.faults.join(" ")), h("button", { type: "button", on: { click: async () => { let text = "It cannot be read with this sign-in."; try { text = JSON.stringify((await unseal(app.outbox.key, row)).event, null, 1); } catch { /* another key */ } dialog("What was entered", () => h("pre", {}, text)); } } }, "Show it")))) : null;
}

function flags(app) {
  return app.status.flags.length ? card("Flags", {}, h("ul", {}, app.status.flags.map((flag) => h("li", {}, mark("warn", words(flag.kind)), ` ${flag.text}`)))) : null;
}

function events(app) {
  const all = [...app.entries.values()].toSorted((one, other) => other.occurred_ms - one.occurred_ms || other.seq - one.seq);
  const shown = all.slice(0, app.hints.all ? undefined : 60);
  return card("Entries", {}, app.may("session_record") ? h("div.b-actions", {}, h("button", { type: "button", "data-key": "late", on: { click: () => late(app) } }, "Late entry…"), h("a.button", { href: `/bedside/${app.place.log}/${app.place.session}/paper/` }, "Paper sheet and its entry")) : null,
    h("div.scroll", { tabIndex: 0, role: "region", "aria-label": "Entries" }, h("table.b-events.cards", {}, h("thead", {}, h("tr", {}, ["Minute", "What", "By", ""].map((text) => h("th", { scope: "col" }, text || h("span.visually-hidden", {}, "Actions"))))),
      h("tbody", {}, shown.map((one) => row(app, one))))),
    all.length > shown.length ? h("button", { type: "button", on: { click: () => { app.hints.all = true; app.render(); } } }, `All ${all.length}`) : null);
}

function row(app, entry) {
  const lag = entry.recorded_ms - entry.occurred_ms, now = readNow(app, entry), minute = (ms) => (app.t0 === null ? entry.wall_clock.slice(11, 16) : clock(ms - app.t0, true));
  return h("tr", { class: now.retracted ? "struck" : "" }, h("td.number", {}, minute(entry.occurred_ms)),
    h("td", {}, now.retracted ? h("s", {}, describe(entry.event)) : describe(entry.event), now.reason ? [" ", mark("info", corrected(entry, now, minute))] : null, lag > 120000 && !entry.queued ? mark("warn", "late") : null, entry.queued ? mark("plain", "queued") : null),
    h("td", {}, h("small", {}, `${entry.actor}${entry.device ? ` · ${entry.device}` : ""}`)),
    h("td", {}, app.may("session_record") && !now.retracted && entry.event.type !== "correction" ? h("button.quiet", { type: "button", "aria-label": `Correct entry ${entry.seq}`, on: { click: () => correct(app, entry) } }, "Correct…") : null));
}

// "SUDS 60, corrected to 55: reason": what stands there now beside what was written.
function corrected(entry, now, minute) {
  if (now.retracted) return `taken back: ${now.reason}`;
  const same = JSON.stringify(now.event) === JSON.stringify(entry.event);
  const value = same ? "" : now.event.value !== undefined ? String(now.event.value) : describe(now.event);
  const to = [value, now.occurred_ms === entry.occurred_ms ? "" : `minute ${minute(now.occurred_ms)}`].filter(Boolean).join(", at ");
  return `corrected${to ? ` to ${to}` : ""}: ${now.reason}`;
}

export function describe(event) {
  const { type, ...fields } = event;
  if (type === "correction") return `Correction: ${event.reason}`;
  const parts = Object.entries(fields).filter(([name, value]) => value !== null && value !== "" && value !== false && !(Array.isArray(value) && !value.length) && !["rated_by", "advice", "block", "answers", "text_pack", "version", "computed", "entry"].includes(name)).map(([name, value]) => (name === "value" ? value : typeof value === "object" ? "" : value === true ? words(name) : `${words(name)} ${words(value)}`)).filter((text) => text !== "");
  return `${capital(words(type))}${parts.length ? `: ${parts.slice(0, 5).join(", ")}` : ""}`;
}

// An entry as it reads now: what it was written as, with the newest correction that nobody took back.
export function readNow(app, entry) {
  const corrections = [...app.entries.values(), ...app.waitingOf("correction")].filter((one) => one.event.type === "correction");
  const gone = new Set(corrections.filter((one) => one.event.retracted).map((one) => one.event.entry));
  const standing = corrections.filter((one) => one.event.entry === entry.id && !gone.has(one.id)).toSorted((one, other) => (one.seq ?? Infinity) - (other.seq ?? Infinity));
  return standing.reduce((now, { event }) => ({ ...now, event: event.replacement ?? now.event, occurred_ms: event.occurred_ms ?? now.occurred_ms, retracted: event.retracted, reason: event.reason }), { ...entry, retracted: false, reason: "" });
}

// A correction is a new entry: another value, another minute, or that it did not happen. A field left empty changes nothing.
function correct(app, entry) {
  const now = readNow(app, entry), value = typeof now.event.value === "number" ? now.event.value : undefined, at = app.t0 === null ? null : (now.occurred_ms - app.t0) / 60000;
  const [, , range = {}] = LATE.find(([code]) => code === now.event.type) ?? [];
  return form(`Correct: ${describe(now.event)}`, [
    value === undefined ? null : field("Value instead", number({ name: "value", value, min: 0, max: range.max, whole: range.whole }), "Left empty: unchanged."),
    at === null ? null : field("Minute instead, from minute 0", number({ name: "minute", value: at.toFixed(2) }), "Left empty: unchanged."),
    h("label.b-check", {}, h("input", { type: "checkbox", name: "never" }), h("span", {}, "It did not happen")),
    field("Reason", h("input", { name: "why", maxLength: 1000 })),
  ].filter(Boolean), (data, node) => {
    const reason = data.get("why").trim();
    if (!reason) return "A reason is asked for.";
    const event = { type: "correction", entry: entry.id, reason, retracted: data.get("never") === "on" };
    if (!event.retracted) {
      const instead = value === undefined ? null : typed(node, "value", false), minute = at === null ? null : typed(node, "minute", false);
      const moved = minute !== null && Math.abs(minute - at) > 0.01;
      if (moved && app.t0 + minute * 60000 > app.clock.now()) return "A minute that has passed is asked for.";
      const other = instead !== null && instead !== value;
      if (!other && !moved) return "Nothing was changed.";
      // What was corrected before stays corrected: the newest correction is the one that is read.
      if (other) event.replacement = { ...now.event, value: instead };
      else if (now.event !== entry.event) event.replacement = now.event;
      if (moved) event.occurred_ms = Math.round(app.t0 + minute * 60000);
      else if (now.occurred_ms !== entry.occurred_ms) event.occurred_ms = now.occurred_ms;
    }
    app.record(event, { text: "Corrected; what stood before stays visible", undo: false });
    return undefined;
  });
}

const LATE = [["suds", "SUDS", { max: 100, whole: true }], ["urge", "Urge", { max: 100, whole: true }], ["felt_effect", "Felt effect", { max: 10 }], ["sedation", "MOAA/S", { max: 5, whole: true }]];

// From paper or from memory: with its own minute, and marked (M9).
function late(app) {
  let type = "suds";
  const since = app.t0 ?? app.clock.now();
  return form("Late entry", [
    field("What", choice("What", LATE.map(([code, text]) => [code, text]), type, (code) => { type = code; })),
    field("Value", number({ name: "value", min: 0, max: 100 })),
    field("When: minutes from minute 0", number({ name: "minute" }), app.t0 === null ? "Before minute 0: negative minutes from now." : ""),
    h("label.b-check", {}, h("input", { type: "checkbox", name: "memory" }), h("span", {}, "From memory, not from paper")),
    field("Why late", h("input", { name: "why", maxLength: 500 })),
  ], (data, node) => {
    const value = typed(node, "value"), minute = typed(node, "minute"), most = LATE.find(([code]) => code === type)[2].max, why = data.get("why").trim();
    if (value > most) return `A value from 0 to ${most} is asked for.`;
    if (type !== "felt_effect" && !Number.isInteger(value)) return `A whole number from 0 to ${most} is asked for.`;
    if (since + minute * 60000 > app.clock.now()) return "A minute that has passed is asked for.";
    if (!why) return "Why it is late is asked for.";
    const id = crypto.randomUUID(), event = type === "sedation" ? { type, moaas: value } : { type, value };
    app.recordLate(event, { id, at: since + minute * 60000, why, memory: data.get("memory") === "on" });
    return undefined;
  });
}

function deviations(app) {
  const mine = app.status.deviations.filter((one) => one.session === app.place.session);
  return mine.length ? card("Deviations", {}, h("ul", {}, mine.map((one) => h("li", {}, one.major ? mark("stop", "major") : mark("warn", words(one.kind)), ` ${one.text}`)))) : null;
}

function device(app) {
  const other = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  return card("This device", {}, h("dl.facts", {}, h("dt", {}, "Name"), h("dd", {}, app.device), h("dt", {}, "Clock"), h("dd", {}, app.clock.measured ? `${app.clock.offset >= 0 ? "+" : "−"}${Math.abs(app.clock.offset)} ms from the server` : "not measured"), h("dt", {}, "Signed in"), h("dd", {}, app.status.me.name || "unknown without contact")),
    h("div.b-group", {}, h("button", { type: "button", "data-key": "theme", on: { click: () => { localStorage.setItem("kerp-bedside-theme", other); document.documentElement.dataset.theme = other; app.render(); } } }, other === "dark" ? "Dark" : "Light"),
      h("button", { type: "button", "data-key": "pin", on: { click: () => pin(app) } }, "PIN for unlocking…"),
      h("a.button", { href: "/bedside/" }, "Leave the session"),
      h("button", { type: "button", "data-key": "clear", disabled: app.outbox.count + app.outbox.foreign > 0, on: { click: () => wipe(app) } }, "Clear this device")));
}

function pin(app) {
  return form("PIN of this device", [field("Four to eight digits", h("input", { name: "pin", type: "password", inputMode: "numeric", pattern: "[0-9]{4,8}", autocomplete: "off" }), "Unlocks this screen, also without contact. It signs nothing.")], async (data) => {
    if (!/^\d{4,8}$/.test(data.get("pin"))) return "Four to eight digits are asked for.";
    await app.lock.setPin(data.get("pin"));
    return undefined;
  });
}

async function wipe(app) {
  const gone = await app.outbox.wipe();
  app.say(gone ? "Nothing of this session is on this device any more." : "Something waits here: nothing was cleared.", null);
}
export { comment };
