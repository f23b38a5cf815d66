// What is due now, and the three ratings in one tap each.

import { card, h, mark, span, words } from "./dom.js";
import { askScale, missed } from "./scales.js";
import { expectancy, vitals, sedation } from "./entries.js";

const RATINGS = [
  { id: "suds", type: "suds", series: "suds", title: "SUDS", sub: "distress now, 0–100", step: 10, fine: [1, 5], max: 100 },
  { id: "urge", type: "urge", series: "urge", title: "Urge", sub: "to ritualise, 0–100", step: 10, fine: [1, 5], max: 100 },
  { id: "felt_effect", type: "felt_effect", series: "felt", title: "Felt effect", sub: "0 none – 10 extreme", step: 1, fine: [0.5], max: 10 },
];

export function now(app) {
  return [h("h1.visually-hidden", {}, "Now"), ratings(app), due(app)];
}

// --- ratings ---

function ratings(app) {
  const chosen = app.hints.rating ?? dueRating(app) ?? "suds";
  return h("section.b-card.b-ratings", { "aria-label": "Ratings" },
    h("div.b-pick", { role: "group", "aria-label": "Which rating" }, RATINGS.map((one) => h("button", { type: "button", "data-key": `pick-${one.id}`, "aria-pressed": String(one.id === chosen), on: { click: () => { app.hints.rating = one.id; app.render(); } } }, one.title, state(app, one) === "overdue" ? h("span.b-dot", {}, "▲", h("span.visually-hidden", {}, " overdue")) : state(app, one) === "due" ? h("span.b-dot", {}, "●", h("span.visually-hidden", {}, " due")) : null))),
    RATINGS.map((one) => rating(app, one, one.id === chosen)));
}

function state(app, one) { return app.status.due.find((row) => row.instrument === one.id && !noted(app, row))?.state; }
function dueRating(app) { return RATINGS.find((one) => ["overdue", "due"].includes(state(app, one)))?.id; }

function rating(app, one, chosen) {
  const last = lastOf(app, one), may = app.may("session_record");
  const values = Array.from({ length: one.max / one.step + 1 }, (_, at) => at * one.step);
  return h("div.b-rating", { class: chosen ? "chosen" : "", role: "group", "aria-label": `${one.title}, ${one.sub}` },
    h("div.b-rating-head", {}, h("h2", {}, one.title), h("small", {}, one.sub),
      h("span.b-last", {}, last ? ["last ", h("strong", {}, String(last.value)), " · ", h("span", { "data-since": last.at }), " ago", last.waiting ? " (waiting)" : ""] : "not yet")),
    h("div.b-eleven", {}, values.map((value) => h("button", { type: "button", disabled: !may, "data-key": `${one.id}-${value}`, "aria-label": `${one.title} ${value}`, on: { click: () => rate(app, one, value) } }, String(value)))),
    h("div.b-fine", {}, fine(app, one, last, may),
      h("button", { type: "button", disabled: !may, "data-key": `${one.id}-missed`, on: { click: () => missed(app, one.id, one.title) } }, "No answer…")));
}

// Fine steps from the last value; tapping the shown value records it.
function fine(app, one, last, may) {
  const known = app.hints[`fine-${one.id}`] ?? last?.value, value = known ?? one.max / 2;
  const move = (by) => () => { app.hints[`fine-${one.id}`] = Math.min(one.max, Math.max(0, value + by)); app.render(); };
  const step = (by) => h("button", { type: "button", disabled: !may, "data-key": `${one.id}-fine${by}`, "aria-label": `${one.title}: ${by > 0 ? "plus" : "minus"} ${Math.abs(by)}`, on: { click: move(by) } }, `${by > 0 ? "+" : "−"}${Math.abs(by)}`);
  return [...one.fine.toReversed().map((by) => step(-by)),
    h("button.b-fine-value", { type: "button", disabled: !may || known === undefined, "data-key": `${one.id}-fine`, on: { click: () => rate(app, one, value) } }, known === undefined ? "fine" : `Record ${value}`),
    ...one.fine.map((by) => step(by))];
}

