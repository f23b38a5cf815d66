// Recovery and the end: what still blocks discharge by name, the checklist, who leaves with whom, what comes later, signing.

import { card, choice, clock, field, h, mark, number } from "./dom.js";
import { form } from "./dialogs.js";
import { open } from "./now.js";
import { use } from "./prepare.js";

const TICKED = ["orientation", "gait", "nausea", "advice"];

export function close(app) {
  return [h("h1.visually-hidden", {}, "Close"), discharge(app), debrief(app), later(app), sign(app), use(app)];
}

function discharge(app) {
  const blockers = new Map(app.status.discharge_blockers.map((one) => [one.id, one])), may = app.may("session_record");
  return card("Discharge", {}, h("p.b-lead", {}, app.status.discharged ? mark("good", "discharged") : blockers.size ? [mark("warn", `${blockers.size} still block`), " by name:"] : mark("good", "nothing on the list blocks")),
    h("ul.b-gate", {}, app.plan.discharge.map((one) => { const blocker = blockers.get(one.id); return h("li", { class: blocker ? "open" : "met" }, h("span.b-gate-sign", { "aria-hidden": "true" }, blocker ? "○" : "✓"), h("div", {}, h("strong", {}, one.title), h("small", {}, blocker ? blocker.why : "met")), may && !app.status.discharged ? tick(app, one, blocker) : null); })),
    app.may("discharge_sign") && !app.status.discharged ? h("div.b-actions", {}, h("button.primary", { type: "button", "data-key": "discharge", on: { click: () => leave(app) } }, "Discharge…")) : app.status.discharged ? null : h("p.help", {}, "The prescriber discharges."));
}

function tick(app, one, blocker) {
  const button = (text, event) => h("button", { type: "button", "data-key": `tick-${one.id}-${text}`, on: { click: () => app.record(event, { text: one.title }) } }, text, h("span.visually-hidden", {}, ` ${one.title}`));
  if (TICKED.includes(one.kind)) return blocker || one.kind === "nausea" ? [button("Met", { type: "discharge_criterion", criterion: one.id, met: true }), button("Not met", { type: "discharge_criterion", criterion: one.id, met: false })] : null;
  if (one.kind === "escort") return blocker ? button("Is here", { type: "escort_check", arranged: true, present: true }) : null;
  const instrument = { moaas: "moaas", blood_pressure: "vitals", felt_effect: "felt_effect", suicidality: "cssrs_screener" }[one.kind];
  return blocker && instrument ? h("button", { type: "button", "data-key": `tick-${one.id}`, on: { click: () => { if (instrument === "felt_effect") { app.hints.rating = instrument; app.go("now"); } else open(app, instrument); } } }, "Ask", h("span.visually-hidden", {}, ` ${one.title}`)) : null;
}

function leave(app) {
  return form("Discharge", [field("Leaves with (role, not a name)", h("input", { name: "escort", maxLength: 100 })), h("label.b-check", {}, h("input", { type: "checkbox", name: "leaflet" }), h("span", {}, "Leaflet handed over: no driving until the next day after sleep; whom to call")), h("p", {}, "The form at +230 min goes to the participant; the day 1 call is booked by the protocol and escalates when nobody was reached.")],
    (data) => { app.ask({ type: "discharge", escort: data.get("escort"), leaflet: data.get("leaflet") === "on" }, { text: "Discharged" }); return undefined; }, { button: "Discharge" });
}

function debrief(app) {
  if (!app.may("session_record")) return null;
  return card("Debrief and fidelity", {}, h("div.b-group", {},
    h("button", { type: "button", "data-key": "debrief", on: { click: () => form("Debrief", [field("What was learned, in the participant's words", h("textarea", { name: "learned", rows: 3, maxLength: 4000 }), "No names."), field("Note", h("textarea", { name: "note", rows: 2, maxLength: 4000 }))], (data) => { app.record({ type: "debrief", learned: data.get("learned"), note: data.get("note") }, { text: "Debrief recorded" }); return undefined; }) } }, "Debrief…"),
    h("button", { type: "button", "data-key": "fidelity", on: { click: () => fidelity(app) } }, "Fidelity…"),
    h("button", { type: "button", "data-key": "guess", on: { click: () => guess(app) } }, "Guess of arm…"),
    h("button", { type: "button", "data-key": "deviation", on: { click: () => form("Departure from the protocol", [field("Kind", h("input", { name: "category", maxLength: 100 })), field("What happened", h("textarea", { name: "text", rows: 2, maxLength: 2000 })), h("label.b-check", {}, h("input", { type: "checkbox", name: "major" }), h("span", {}, "Major"))], (data) => { if (!data.get("category").trim() || !data.get("text").trim()) return "Kind and text are asked for."; app.record({ type: "deviation", category: data.get("category").trim(), text: data.get("text"), major: data.get("major") === "on" }); return undefined; }) } }, "Deviation…")));
}

function fidelity(app) {
  let adherent = null;
  return form("Delivered as written?", [field("Component", h("input", { name: "component", maxLength: 100 })), field("As written", choice("As written", [[true, "Yes"], [false, "No"]], null, (chosen) => { adherent = chosen; })), field("Note", h("textarea", { name: "note", rows: 2, maxLength: 2000 }))],
    (data) => { if (!data.get("component").trim() || adherent === null) return "Component, and yes or no, are asked for."; app.record({ type: "fidelity_note", component: data.get("component").trim(), adherent, note: data.get("note") }, { text: "Fidelity noted" }); return undefined; });
}

function guess(app) {
  let by = ["therapist", "nurse"].includes(app.status.me.role) ? app.status.me.role : "participant", arm = "";
  return form("What do you think was given?", [h("p", {}, "A test of blinding. It is a guess; nobody here knows."), field("Whose guess", choice("Whose guess", [["participant", "Participant"], ["therapist", "Therapist"], ["nurse", "Nurse"]], by, (chosen) => { by = chosen; })), field("Guess", choice("Guess", [["active", "The active treatment"], ["comparison", "The comparison"], ["unknown", "Cannot say"]], "", (chosen) => { arm = chosen; })), field("How certain (0–100 %)", number({ name: "certainty", min: 0, max: 100 }))],
    (data) => { if (!arm) return "Tap a guess."; app.record({ type: "arm_guess", by, guess: arm, certainty: data.get("certainty") ? Number(data.get("certainty")) : null }, { text: "Guess recorded" }); return undefined; });
}

function later(app) {
  const rows = app.status.due.filter((row) => row.asked_by === "participant" && row.state === "next" && row.due_ms > app.clock.now() + 3600000);
  return card("Later today and tomorrow", {}, h("ul", {}, rows.map((row) => h("li", {}, `${row.title}: at ${clock(row.due_ms - (app.t0 ?? row.due_ms))}`)), h("li", {}, "Day 1 call: on the list of visits from now on; it escalates to the prescriber when nobody was reached in time.")));
}

function sign(app) {
  const { signature } = app.status;
  return card("Sign", {}, signature ? h("p", {}, mark("good", "signed"), ` ${signature.name}: ${signature.meaning}`, signature.unsigned ? [" ", mark("warn", `${signature.unsigned} later entries unsigned`)] : "") : h("p", {}, mark("plain", "not signed")),
    app.may("discharge_sign") ? h("a.button.primary", { href: `/bedside/${app.place.log}/${app.place.session}/sign/` }, signature ? "Sign again" : "To the signature") : null);
}
