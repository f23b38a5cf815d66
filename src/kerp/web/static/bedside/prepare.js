// Before minute 0: what is missing by name, checks in one tap, the dose with two people, the explicit start.

import { card, choice, field, h, mark, words } from "./dom.js";
import { dialog, form } from "./dialogs.js";
import { vitals } from "./entries.js";
import { comment } from "./entries.js";
import { open } from "./now.js";
import { number, typed } from "./numbers.js";

export const missing = (app) => app.status.gate.filter((row) => !row.met);

export function prepare(app) {
  const left = missing(app);
  return [h("h1.visually-hidden", {}, "Prepare"), gateCard(app, left), app.status.drug.dosing ? dose(app) : null, start(app, left), baseline(app), use(app)];
}

function gateCard(app, left) {
  return card("Ready?", {}, h("p.b-lead", {}, left.length ? [mark("warn", `${left.length} missing`), " Each by name, with whose it is."] : mark("good", "everything is there")),
    h("ul.b-gate", {}, app.status.gate.map((row) => h("li", { class: row.met ? "met" : "open" },
      h("span.b-gate-sign", { "aria-hidden": "true" }, row.met ? "✓" : "○"),
      h("div", {}, h("strong", {}, row.title), h("small", {}, row.met ? "done" : `${row.why} · ${app.plan.roles[row.role] ?? words(row.role)}`)),
      app.may("session_record") ? action(app, row) : null))));
}

// One tap where one tap is enough.
function action(app, row) {
  const button = (text, click, more = {}) => h("button", { type: "button", "data-key": `gate-${row.id}-${text}`, on: { click }, ...more }, text, h("span.visually-hidden", {}, ` ${row.title}`));
  const say = (event) => () => app.record(event, { text: row.title });
  // The buttons stay when it is done: the list does not move under the finger, and a slip can be recorded again.
  switch (row.kind) {
    case "consent": return button("Confirm", () => form("Consent", [field("Version signed by the participant", h("input", { name: "version", maxLength: 60 }))], (data) => { if (!data.get("version").trim()) return "Which version is asked for."; app.record({ type: "consent_checked", version: data.get("version").trim(), confirmed: true }); return undefined; }));
    case "pregnancy": return [button("Negative", say({ type: "pregnancy_test", result: "negative" })), button("Other…", () => result(app, "pregnancy_test"))];
    case "toxicology": return [button("Negative", say({ type: "toxicology_test", result: "negative" })), button("Other…", () => result(app, "toxicology_test"))];
    case "fasting": return [button("Kept", say({ type: "fasting_check", kept: true })), button("Not kept", say({ type: "fasting_check", kept: false }))];
    case "escort": return button("Arranged", say({ type: "escort_check", arranged: true }));
    case "checklist": return row.id === "weight" ? button("Weigh", () => weigh(app)) : row.id === "time_out" ? button("Time-out", () => timeOut(app)) : button("Done", say({ type: "checklist_item", item: row.id, done: true }));
    case "vitals": return button("Measure", () => vitals(app));
    default: return null;
  }
}

function result(app, type) {
  let chosen = "";
  return form(words(type), [field("Result", choice("Result", [["positive", "Positive"], ["not_applicable", "Not applicable"], ["refused", "Refused"], ["negative", "Negative"]], "", (code) => { chosen = code; })), field("Why", h("input", { name: "reason", maxLength: 300 }))],
    (data) => { if (!chosen) return "Tap a result."; app.record({ type, result: chosen, reason: data.get("reason") }); return undefined; });
}

function weigh(app) {
  return form("Weight", [field("Weight, measured today (kg)", number({ name: "kg", min: 1, max: 500 }))], (_, node) => {
    const kg = typed(node, "kg");
    app.record({ type: "weight", weight_kg: kg, measured: true }, { text: `Weight ${kg} kg` });
    return undefined;
  });
}

