// The live figure: one time axis, drawn by uPlot. Lines differ by dash and mark, not only by colour; a table says the same.

import { card, clock, h, mark } from "./dom.js";

const EVERY_MS = 15000;
let drawn = null; // { charts, box, forecast, key }
const turned = new ResizeObserver(() => { for (const one of drawn.charts) fit(one); });

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function chart(app) {
  const box = h("div.b-charts", {});
  drawn = { box, charts: [], forecast: null, key: "", at: -Infinity };
  turned.disconnect(); // the box before this one
  turned.observe(box);
  queueMicrotask(() => fill(app));
  return [h("h1.visually-hidden", {}, "Chart"), box];
}

// The figure is updated in place, so that it does not flicker.
chart.keep = (panel) => {
  if (!drawn || !panel.contains(drawn.box)) return false;
  queueMicrotask(() => fill(globalThis.kerp));
  return true;
};

async function fill(app) {
  const theme = document.documentElement.dataset.theme;
  if (app.t0 !== null && app.status.forecast && performance.now() - drawn.at > EVERY_MS) {
    drawn.at = performance.now();
    const mine = drawn;
    try { const answer = await app.api.get("forecast"); mine.forecast = answer.status === 200 ? answer.data : { error: answer.data.error }; } catch { /* the last one stays */ }
  }
  const key = JSON.stringify([app.status.series, app.status.exposure, app.t0, theme, drawn.forecast?.statement]);
  if (key === drawn.key && drawn.charts.length) return;
  drawn.key = key;
  for (const one of drawn.charts) one.chart.destroy();
  drawn.charts = [];
  drawn.box.replaceChildren(...[ratings(app), concentration(app), vitals(app), table(app)].filter(Boolean));
}

const zero = (app) => app.t0 ?? Math.min(app.clock.now(), ...app.status.series.suds.map((row) => row[0]));
const from = (app) => `minutes from ${app.t0 !== null ? "minute 0" : app.status.series.suds.length ? "the first rating" : "now"}`;
const rowsOf = (app, list) => list.map((row) => [(row[0] - zero(app)) / 60000, row[1]]);

// Every figure has the same axis: from minute 0 on, the hour before it would take the place of the minutes that count.
const BEFORE_MIN = -10;
const begins = (app, data) => (app.t0 === null ? Math.min(-5, data[0][0] ?? 0) : BEFORE_MIN);

// All series on one list of minutes, gaps as gaps.
function joined(lists) {
  const times = [...new Set(lists.flat().map((row) => row[0]))].toSorted((one, other) => one - other);
  return [times, ...lists.map((list) => { const by = new Map(list); return times.map((time) => by.get(time) ?? null); })];
}

const MARKS = { circle: "●", square: "■", diamond: "◆", triangle: "▲" };

function points(shape) {
  return { show: true, paths: (u, si) => {
    const path = new Path2D(), size = 5 * devicePixelRatio;
    u.data[si].forEach((value, at) => {
      if (value === null || value === undefined || u.data[0][at] < u.scales.x.min) return; // before the axis begins
      const x = u.valToPos(u.data[0][at], "x", true), y = u.valToPos(value, u.series[si].scale, true);
      if (shape === "square") path.rect(x - size, y - size, 2 * size, 2 * size);
      else if (shape === "diamond") { path.moveTo(x, y - size * 1.3); path.lineTo(x + size * 1.3, y); path.lineTo(x, y + size * 1.3); path.lineTo(x - size * 1.3, y); path.closePath(); }
      else if (shape === "triangle") { path.moveTo(x, y - size * 1.2); path.lineTo(x + size * 1.2, y + size); path.lineTo(x - size * 1.2, y + size); path.closePath(); }
      else { path.moveTo(x + size, y); path.arc(x, y, size, 0, 7); }
    });
    return { stroke: path, fill: path };
  }, filter: null };
}

function line(label, colour, shape, { dash, scale = "y" } = {}) {
  return { label, scale, stroke: css(colour), width: 2.5, dash, spanGaps: true, points: { ...points(shape), stroke: css(colour), fill: css(colour) } };
}

const hidden = (scale) => ({ scale, stroke: "transparent", width: 0, points: { show: false }, spanGaps: true });

