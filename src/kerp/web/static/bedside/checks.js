// Vital signs, sedation, scales, adverse events, medication; and advice with its reasons.

import { capital, card, clock, h, mark, words } from "./dom.js";
import { adverseEvent, comment, medication, pressure, sedation, vitals } from "./entries.js";
import { askScale } from "./scales.js";
import { use } from "./prepare.js";

export function checks(app) {
  const may = app.may("session_record"), button = (key, text, click) => h("button", { type: "button", disabled: !may, "data-key": key, on: { click } }, text);
  const last = (name) => app.status.series[name].at(-1);
  // both of one moment: the diastolic of another reading says nothing beside this systolic
  const measured = Math.max(last("systolic")?.[0] ?? -Infinity, last("diastolic")?.[0] ?? -Infinity), then = (name) => (last(name)?.[0] === measured ? last(name)[1] : undefined);
  const shown = pressure({ systolic_mmhg: then("systolic"), diastolic_mmhg: then("diastolic") });
  return [h("h1.visually-hidden", {}, "Checks"),
    card("Body", {}, h("dl.facts", {}, h("dt", {}, "Blood pressure"), h("dd", {}, h("strong", { "data-key": "pressure" }, shown ? `${shown} mm Hg` : "not measured"), shown ? [" · ", h("span", { "data-since": measured }), " ago"] : ""), h("dt", {}, "Heart rate"), h("dd", {}, String(last("heart_rate")?.[1] ?? "–")), h("dt", {}, "SpO₂"), h("dd", {}, last("spo2") ? `${last("spo2")[1]} %` : "–"), h("dt", {}, "MOAA/S"), h("dd", {}, String(last("moaas")?.[1] ?? "–"))),
      h("div.b-group", {}, button("vitals", "Vital signs…", () => vitals(app)), button("sedation", "MOAA/S…", () => sedation(app)))),
    card("Harm", {}, h("div.b-group", {}, button("adverse", "Adverse event…", () => adverseEvent(app)), button("medication", "Medication given…", () => medication(app)))),
    card("Scales", {}, h("div.b-group", {}, app.plan.scales.map((scale) => button(`scale-${scale.id}`, `${scale.name}…`, () => askScale(app, scale))))), use(app)];
}

const KINDS = { stop: "stop", hold: "warn", warn: "warn", info: "info" };

export function advice(app) {
  const shown = app.status.advice.filter((one) => !one.rule_id.startsWith("prompt."));
  return [h("h1", {}, "Advice"), h("p.b-use", {}, "Advice records what a rule found and who decides. Nothing happens by itself."),
    ...(shown.length ? shown.map((one) => item(app, one)) : [h("p.empty", {}, "None.")])];
}

function item(app, one) {
  const may = app.may("session_record"), body = { advice: one.key, rule: one.rule_id };
  const limits = Object.entries(one.thresholds).map(([name, value]) => `${words(name)} ${value.value} ${value.unit} (${value.source}, ${value.mark})`);
  return h("section.b-card.b-advice", { class: one.level, "aria-label": one.title },
    h("div.b-advice-head", {}, mark(KINDS[one.level], one.level), h("h2", {}, one.title), one.state === "open" ? null : mark(one.state === "overridden" ? "warn" : "good", `${one.state} by ${one.answered_by}`)),
    h("p", {}, one.text), one.answer ? h("p.help", {}, `“${one.answer}”`) : null,
    h("details", {}, h("summary", {}, "Why"), h("dl.facts", {}, h("dt", {}, "Rule"), h("dd", {}, one.rule_id), h("dt", {}, "Source"), h("dd", {}, `${one.source} (${one.mark})`), limits.length ? [h("dt", {}, "Thresholds"), h("dd", {}, limits.join("; "))] : null, h("dt", {}, "Since"), h("dd", {}, app.t0 === null ? "before minute 0" : clock(one.since_ms - app.t0)), one.entries.length ? [h("dt", {}, "From entries"), h("dd", {}, one.entries.map((id) => describe(app, id)).join("; "))] : null, one.proposes !== "nothing" ? [h("dt", {}, "Proposes"), h("dd", {}, capital(words(one.proposes)))] : null, h("dt", {}, "Decides"), h("dd", {}, app.plan.roles[one.who_decides] ?? one.who_decides))),
    may && one.state === "open" ? h("div.b-actions", {}, h("button.primary", { type: "button", "data-key": `ack-${one.key}`, on: { click: () => app.record({ type: "advice_acknowledged", ...body }, { text: "Seen" }) } }, "Seen"), h("button", { type: "button", "data-key": `over-${one.key}`, on: { click: () => comment(app, `Decide otherwise: ${one.title}`, (reason) => app.record({ type: "advice_overridden", ...body, reason }, { text: "Decided otherwise, with the reason" })) } }, "Decide otherwise…")) : null);
}

function describe(app, id) {
  const entry = app.entries.get(id);
  return entry ? `${entry.seq} ${words(entry.event.type)}${entry.event.value !== undefined ? ` ${entry.event.value}` : ""}` : id.slice(0, 8);
}
