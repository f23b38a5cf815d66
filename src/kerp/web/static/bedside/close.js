// Recovery and the end: what still blocks discharge by name, the checklist, who leaves with whom, what comes later, signing.

import { card, choice, clock, field, h, mark, words } from "./dom.js";
import { form } from "./dialogs.js";
import { open } from "./now.js";
import { number, typed } from "./numbers.js";
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
  const { call } = app.status;
  return form("Discharge", [field("Leaves with (role, not a name)", h("input", { name: "escort", maxLength: 100 })), h("label.b-check", {}, h("input", { type: "checkbox", name: "leaflet" }), h("span", {}, "Leaflet handed over: no driving until the next day after sleep; whom to call")),
    call ? h("p", {}, call.at ? [mark("good", "call booked"), ` ${spoken(call.at)}, by ${call.by}`] : [mark("warn", "call not booked"), ` ${call.title}: book it before the participant leaves.`]) : null].filter(Boolean),
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
    (_, node) => {
      if (!arm) return "Tap a guess.";
      const certainty = typed(node, "certainty", false);
      if (guessed(app, by)) return `The guess of the ${words(by)} is in the record of this session already. It is asked once: if it was written down wrongly, take it back by a correction under Record, then record it anew.`;
      app.record({ type: "arm_guess", by, guess: arm, certainty }, { text: "Guess recorded" });
      return undefined;
    });
}

// A second guess of the same person at the same time would make two of one: waiting here or in the record, not taken back.
function guessed(app, by) {
  const gone = new Set([...app.entries.values(), ...app.waitingOf("correction")].filter(({ event }) => event.type === "correction" && event.retracted).map(({ event }) => event.entry));
  return [...app.entries.values(), ...app.waitingOf("arm_guess")].some(({ id, event }) => event.type === "arm_guess" && event.by === by && !gone.has(id));
}

const spoken = (at) => at.replace("T", " at ");
const dayAfter = (days) => { const day = new Date(Date.now() + days * 86400000), two = (value) => String(value).padStart(2, "0"); return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`; };

function later(app) {
  const { call, later_form: asked } = app.status, place = `/bedside/${app.place.log}/${app.place.session}`;
  if (!call && !asked) return null;
  return card("Later today and tomorrow", {},
    asked ? h("p", {}, asked.due_ms === null ? mark("plain", "no time yet") : asked.left.length ? mark("info", `at ${clock(asked.due_ms - (app.t0 ?? asked.due_ms))}`) : mark("good", "filled in"), ` The participant's form${asked.left.length ? `: ${asked.left.map(words).join(", ")}` : ""}. Never the Y-BOCS.`) : null,
    call ? h("p", {}, ["done", "done_outside_window"].includes(call.state) ? mark("good", "call made") : call.late ? mark("stop", "the agreed time has passed") : call.at ? mark("good", "call booked") : mark("warn", "call not booked"), call.at ? ` ${call.title}: ${spoken(call.at)}, by ${call.by}.` : ` ${call.title}: mandatory; it escalates to the prescriber when nobody was reached in time.`) : null,
    h("div.b-group", {}, call && app.may("session_record") ? h("button", { type: "button", "data-key": "book-call", on: { click: () => book(app, call) } }, call.at ? "Book another time…" : "Book the call…") : null,
      h("a.button", { href: `${place}/leaflet/`, "data-key": "leaflet" }, "Leaflet"),
      asked && app.may("session_record") ? h("a.button", { href: `${place}/form/`, "data-key": "later-form" }, "Participant's form") : null));
}

// Agreed with the participant before they leave: date, time, and who makes it (M13).
function book(app, call) {
  const [day, time] = call.at ? call.at.split("T") : [dayAfter(call.day), ""];
  return form(call.title, [h("div.b-grid2", {}, field("Date at the site", h("input", { name: "day", type: "date", value: day })), field("Time at the site", h("input", { name: "time", type: "time", value: time }))), field("Who calls (role or sign-in name)", h("input", { name: "by", maxLength: 120, value: call.by || app.status.me.role })), h("p.help", {}, "When nobody was reached in time, the coordinator calls the prescriber, whatever was booked.")],
    (data) => {
      if (!/^\d{4}-\d{2}-\d{2}$/.test(data.get("day")) || !/^\d{2}:\d{2}/.test(data.get("time"))) return "Date and time are asked for.";
      if (!data.get("by").trim()) return "Who calls is asked for.";
      app.record({ type: "call_booked", visit: call.visit, at: `${data.get("day")}T${data.get("time").slice(0, 5)}`, by: data.get("by").trim() }, { text: "Call booked" });
      return undefined;
    }, { button: "Book" });
}

function sign(app) {
  const { signature } = app.status;
  return card("Sign", {}, signature ? h("p", {}, mark("good", "signed"), ` ${signature.name}: ${signature.meaning}`, signature.unsigned ? [" ", mark("warn", `${signature.unsigned} later entries unsigned`)] : "") : h("p", {}, mark("plain", "not signed")),
    app.may("discharge_sign") ? h("a.button.primary", { href: `/bedside/${app.place.log}/${app.place.session}/sign/` }, signature ? "Sign again" : "To the signature") : null);
}