function timeOut(app) {
  return form("Time-out", [h("p", {}, "Everybody looks up once and says it aloud."), ...["Right person", "Right drug and dose, or right kit", "Right exposure; props and hazards looked at", `Everybody knows the stop word${app.plan.exposure.stop_word ? `: ${app.plan.exposure.stop_word}` : ""}`].map((text, at) => h("label.b-check", {}, h("input", { type: "checkbox", name: `c${at}` }), h("span", {}, text))), field("Who took part (roles or sign-in names, separated by commas)", h("input", { name: "people", maxLength: 300 }))],
    (data) => {
      if ([0, 1, 2, 3].some((at) => data.get(`c${at}`) !== "on")) return "All four are said before the start.";
      const people = data.get("people").split(",").map((one) => one.trim()).filter(Boolean);
      if (people.length < 2) return "At least two people take part.";
      app.record({ type: "time_out", people, confirmed: true }, { text: "Time-out done" });
      return undefined;
    }, { button: "All confirmed" });
}

// --- dose ---

function dose(app) {
  const { computed, verified_by: people } = app.status.drug;
  return card("Dose, verified by two people", {},
    computed ? h("dl.facts", {}, facts(computed)) : h("p.empty", {}, "Not computed yet."),
    h("p", {}, people.length >= 2 ? mark("good", `verified by ${people.join(" and ")}`) : mark("warn", `${people.length} of 2 verified${people.length ? `: ${people.join(", ")}` : ""}`)),
    h("div.b-actions", {}, app.may("session_record") ? h("button", { type: "button", "data-key": "compute", on: { click: () => compute(app) } }, computed ? "Compute again" : app.plan.blinded ? "Read the kit" : "Compute the dose") : null,
      computed && (app.may("dose_verify_kit") || app.may("dose_verify_mg")) ? [h("button.primary", { type: "button", "data-key": "verify", disabled: people.includes(app.status.me.username), on: { click: () => app.record({ type: "dose_verified", agrees: true, computed: computed.id, what: app.plan.blinded ? "kit and volume" : "dose" }, { text: "Verified under your name" }) } }, "I have checked it: it agrees"), h("button", { type: "button", on: { click: () => comment(app, "It does not agree", (note) => app.record({ type: "dose_verified", agrees: false, computed: computed.id, note }), "What differs") } }, "It differs")] : null),
    h("p.help", {}, "The second person verifies from their own sign-in."));
}

const LABELS = [["kit", "Kit", ""], ["weight_kg", "Weight", "kg"], ["dose_mg", "Dose", "mg"], ["concentration_mg_per_ml", "Strength of the syringe or bag", "mg/mL"], ["volume_ml", "Volume", "mL"], ["rate_ml_per_h", "Pump rate", "mL/h"], ["duration_min", "Over", "min"], ["devices", "Devices", ""]];
const facts = (event) => LABELS.filter(([name]) => event[name] !== null && event[name] !== undefined && event[name] !== "").map(([name, label, unit]) => [h("dt", {}, label), h("dd", {}, h("strong", {}, `${event[name]} ${unit}`))]);

async function compute(app) {
  const known = app.plan.dose ?? {};
  const kg = app.waitingOf("weight").at(-1)?.event.weight_kg ?? app.status.drug.weight_kg ?? ""; // as corrected
  if (app.plan.blinded) return propose(app, {});
  return form("Compute the dose", [field("Weight (kg)", number({ name: "weight_kg", min: 1, max: 500, value: kg })),
    app.status.drug.nasal ? field("Devices", choice("Devices", known.devices_allowed.map((n) => [n, String(n)]), known.devices_default, (n) => { known.chosen = n; })) : field("Strength of the prepared syringe or bag (mg/mL)", number({ name: "concentration_mg_per_ml", min: 0, max: 1000, value: known.concentration_mg_per_ml ?? "" }), "Of the preparation, not of the vial."),
    h("label.b-check", {}, h("input", { type: "checkbox", name: "sure" }), h("span", {}, "An unusual weight was checked and is right"))],
  (data, node) => propose(app, { weight_kg: typed(node, "weight_kg", false) ?? "", concentration_mg_per_ml: app.status.drug.nasal ? "" : typed(node, "concentration_mg_per_ml", false) ?? "", devices: app.status.drug.nasal ? String(known.chosen ?? known.devices_default ?? "") : "", weight_confirmed: data.get("sure") === "on" ? "yes" : "" }), { button: "Compute" });
}

