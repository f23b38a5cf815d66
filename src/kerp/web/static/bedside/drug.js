// The drug track: rate, hold, resume, end with the volume really given; nasal devices one by one. Exposure is not touched here.

import { card, clock, field, h, mark, span, words } from "./dom.js";
import { confirmStop, form } from "./dialogs.js";
import { comment } from "./entries.js";
import { number, sure, typed } from "./numbers.js";

export function drug(app) {
  const track = app.status.drug;
  return [h("h1.visually-hidden", {}, "Drug"), track.nasal ? devices(app, track) : infusion(app, track), given(app, track), expected(app, track)];
}

function infusion(app, track) {
  const running = track.status === "running", held = track.status === "held", may = app.may("session_record");
  const last = track.segments.at(-1), rate = last?.ml_per_h ?? track.computed?.rate_ml_per_h;
  return card("Infusion", {},
    h("p.b-lead", {}, mark(running ? "info" : held ? "warn" : "plain", words(track.status)), " ", running ? [h("strong", {}, `${rate ?? "–"} mL/h`), " for ", h("span", { "data-since": last?.from_ms ?? track.t0_ms })] : ""),
    track.status === "not_started" ? h("p", {}, "Minute 0 is recorded under Prepare.") : null,
    may && (running || held) ? h("div.b-group", {},
      h("button", { type: "button", "data-key": "rate", disabled: !running, on: { click: () => changeRate(app, rate) } }, "Rate…"),
      running ? h("button", { type: "button", "data-key": "drug-hold", on: { click: () => app.record({ type: "drug_hold", reason: "" }, { text: `Infusion held.${app.exposureGoesOn}` }) } }, "Hold the infusion") : h("button", { type: "button", "data-key": "drug-resume", on: { click: () => app.ask({ type: "drug_resume" }, { text: "Infusion goes on" }) } }, "Resume the infusion"),
      h("button", { type: "button", "data-key": "drug-end", on: { click: () => end(app, track) } }, "Infusion has ended…")) : null,
    may && track.status === "stopped" && track.volume_given_ml === null ? h("button", { type: "button", "data-key": "drug-end", on: { click: () => end(app, track) } }, "Volume really given…") : null);
}

function changeRate(app, rate) {
  const planned = app.status.drug.computed?.rate_ml_per_h;
  return form("The pump runs at", [field("Rate (mL/h)", number({ name: "rate", min: 0, max: 10000, value: rate ?? "" }), planned ? `Planned: ${planned} mL/h` : ""), field("Why", h("input", { name: "why", maxLength: 300 }))], async (data, node) => {
    const value = typed(node, "rate");
    if (!(await sure(value, planned, "mL/h", "the planned rate"))) return "Look again at the rate.";
    app.record({ type: "rate_change", rate_ml_per_h: value, reason: data.get("why") }, { text: `Rate ${value} mL/h` });
    return undefined;
  });
}

function end(app, track) {
  const prepared = track.computed?.volume_ml;
  return form("The infusion has ended", [h("p", {}, "What was really given, not the plan."), field("Volume given (mL)", number({ name: "volume", min: 0, max: 10000 }), prepared ? `Prepared: ${prepared} mL` : ""), field("Interruptions", h("input", { name: "interruptions", maxLength: 500 }))], async (data, node) => {
    const volume = typed(node, "volume");
    if (!(await sure(volume, prepared, "mL", "the prepared volume"))) return "Look again at the volume.";
    app.record({ type: "administration_end", volume_given_ml: volume, interruptions: data.get("interruptions") }, { text: `Infusion ended, ${volume} mL given.${app.exposureGoesOn}` });
    return undefined;
  });
}

function devices(app, track) {
  const may = app.may("session_record"), planned = track.planned_devices ?? 0;
  const done = new Map(track.devices.map((one) => [one.number, one])), withheld = new Set(track.withheld);
  const next = Array.from({ length: planned }, (_, at) => at + 1).find((n) => !done.has(n) && !withheld.has(n));
  const last = track.devices.at(-1), ready = last && track.device_gap_min ? last.at_ms + track.device_gap_min * 60000 : null;
  return card("Devices, one by one", {},
    h("p.b-lead", {}, mark(track.status === "running" ? "info" : "plain", words(track.status)), ` ${done.size} of ${planned} given`),
    h("ol.b-devices", {}, Array.from({ length: planned }, (_, at) => at + 1).map((n) => h("li", { class: done.has(n) ? "done" : "" }, h("strong", {}, `Device ${n}`), " ",
      done.has(n) ? mark("good", `given ${clock(done.get(n).at_ms - app.t0, true)}`) : withheld.has(n) ? mark("warn", "withheld") : n === next && ready ? h("span", { "data-until": ready }) : h("span.empty", {}, "planned"),
      may && n === next && app.t0 !== null ? h("div.b-group", {}, h("button.primary", { type: "button", "data-key": `device-${n}`, on: { click: () => app.ask({ type: "device_given", number: n, count: 1, kit: track.computed?.kit ?? "" }, { text: `Device ${n} given` }) } }, `Device ${n} given`), h("button", { type: "button", "data-key": `withhold-${n}`, on: { click: () => comment(app, `Withhold device ${n}`, (reason) => app.record({ type: "device_withheld", number: n, reason }, { text: `Device ${n} withheld` })) } }, "Withhold…")) : null))),
    may && track.status === "running" ? h("div.b-group", {}, h("button.danger", { type: "button", "data-key": "drug-stop-nasal", on: { click: () => comment(app, "Give no more devices", (reason) => app.record({ type: "drug_stop", reason }, { text: `No more devices.${app.exposureGoesOn}` })) } }, "Give no more devices…")) : null);
}

function given(app, track) {
  if (app.t0 === null || track.nasal) return null;
  return card("What ran", {}, h("div.scroll", {}, h("table", {}, h("thead", {}, h("tr", {}, ["From", "To", "Rate"].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, track.segments.map((one) => h("tr", {}, h("td", {}, clock(one.from_ms - app.t0, true)), h("td", {}, one.to_ms === null ? "now" : clock(one.to_ms - app.t0, true)), h("td", {}, one.ml_per_h === null ? "–" : `${one.ml_per_h} mL/h`)))))),
    track.volume_given_ml !== null ? h("p", {}, h("strong", {}, `${track.volume_given_ml} mL`), " really given") : null);
}

function expected(app, track) {
  const [from, to] = track.expected_peak_min ?? [];
  return from === undefined ? null : h("p.b-use", {}, `The paper expects the peak at ${from} to ${to} min (P30): shown as an expectation, never a trigger.`);
}
export { confirmStop, span };
