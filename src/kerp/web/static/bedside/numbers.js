// Every number that is typed at the bedside is read here and nowhere else.
// A field of type "number" drops the comma while somebody types ("26,5" becomes 265) before any script can see it.

import { h, words } from "./dom.js";
import { dialog } from "./dialogs.js";

const SHAPE = /^[-−]?\d{1,9}(?:[.,]\d{1,9})?$/;
const THOUSANDS = /^[-−]?[1-9]\d{0,2},\d{3}$/; // 1,234 is two numbers, by who reads it

export class Refusal extends Error { name = "Refusal"; }

// `min`, `max`: what may be typed, ends included. `whole`: no decimals.
export function number({ min, max, whole, ...attributes }) {
  const signed = min === undefined || min < 0; // the keypad for decimals of some tablets has no minus
  return h("input", { type: "text", inputMode: signed ? "text" : "decimal", autocomplete: "off", "data-min": min, "data-max": max, "data-whole": whole ? "yes" : undefined, ...attributes });
}

// The number in a field of a form; null where it was left empty and may be. `Refusal` says what is allowed, and what was
// typed stays.
export function typed(form, name, needed = true) {
  const input = form.elements[name], text = input.value.trim();
  if (!text && !needed) return null;
  const value = valueOf(text), { min, max, whole } = input.dataset;
  if (value >= Number(min ?? -Infinity) && value <= Number(max ?? Infinity) && (!whole || Number.isInteger(value))) return value;
  input.focus();
  throw new Refusal(`${input.labels?.[0]?.textContent ?? words(name)}: ${text ? `“${text}” is not taken` : "nothing was typed"}. Allowed: ${allowed(min, max, whole)}.`);
}

export const valueOf = (text) => (SHAPE.test(text) && !THOUSANDS.test(text) ? Number(text.replace(",", ".").replace("−", "-")) : NaN);

function allowed(min, max, whole) {
  const range = [min === undefined ? "" : `from ${min}`, max === undefined ? "" : `to ${max}`].filter(Boolean).join(" ");
  return [whole ? "a whole number" : "a number like 26.5 or 26,5", range].filter(Boolean).join(" ") + ", without a sign for thousands";
}

// What is more than was planned is asked about before it is recorded: a comma or a point may be missing.
export async function sure(value, planned, unit, what) {
  if (planned === null || planned === undefined || value <= planned) return true;
  const yes = await dialog(`${value} ${unit}?`, (close) => [h("p", {}, h("strong", {}, `${value} ${unit}`), ` is above ${what}, ${planned} ${unit}. Is a comma or a point missing?`),
    h("div.b-actions", {}, h("button.primary", { type: "button", "data-key": "look-again", on: { click: () => close() } }, "Look again"), h("button.danger", { type: "button", "data-key": "sure", on: { click: () => close(true) } }, `It is ${value} ${unit}: record it`))]);
  return Boolean(yes);
}
