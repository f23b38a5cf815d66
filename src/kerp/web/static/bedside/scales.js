// Instruments as forms built from their data; "no answer" with its reason, never a zero (M21).

import { field, h } from "./dom.js";
import { form } from "./dialogs.js";
import { number, typed } from "./numbers.js";

export function missed(app, instrument, title) {
  return form(`${title}: no answer`, [h("p", {}, "It stays missing. It is not a zero."), h("div.b-big", {}, app.plan.codes.missed.map((one) => h("button", { type: "submit", name: "reason", value: one.code }, one.title)))],
    (_, node) => {
      if (!app.plan.codes.missed.some((one) => one.code === node.dataset.chosen)) return "Tap a reason.";
      app.record({ type: "rating_missed", instrument, reason: node.dataset.chosen }, { text: `${title}: no answer` });
      return undefined;
    }, { button: "Tap a reason above" });
}

document.addEventListener("click", (event) => { // which of several submit buttons was pressed
  const button = event.target.closest?.("form button[type=submit]");
  if (button) button.form.dataset.chosen = button.value || "other";
}, true);

export function askScale(app, scale) {
  const rows = scale.items.map((item) => h("fieldset.b-item", {}, h("legend", {}, item.label), answers(item)));
  return form(scale.name, [h("div.b-items", {}, rows)], (data, node) => {
    const given = Object.fromEntries(scale.items.map((item) => [item.id, tapped(item) ? chosen(data.get(item.id)) : typed(node, item.id, false)]));
    const by = scale.rater === "self" ? "participant" : app.status.me.role;
    app.record({ type: "scale_answers", instrument: scale.id, version: scale.version, answers: given, rated_by: by, text_pack: scale.text_pack }, { text: `${scale.name} recorded` });
    return undefined;
  }, { wide: true });
}

const chosen = (text) => (text === null || text === "" ? null : Number(text));
const steps = (item) => Math.round((item.max - item.min) / item.step) + 1;
const tapped = (item) => item.codes.length > 0 || steps(item) <= 11;

function answers(item) {
  const count = steps(item);
  if (!tapped(item)) return field(`${item.min} to ${item.max} ${item.unit ?? ""}`, number({ name: item.id, min: item.min, max: item.max, whole: item.step === 1 }), [item.low, item.high].filter(Boolean).join(" – "));
  const options = item.codes.length ? item.codes.map((one) => [one.code, `${one.code} ${one.label}`]) : Array.from({ length: count }, (_, at) => [item.min + at * item.step, String(item.min + at * item.step)]);
  return h("div.answers", {}, [...options, ["", "not answered"]].map(([value, text]) => h("label", { class: value === "" ? "missing" : "" }, h("input", { type: "radio", name: item.id, value: String(value), checked: value === "" }), text)));
}