function axis(options) { return { stroke: css("--ink-2"), grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line") }, font: "13px system-ui, sans-serif", labelFont: "600 13px system-ui, sans-serif", ...options }; }

const room = (holder) => Math.max(holder.clientWidth, 280);

// At once when the tablet is turned, not at the next refresh.
function fit({ chart: made, holder }) {
  if (made.width !== room(holder)) made.setSize({ width: room(holder), height: made.height });
}

function plot(app, title, note, data, series, { scales, axes, bands = [], height = 260, extra = null }) {
  const holder = h("div.b-plot", {});
  const section = card(title, { class: "b-figure" }, note, holder, legend(series));
  const now = (app.clock.now() - zero(app)) / 60000;
  queueMicrotask(() => {
    const made = new uPlot({
      width: room(holder), height, padding: [22, 8, 0, 0], legend: { show: false }, cursor: { show: false },
      scales: { x: { time: false, range: [begins(app, data), Math.max(45, now + 15)] }, ...scales },
      axes: [axis({ values: (_, list) => list.map((value) => `${value}`), label: from(app), labelSize: 20 }), ...axes],
      series: [{}, ...series], bands, hooks: { drawClear: [(u) => background(app, u, now)], draw: extra ? [extra] : [] },
    }, data, holder);
    holder.querySelector("canvas")?.setAttribute("role", "img");
    holder.querySelector("canvas")?.setAttribute("aria-label", `${title}. The same numbers stand in the table below.`);
    drawn.charts.push({ chart: made, holder });
  });
  return section;
}

// As much of a text as has room.
function fitting(ctx, text, room) {
  if (ctx.measureText(text).width <= room) return text;
  let kept = text;
  while (kept && ctx.measureText(`${kept}…`).width > room) kept = kept.slice(0, -1);
  return `${kept.trimEnd()}…`;
}

// Exposure blocks as a lane with their names, phases as lines with theirs, and now.
function background(app, u, now) {
  const { ctx } = u, { left, top, width, height } = u.bbox, px = devicePixelRatio;
  const x = (minute) => Math.min(left + width, Math.max(left, u.valToPos(minute, "x", true)));
  ctx.save();
  ctx.font = `${12 * px}px system-ui, sans-serif`;
  ctx.textBaseline = "bottom";
  for (const block of app.status.exposure.blocks) {
    const from = x((block.started_ms - zero(app)) / 60000), to = x(block.ended_ms ? (block.ended_ms - zero(app)) / 60000 : now);
    ctx.globalAlpha = 0.18; ctx.fillStyle = css("--exposure"); ctx.fillRect(from, top, to - from, height);
    ctx.globalAlpha = 1; ctx.fillRect(from, top - 5 * px, Math.max(to - from, 2), 5 * px);
    ctx.fillText(block.item.slice(0, Math.max(2, Math.floor((to - from) / (7 * px)))), from + 3 * px, top - 6 * px);
  }
  ctx.strokeStyle = css("--line-strong"); ctx.setLineDash([4 * px, 4 * px]); ctx.textBaseline = "top"; ctx.fillStyle = css("--ink-2");
  for (const phase of app.status.phase?.all ?? []) {
    if (phase.since_ms === null || phase.since_ms < zero(app)) continue;
    const at = x((phase.since_ms - zero(app)) / 60000);
    ctx.beginPath(); ctx.moveTo(at, top); ctx.lineTo(at, top + height); ctx.stroke();
    ctx.save(); ctx.translate(at + 3 * px, top + 4 * px); ctx.rotate(Math.PI / 2); ctx.textBaseline = "bottom"; ctx.fillText(fitting(ctx, phase.title, height - 8 * px), 0, 0); ctx.restore();
  }
  ctx.textBaseline = "bottom"; ctx.fillStyle = css("--warn"); ctx.strokeStyle = css("--warn");
  for (const [ms, step] of app.status.series.anxiety) {
    const at = x((ms - zero(app)) / 60000);
    ctx.beginPath(); ctx.moveTo(at, top); ctx.lineTo(at, top + height); ctx.stroke();
    ctx.fillText(`A${step}`, at + 3 * px, top + height - (3 + 14 * (step - 1)) * px); // steps of one minute stand above each other
  }
  ctx.setLineDash([]); ctx.strokeStyle = css("--focus"); ctx.lineWidth = 2 * px;
  ctx.beginPath(); ctx.moveTo(x(now), top); ctx.lineTo(x(now), top + height); ctx.stroke();
  ctx.restore();
}

function legend(series) {
  const named = series.filter((one) => one.label);
  return h("ul.b-legend", {}, named.map((one) => h("li", {}, h("span", { class: `b-key ${one.key ?? ""}`, "aria-hidden": "true" }, one.symbol ?? "●"), one.label)), h("li", {}, h("span.b-key.exposure", { "aria-hidden": "true" }, "▬"), "exposure block"), h("li", {}, h("span.b-key.now", { "aria-hidden": "true" }, "|"), "now"));
}

function ratings(app) {
  const { series } = app.status, felt = drawn.forecast?.felt;
  const lists = [rowsOf(app, series.suds), rowsOf(app, series.urge), rowsOf(app, series.felt)];
  const curves = felt ? ["p5", "p95", "p25", "p75", "p50"].map((name) => felt.times_min.map((time, at) => [time, felt[name][at]])) : [];
  const data = joined([...lists, ...curves]);
  const named = [
    { ...line("SUDS 0–100", "--suds", "circle"), symbol: MARKS.circle, key: "suds" },
    { ...line("urge 0–100", "--info", "square", { dash: [6, 4] }), symbol: MARKS.square, key: "info" },
    { ...line("felt effect 0–10 (right)", "--felt", "diamond", { scale: "felt" }), symbol: MARKS.diamond, key: "felt" },
    ...(felt ? [hidden("felt"), hidden("felt"), hidden("felt"), hidden("felt"), { ...hidden("felt"), stroke: css("--felt"), width: 1.5, dash: [2, 4], label: "forecast of felt effect, model output: middle, 50 % and 90 % band", symbol: "┄", key: "felt" }] : []),
  ];
  const soft = `${css("--felt")}26`;
  const bands = felt ? [{ series: [5, 4], fill: soft }, { series: [7, 6], fill: soft }] : [];
  const note = felt ? h("p.b-model", {}, mark("info", "model output"), ` ${drawn.forecast.statement}`, ahead(drawn.forecast)) : app.status.forecast ? null : h("p.help", {}, "No forecast: it could tell the arm.");
  return plot(app, "Distress, urge and felt effect", [note, anxietySteps(app)], data, named, { height: 300, bands,
    scales: { y: { range: [0, 100] }, felt: { range: [0, 10] } }, axes: [axis({ label: "0–100", labelSize: 18 }), axis({ scale: "felt", side: 1, label: "felt 0–10", labelSize: 18, grid: { show: false } })] });
}

// What stands in the figure as A1, A2 ...: how far the response to paradoxical anxiety went.
function anxietySteps(app) {
  const taken = app.status.series.anxiety;
  return taken.length ? h("ul.b-marks", {}, taken.map(([ms, step]) => h("li", {}, mark("warn", `A${step}`), ` ${clock(ms - zero(app), true)} paradoxical anxiety, step ${step}: ${app.plan.anxiety_steps[step - 1] ?? ""}`))) : null;
}

function ahead(forecast) {
  const say = (name, band) => (band.median === null ? "" : ` ${name} about ${Math.round(band.median)} min (half of the curves: ${Math.round(band.low)} to ${band.high === null ? "later" : Math.round(band.high)}).`);
  return `${say("Onset", forecast.onset_min)}${say("Peak", forecast.peak_min)}${say("Gone", forecast.resolution_min)} Nothing is decided by it.`;
}

function concentration(app) {
  const found = drawn.forecast?.concentration;
  if (!found) return null;
  const data = [found.times_min, found.p5, found.p95, found.p25, found.p75, found.p50];
  const soft = `${css("--drug")}2b`;
  return plot(app, `Predicted ${found.analyte} concentration, ${found.sampling_site}`, h("p.b-model", {}, mark("info", "model output"), ` Not measured. ${found.unit}; sampling site: ${found.sampling_site}. ${drawn.forecast.age_assumed ? `Age ${drawn.forecast.age_years} assumed. ` : ""}Sources: ${found.sources.join(", ")}.`),
    data, [hidden("y"), hidden("y"), hidden("y"), hidden("y"), { ...hidden("y"), stroke: css("--drug"), width: 2, label: `${found.analyte} (${found.unit}): middle, 50 % and 90 % band`, symbol: "━", key: "drug" }],
    { height: 200, bands: [{ series: [2, 1], fill: soft }, { series: [4, 3], fill: soft }], scales: { y: { range: (_, low, high) => [0, (high || 1) * 1.05] } }, axes: [axis({ label: found.unit, labelSize: 18 })] });
}

function vitals(app) {
  const { series } = app.status, lists = ["systolic", "diastolic", "heart_rate", "spo2"].map((name) => rowsOf(app, series[name]));
  if (!lists.flat().length) return null;
  return plot(app, "Vital signs", null, joined(lists), [
    { ...line("systolic", "--vitals", "triangle"), symbol: MARKS.triangle, key: "vitals" }, { ...line("diastolic", "--vitals", "square", { dash: [6, 4] }), symbol: MARKS.square, key: "vitals" },
    { ...line("heart rate", "--stop", "circle", { dash: [2, 4] }), symbol: MARKS.circle, key: "stop" }, { ...line("SpO₂", "--good", "diamond"), symbol: MARKS.diamond, key: "good" }],
  { height: 230, scales: { y: { range: (_, low, high) => [Math.min(40, low ?? 40), Math.max(160, high ?? 160)] } }, axes: [axis({ label: "mm Hg, /min, %", labelSize: 18 })] });
}

function table(app) {
  const { series } = app.status, by = new Map();
  for (const [name, list] of Object.entries({ SUDS: series.suds, urge: series.urge, felt: series.felt, systolic: series.systolic, diastolic: series.diastolic, "heart rate": series.heart_rate, "SpO₂": series.spo2 }))
    for (const [ms, value] of list) by.set(ms, { ...by.get(ms), [name]: value });
  const names = ["SUDS", "urge", "felt", "systolic", "diastolic", "heart rate", "SpO₂"];
  return h("details.b-card", {}, h("summary", {}, "The same as a table"), h("div.scroll", { tabIndex: 0, role: "region", "aria-label": "Numbers of the figure" }, h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Minute"), names.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, [...by.keys()].toSorted((one, other) => one - other).map((ms) => h("tr", {}, h("th", { scope: "row" }, clock(ms - zero(app), true)), names.map((name) => h("td.number", {}, String(by.get(ms)[name] ?? "")))))))));
}