async function rate(app, one, value) {
  delete app.hints[`fine-${one.id}`];
  const block = app.status.exposure.blocks.findLast((item) => !item.ended_ms)?.name ?? "";
  const event = one.type === "felt_effect" ? { type: one.type, value } : { type: one.type, value, block };
  await app.record(event, { text: `${one.title} ${value}` });
  app.hints.rating = RATINGS.find((other) => other.id !== one.id && ["overdue", "due"].includes(state(app, other)))?.id ?? one.id;
  app.render();
}

function lastOf(app, one) {
  const waiting = app.waitingOf(one.type).at(-1);
  if (waiting) return { value: waiting.event.value, at: waiting.occurred_ms, waiting: true };
  const row = app.status.series[one.series].at(-1);
  return row ? { value: row[1], at: row[0] } : null;
}

// --- due ---

const ANSWERS = { suds: "suds", urge: "urge", felt_effect: "felt_effect", vitals: "vitals", moaas: "sedation", expectancy: "expectancy" };

// Whether an entry that still waits on this device answers the row.
function noted(app, row) {
  const type = ANSWERS[row.instrument];
  const early = row.due_ms - (row.late_ms - row.due_ms);
  return app.outbox.waiting.some(({ entry }) => entry.occurred_ms >= early && (entry.event.type === type || entry.event.instrument === row.instrument));
}

// Without contact the list goes on by the times the server gave beforehand.
function current(app, row) {
  const ms = app.clock.now();
  if (!noted(app, row) && ms < row.missed_ms) return row;
  const next = row.later_ms.find((due) => due + row.missed_ms - row.due_ms > ms && due > row.due_ms);
  if (next === undefined || app.contact) return row;
  const by = next - row.due_ms;
  return { ...row, due_ms: next, late_ms: row.late_ms + by, missed_ms: row.missed_ms + by, state: ms < next ? "next" : "due" };
}

const OPENERS = {
  vitals: (app) => vitals(app),
  moaas: (app) => sedation(app),
  expectancy: (app) => expectancy(app),
  suds: (app) => pick(app, "suds"), urge: (app) => pick(app, "urge"), felt_effect: (app) => pick(app, "felt_effect"),
  discharge: (app) => app.go("close"),
  arm_guess: (app) => app.go("close"),
  adverse_events: (app) => app.go("checks"),
  ritual_log: (app) => app.go("exposure"),
};

function pick(app, id) { app.hints.rating = id; app.render(); document.querySelector(`.b-rating.chosen button`)?.focus(); }

export function open(app, instrument) {
  const scale = app.plan.scales.find((one) => one.id === instrument);
  if (scale) return askScale(app, scale);
  return OPENERS[instrument]?.(app);
}

function due(app) {
  const rows = app.status.due.map((row) => current(app, row)).filter((row) => row.state !== "missed" || row.required);
  const open = rows.filter((row) => ["due", "overdue"].includes(row.state));
  // Without contact the phase stands still on this device: then also what belongs to another phase is shown.
  const next = rows.filter((row) => row.state === "next" && (row.of_phase || !app.contact)).toSorted((one, other) => one.due_ms - other.due_ms).slice(0, 6);
  const gone = rows.filter((row) => row.state === "missed");
  return card("Due", {},
    h("ul.b-due", {}, open.map((row) => item(app, row)), next.map((row) => item(app, row))),
    open.length + next.length ? null : h("p.empty", {}, "Nothing is due."),
    gone.length ? h("p.b-missed", {}, mark("warn", "missed"), ` ${gone.map((row) => row.title).join("; ")}. It stays missing; a late entry is marked as such.`) : null);
}

function item(app, row) {
  const waiting = noted(app, row);
  return h("li", { "data-state": waiting ? "noted" : row.state },
    h("button", { type: "button", "data-key": `due-${row.prompt}`, disabled: !app.may("session_record"), on: { click: () => open(app, row.instrument) } },
      h("span.b-due-sign", { "aria-hidden": "true" }), h("span.b-due-title", {}, row.title, h("small", {}, words(app.plan.roles[row.asked_by] ?? row.asked_by))),
      waiting ? h("span.b-when", {}, "noted, waiting") : h("span.b-when", { "data-until": row.due_ms, "data-late": row.late_ms, "data-missed": row.missed_ms }, span(0))));
}
