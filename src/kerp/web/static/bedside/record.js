// The record of this session: what was entered by whom, what waits, corrections, late entries, this device.

import { capital, card, choice, clock, field, h, mark, number, words } from "./dom.js";
import { dialog, form } from "./dialogs.js";
import { comment } from "./entries.js";
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
  const corrected = new Map(all.filter((one) => one.event.type === "correction").map((one) => [one.event.entry, one]));
  const shown = all.slice(0, app.hints.all ? undefined : 60);
  return card("Entries", {}, app.may("session_record") ? h("div.b-actions", {}, h("button", { type: "button", "data-key": "late", on: { click: () => late(app) } }, "Late entry…"), h("a.button", { href: `/bedside/${app.place.log}/${app.place.session}/paper/` }, "Paper sheet and its entry")) : null,
    h("div.scroll", { tabIndex: 0, role: "region", "aria-label": "Entries" }, h("table.b-events", {}, h("thead", {}, h("tr", {}, ["Minute", "What", "By", ""].map((text) => h("th", { scope: "col" }, text || h("span.visually-hidden", {}, "Actions"))))),
      h("tbody", {}, shown.map((one) => row(app, one, corrected.get(one.id)))))),
    all.length > shown.length ? h("button", { type: "button", on: { click: () => { app.hints.all = true; app.render(); } } }, `All ${all.length}`) : null);
}

function row(app, entry, correction) {
  const lag = entry.recorded_ms - entry.occurred_ms, struck = correction?.event.retracted;
  return h("tr", { class: struck ? "struck" : "" }, h("td.number", {}, app.t0 === null ? entry.wall_clock.slice(11, 16) : clock(entry.occurred_ms - app.t0, true)),
    h("td", {}, struck ? h("s", {}, describe(entry.event)) : describe(entry.event), correction ? mark("info", struck ? "taken back" : "corrected") : null, lag > 120000 && !entry.queued ? mark("warn", "late") : null, entry.queued ? mark("plain", "queued") : null),
    h("td", {}, h("small", {}, `${entry.actor}${entry.device ? ` · ${entry.device}` : ""}`)),
    h("td", {}, app.may("session_record") && !struck && entry.event.type !== "correction" ? h("button.quiet", { type: "button", "aria-label": `Correct entry ${entry.seq}`, on: { click: () => correct(app, entry) } }, "Correct…") : null));
}

export function describe(event) {
  const { type, ...fields } = event;
  if (type === "correction") return `Correction: ${event.reason}`;
  const parts = Object.entries(fields).filter(([name, value]) => value !== null && value !== "" && value !== false && !(Array.isArray(value) && !value.length) && !["rated_by", "advice", "block", "answers", "text_pack", "version"].includes(name)).map(([name, value]) => (name === "value" ? value : typeof value === "object" ? "" : value === true ? words(name) : `${words(name)} ${words(value)}`)).filter((text) => text !== "");
  return `${capital(words(type))}${parts.length ? `: ${parts.slice(0, 5).join(", ")}` : ""}`;
}

// A correction is a new entry: another value, another minute, or that it did not happen.
function correct(app, entry) {
  const { value } = entry.event, at = app.t0 === null ? null : (entry.occurred_ms - app.t0) / 60000;
  return form(`Correct: ${describe(entry.event)}`, [
    value === undefined ? null : field("Value instead", number({ name: "value", value, step: "any" })),
    at === null ? null : field("Minute instead, from minute 0", number({ name: "minute", value: at.toFixed(2), step: "any" })),
    h("label.b-check", {}, h("input", { type: "checkbox", name: "never" }), h("span", {}, "It did not happen")),
    field("Reason", h("input", { name: "why", maxLength: 1000 })),
  ], (data) => {
    const reason = data.get("why").trim();
    if (!reason) return "A reason is asked for.";
    const event = { type: "correction", entry: entry.id, reason, retracted: data.get("never") === "on" };
    if (!event.retracted) {
      if (value !== undefined && Number(data.get("value")) !== value) event.replacement = { ...entry.event, value: Number(data.get("value")) };
      if (at !== null && Math.abs(Number(data.get("minute")) - at) > 0.01) event.occurred_ms = Math.round(app.t0 + Number(data.get("minute")) * 60000);
      if (!event.replacement && event.occurred_ms === undefined) return "Nothing was changed.";
    }
    app.record(event, { text: "Corrected; what stood before stays visible", undo: false });
    return undefined;
  });
}

const LATE = [["suds", "SUDS", { max: 100 }], ["urge", "Urge", { max: 100 }], ["felt_effect", "Felt effect", { max: 10 }], ["sedation", "MOAA/S", { max: 5 }]];

// From paper or from memory: with its own minute, and marked (M9).
function late(app) {
  let type = "suds";
  const since = app.t0 ?? app.clock.now();
  return form("Late entry", [
    field("What", choice("What", LATE.map(([code, text]) => [code, text]), type, (code) => { type = code; })),
    field("Value", number({ name: "value", min: 0, max: 100, step: "any" })),
    field("When: minutes from minute 0", number({ name: "minute", step: "any" }), app.t0 === null ? "Before minute 0: negative minutes from now." : ""),
    h("label.b-check", {}, h("input", { type: "checkbox", name: "memory" }), h("span", {}, "From memory, not from paper")),
    field("Why late", h("input", { name: "why", maxLength: 500 })),
  ], (data) => {
    const value = Number(data.get("value")), minute = Number(data.get("minute")), most = LATE.find(([code]) => code === type)[2].max, why = data.get("why").trim();
    if (!data.get("value") || !(value >= 0 && value <= most)) return `A value from 0 to ${most} is asked for.`;
    if (!data.get("minute") || since + minute * 60000 > app.clock.now()) return "A minute that has passed is asked for.";
    if (!why) return "Why it is late is asked for.";
    const id = crypto.randomUUID(), event = type === "sedation" ? { type, moaas: Math.round(value) } : { type, value: type === "felt_effect" ? value : Math.round(value) };
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
