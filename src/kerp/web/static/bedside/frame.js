// What always stands on the screen: the clock, the phase, both tracks, the loudest advice, SAVED or WAITING, and STOP.

import { capital, clock, h, mark, span, words } from "./dom.js";
import { confirmStop } from "./dialogs.js";

const SIGNS = { stop: "■", hold: "▮▮", warn: "▲", info: "●" };

export function head(app) {
  if (!app.status || !app.plan) return;
  const bar = document.getElementById("head"), phase = app.status.phase;
  bar.hidden = false;
  const focused = document.activeElement?.dataset?.key;
  bar.replaceChildren(
    h("div.b-top", {},
      h("div.b-clock", { role: "timer", "aria-label": "Time since minute 0" }, h("b", { "data-clock": "session" }, "–"), h("small", {}, app.t0 === null ? "before minute 0" : "since minute 0")),
      h("div.b-phase", {}, h("strong", {}, phase?.title ?? app.plan.title), h("small", {}, app.status.participant ? h("b", {}, app.status.participant) : "", phase ? [" ", h("span.b-word", {}, "phase "), `${phase.number} of ${phase.all.length}`] : "")),
      badge(app),
      h("button.b-icon", { type: "button", "aria-label": "Lock the screen", title: "Lock the screen", "data-key": "lock", on: { click: () => app.lock.lock() } }, "Lock")),
    tracks(app),
    strip(app));
  tick(app);
  if (focused && bar.querySelector(`[data-key="${CSS.escape(focused)}"]`)) bar.querySelector(`[data-key="${CSS.escape(focused)}"]`).focus({ preventScroll: true });
}

// SAVED only when the server has acknowledged everything.
function badge(app) {
  const { foreign, aside } = app.outbox, count = app.outbox.count + app.writing;
  const [kind, sign, text] =
    app.signedOut ? ["stop", "!", `SIGNED OUT · ${count} WAITING`] :
    aside.length ? ["stop", "!", `${aside.length} TO LOOK AT`] :
    count ? ["warn", "▲", `${count} WAITING`] :
    !app.contact ? ["warn", "▲", "NO CONTACT"] : ["good", "✓", "SAVED"];
  const more = [app.contact ? "" : "no contact", foreign ? `${foreign} of another sign-in` : "", app.clock.off ? `clock off ${span(app.clock.offset)}` : ""].filter(Boolean).join(" · ");
  return h("button", { class: `b-badge ${kind}`, type: "button", "data-key": "badge", "data-state": count ? "waiting" : app.contact ? "saved" : "no-contact", "aria-label": `${text}. ${more} Open the record.`, on: { click: () => app.go("record") } },
    h("span", {}, `${sign} ${text}`), more && text !== "NO CONTACT" ? h("small", {}, more) : null);
}

function tracks(app) {
  const { drug, exposure } = app.status;
  const open = exposure.blocks.findLast((block) => !block.ended_ms);
  const last = drug.segments.at(-1), rate = last && last.to_ms === null && last.ml_per_h ? `${last.ml_per_h} mL/h` : "";
  const devices = drug.nasal && drug.planned_devices ? `${drug.devices.length} of ${drug.planned_devices} devices` : "";
  return h("div.b-tracks", {},
    drug.dosing ? h("div.b-track.drug", {}, h("span", {}, "Drug"), h("strong", {}, capital(words(drug.status))), h("small", {}, devices || rate)) : null,
    h("div.b-track.exposure", {}, h("span", {}, "Exposure"), h("strong", {}, open ? (open.held ? "Held" : "Open") : exposure.stopped_ms ? "Stopped" : "Closed"),
      h("small", {}, open ? h("span", {}, `${open.item} · ${Math.round(open.intensity * 100)} % · `, h("span", { "data-since": open.started_ms })) : "")));
}

function strip(app) {
  const open = app.status.advice.filter((one) => one.state === "open" && !one.rule_id.startsWith("prompt."));
  const loudest = open[0];
  const count = app.status.due.filter((row) => row.state === "overdue").length;
  if (!loudest) return h("div.b-strip.quiet", {}, h("span", {}, count ? `${count} overdue` : "No open advice"));
  const others = open.length > 1 ? ` · ${open.length - 1} more` : "";
  return h("button", { class: `b-strip ${loudest.level}`, type: "button", "data-key": "strip", on: { click: () => app.go("advice") } },
    h("span.b-sign", { "aria-hidden": "true" }, SIGNS[loudest.level]), h("strong", {}, loudest.title), h("small", {}, `${loudest.text.slice(0, 90)}${others}`));
}