async function propose(app, query) {
  let answer;
  try { answer = await app.api.get("dose", query); } catch { return "No contact: compute the dose with the pharmacy's sheet, and record it when contact is back."; }
  if (answer.status !== 200) {
    const text = (answer.data.faults ?? []).map((one) => [one.message, one.found, one.allowed && `allowed: ${one.allowed}`].filter(Boolean).join("; ")).join(". ");
    if (Object.keys(query).length) return text;
    await dialog("No dose", () => h("p", {}, text));
    return undefined;
  }
  const agreed = await dialog("The dose", (close) => [h("dl.facts", {}, facts(answer.data.event)), answer.data.warnings.map((text) => h("p.note.warning", {}, text)), h("p", {}, "A prescriber signs the dose; two people verify it."), h("div.b-actions", {}, h("button.primary", { type: "button", "data-key": "take-dose", on: { click: () => close(true) } }, "Record this dose"), h("button", { type: "button", on: { click: () => close() } }, "Not this"))]);
  if (agreed) app.record(answer.data.event, { text: "Dose recorded; two people verify it" });
  return undefined;
}

// --- start ---

function start(app, left) {
  const { drug, phase } = app.status, ready = phase?.all.find((one) => one.id === "ready")?.since_ms ?? (phase?.all.some((one) => one.since_ms && one.id !== "preparation") || null);
  if (!app.may("session_record")) return null;
  if (!drug.dosing) return card("Start", {}, h("p", {}, "Minute 0 of this session is its first exposure."), h("button.primary", { type: "button", on: { click: () => app.go("exposure") } }, "To the exposure"));
  return card("Minute 0", {}, h("p", {}, "Minute 0 is the moment the drug really starts, recorded by this act, never taken from the plan."),
    h("div.b-actions", {},
      h("button", { type: "button", class: ready ? "" : "primary", disabled: Boolean(ready), "data-key": "ready", on: { click: () => app.ask({ type: "ready_confirmed" }, { text: "Ready confirmed" }) } }, ready ? "✓ Ready confirmed" : left.length ? `Confirm ready (${left.length} missing)` : "Confirm ready"),
      h("button.primary.b-start", { type: "button", "data-key": "start", disabled: !ready, on: { click: () => begin(app) } }, drug.nasal ? "First spray given: minute 0" : "Infusion is running: minute 0")));
}

function begin(app) {
  const { drug } = app.status, event = drug.nasal ? { type: "device_given", number: 1, count: 1, kit: drug.computed?.kit ?? "" } : { type: "administration_start", route: drug.route, rate_ml_per_h: drug.computed?.rate_ml_per_h ?? null, kit: drug.computed?.kit ?? "" };
  return app.ask(event, { text: "Minute 0" }).then((yes) => yes && app.go("now"));
}

function baseline(app) {
  const rows = app.status.due.filter((row) => row.state !== "missed");
  return card("Before the dose: ratings and scales", {}, h("ul.b-due", {}, rows.map((row) => h("li", { "data-state": row.state }, h("button", { type: "button", "data-key": `base-${row.prompt}`, disabled: !app.may("session_record"), on: { click: () => { if (["suds", "urge", "felt_effect"].includes(row.instrument)) { app.hints.rating = row.instrument; app.go("now"); } else open(app, row.instrument); } } }, h("span.b-due-sign", { "aria-hidden": "true" }), h("span.b-due-title", {}, row.title, h("small", {}, app.plan.roles[row.asked_by] ?? words(row.asked_by))), h("span.b-when", { "data-until": row.due_ms, "data-late": row.late_ms, "data-missed": row.missed_ms }))))));
}

export const use = (app) => h("p.b-use", {}, app.plan.intended_use);
