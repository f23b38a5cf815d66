// Forms of single entries: vital signs, sedation, expectancy, adverse event, medication, rituals, coaching.

import { capital, choice, field, h, words } from "./dom.js";
import { form } from "./dialogs.js";
import { number, typed } from "./numbers.js";

// 128/79; one alone is said with a question mark for the other, as in the advice.
export const pressure = ({ systolic_mmhg: high, diastolic_mmhg: low }) => (high === undefined && low === undefined ? "" : `${high ?? "?"}/${low ?? "?"}`);

export function vitals(app) {
  const box = (name, label, attributes) => field(label, number({ name, ...attributes }));
  let position = "", askedAbout = "";
  return form("Vital signs", [h("div.b-grid2", {}, box("systolic_mmhg", "Systolic (mm Hg)", { min: 0, max: 400 }), box("diastolic_mmhg", "Diastolic (mm Hg)", { min: 0, max: 400 }), box("heart_rate_per_min", "Heart rate (/min)", { min: 0, max: 400 }), box("spo2_pct", "SpO₂ (%)", { min: 0, max: 100 }), box("respiratory_rate_per_min", "Breaths (/min)", { min: 0, max: 150 })),
    field("Position", choice("Position", [["sitting", "Sitting"], ["lying", "Lying"], ["", "Other"]], position, (chosen) => { position = chosen; }))],
  (_, node) => {
    const names = ["systolic_mmhg", "diastolic_mmhg", "heart_rate_per_min", "spo2_pct", "respiratory_rate_per_min"];
    const event = Object.fromEntries(names.map((name) => [name, typed(node, name, false)]).filter(([, given]) => given !== null));
    if (!Object.keys(event).length) return "Nothing was typed.";
    const half = (event.systolic_mmhg === undefined) !== (event.diastolic_mmhg === undefined), only = pressure(event);
    if (half && askedAbout !== only) { // a cuff may give one of the two: a fact is asked about once, never refused
      askedAbout = only;
      return `Only ${only} was typed. If the other was not measured, tap Record once more.`;
    }
    if (event.systolic_mmhg <= event.diastolic_mmhg) return "Systolic is above diastolic.";
    const shown = [only, event.spo2_pct ? `SpO₂ ${event.spo2_pct}` : ""].filter(Boolean).join(", ");
    app.record({ type: "vitals", ...event, position }, { text: `Vital signs ${shown}` });
    return undefined;
  });
}

export function sedation(app) {
  return form("Sedation, MOAA/S", [h("div.b-big", {}, app.plan.codes.sedation.map((one) => h("button", { type: "submit", value: String(one.code) }, h("strong", {}, String(one.code)), ` ${one.title}`)))],
    (_, node) => {
      if (!/^\d$/.test(node.dataset.chosen)) return "Tap a level.";
      app.record({ type: "sedation", moaas: Number(node.dataset.chosen), rated_by: app.status.me.role }, { text: `MOAA/S ${node.dataset.chosen}` });
      return undefined;
    }, { button: "Choose a level above" });
}

export function expectancy(app, after = false, block = "") {
  const open = block || app.status.exposure.blocks.at(-1)?.name || `b${app.status.exposure.blocks.length + 1}`;
  return form(after ? "Expectancy after the exposure" : "Expectancy before the exposure",
    [field("How likely is the feared outcome? (0–100 %)", number({ name: "probability", min: 0, max: 100 })), field("Worst distress expected (0–100)", number({ name: "worst", min: 0, max: 100 }))],
    (_, node) => {
      const probability = typed(node, "probability"), worst = typed(node, "worst", false);
      app.record({ type: "expectancy", block: open, after, probability_pct: probability, worst_distress: worst }, { text: `Expectancy ${probability} %` });
      return undefined;
    });
}

export function adverseEvent(app) {
  let code = "", grade = 0, relation = "unclear";
  return form("Adverse event", [
    field("What", choice("What", app.plan.codes.adverse.map((one) => [one.code, one.title]), code, (chosen) => { code = chosen; })),
    field("Grade", choice("Grade", app.plan.codes.grades.map((one) => [one.code, `${one.code} ${one.title}`]), grade, (chosen) => { grade = chosen; })),
    field("Thought to come from", choice("Relation", app.plan.codes.relations.map((one) => [one, capital(words(one))]), relation, (chosen) => { relation = chosen; })),
    h("label.b-check", {}, h("input", { type: "checkbox", name: "serious" }), h("span", {}, "Serious")),
    field("What was seen and done", h("textarea", { name: "text", rows: 2, maxLength: 2000 }), "No names, no dates of birth."),
  ], (data) => {
    if (!code || !grade) return "What it was, and how severe, are asked for.";
    app.record({ type: "adverse_event", code, grade, serious: data.get("serious") === "on", relation, text: data.get("text") }, { text: `Adverse event: ${words(code)}, grade ${grade}` });
    return undefined;
  });
}

export function medication(app) {
  let kind = "";
  return form("Medication given", [
    field("Kind", choice("Kind", app.plan.codes.medication.map((one) => [one, capital(words(one))]), kind, (chosen) => { kind = chosen; })),
    field("Name", h("input", { name: "name", maxLength: 200 })), field("Amount, with its unit", h("input", { name: "amount", maxLength: 60 })), field("Route", h("input", { name: "route", maxLength: 60 })),
    field("Ordered by", h("input", { name: "by", maxLength: 60 }), "Role or sign-in name."),
  ], (data) => {
    if (!kind || !data.get("name").trim()) return "Kind and name are asked for.";
    app.record({ type: "medication_given", kind, name: data.get("name").trim(), amount: data.get("amount"), route: data.get("route"), ordered_by: data.get("by") }, { text: `Given: ${data.get("name")}` });
    return undefined;
  });
}

export function comment(app, title, submit, label = "Reason") {
  return form(title, [field(label, h("textarea", { name: "why", rows: 2, maxLength: 2000 }))], (data) => {
    const text = data.get("why").trim();
    if (!text) return `${label}: this may not be empty.`;
    submit(text);
    return undefined;
  });
}