export function foot(app, shown) {
  const bar = document.getElementById("foot"), focused = document.activeElement?.dataset?.key;
  bar.hidden = false;
  bar.replaceChildren(stops(app), nav(app, shown));
  const toast = document.getElementById("toast");
  const alive = app.toast && performance.now() < app.toast.until;
  const key = alive ? `${app.toast.text}|${app.toast.entry?.id ?? ""}|${app.outbox.count}` : "";
  if (toast.dataset.now !== key) {
    toast.dataset.now = key;
    toast.replaceChildren(...(alive ? [h("span", {}, app.toast.text, " ", h("small", {}, app.toast.entry && app.outbox.waiting.some((row) => row.entry.id === app.toast.entry.id) ? "kept on this device" : "saved")),
      app.toast.entry ? h("button", { type: "button", "data-key": "undo", on: { click: () => app.undo(app.toast.entry) } }, "Undo") : null].filter(Boolean) : []));
  }
  if (focused) bar.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

function stops(app) {
  const record = app.may("session_record");
  if (!record || app.status.discharged) return h("div.b-stops.none", {});
  const { drug } = app.status, running = ["running", "held"].includes(drug.status);
  const open = app.status.exposure.blocks.some((block) => !block.ended_ms);
  return h("div.b-stops", { role: "group", "aria-label": "Stop" },
    h("button.b-stop.patient", { type: "button", id: "patient-stop", "data-key": "patient-stop", on: { click: () => stopByParticipant(app) } }, h("span", { "aria-hidden": "true" }, "■"), "Participant says STOP"),
    h("button.b-stop", { type: "button", id: "exposure-stop", "data-key": "exposure-stop", disabled: !open, on: { click: () => stopExposure(app) } }, h("span", { "aria-hidden": "true" }, "■"), "Stop exposure"),
    running && !drug.nasal ? confirmStop(app) : null);
}

export const stopByParticipant = (app) => app.record({ type: "patient_stop" }, { text: "The participant said stop" });
export const stopExposure = (app) => app.record({ type: "exposure_stop", ending_rule: "clinician" }, { text: `Exposure stopped.${app.drugGoesOn}` });

function nav(app, shown) {
  return h("nav.b-nav", { "aria-label": "Parts of the session" }, shown.filter((one) => one.title).map((one) =>
    h("button", { type: "button", "data-key": `tab-${one.id}`, "aria-current": one.id === app.tab ? "page" : null, on: { click: () => app.go(one.id) } },
      h("span.b-nav-sign", { "aria-hidden": "true" }, one.sign), one.title, one.count?.(app) ? h("span.b-count", {}, one.count(app), h("span.visually-hidden", {}, " open")) : null)));
}

// Every half second: clocks and countdowns, nothing else.
export function tick(app) {
  if (!app.clock.known) return;
  const now = app.clock.now();
  for (const node of document.querySelectorAll("[data-clock]")) set(node, app.t0 === null ? app.wall() : clock(now - app.t0, true));
  for (const node of document.querySelectorAll("[data-since]")) set(node, span(now - Number(node.dataset.since)));
  for (const node of document.querySelectorAll("[data-until]")) countdown(node, now);
  if (app.toast && performance.now() > app.toast.until) { app.toast = null; document.getElementById("toast").replaceChildren(); }
  for (const node of document.querySelectorAll("[data-ready]")) node.disabled = now < Number(node.dataset.ready);
}

function countdown(node, now) {
  const until = Number(node.dataset.until), late = Number(node.dataset.late ?? Infinity), missed = Number(node.dataset.missed ?? Infinity);
  const state = now < until ? "next" : now < late ? "due" : now < missed ? "overdue" : "missed";
  set(node, state === "next" ? `in ${span(until - now)}` : state === "due" ? "now" : state === "overdue" ? `late ${span(now - until)}` : "missed");
  const row = node.closest("[data-state]");
  if (row && row.dataset.state !== state && row.dataset.state !== "noted") row.dataset.state = state;
}

function set(node, text) { if (node.textContent !== text) node.textContent = text; }
export { mark };
