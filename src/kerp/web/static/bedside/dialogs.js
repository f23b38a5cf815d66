// Questions that need words: refusals with their reasons, overrides, forms. Nothing here is timed out or lost on a render.

import { capital, clock, field, h, words } from "./dom.js";

const HOLD_MS = 800;

// A form in a dialog. `build(close)` gives the nodes; resolves with what `close` was given, or null.
export function dialog(title, build, { wide = false } = {}) {
  return new Promise((resolve) => {
    const box = h("dialog.b-dialog", { class: wide ? "wide" : "", "aria-label": title });
    const close = (value = null) => { box.close(); box.remove(); resolve(value); };
    box.append(h("div.b-dialog-head", {}, h("h2", {}, capital(title)), h("button.b-icon", { type: "button", "aria-label": "Close", on: { click: () => close() } }, "✕")), h("div.b-dialog-body", {}, ...[build(close)].flat()));
    box.addEventListener("cancel", () => close());
    document.body.append(box);
    box.showModal();
  });
}

export const told = (title, text) => dialog(title, (close) => [h("p", {}, text), h("div.b-actions", {}, h("button.primary", { type: "button", on: { click: () => close(true) } }, "I have read it"))]);

// A form: fields by name; `read` makes what is recorded of them, or says what is missing.
export function form(title, fields, submit, { button = "Record", wide = false } = {}) {
  return dialog(title, (close) => {
    const fault = h("p.fault", { role: "alert", hidden: true });
    const node = h("form", { noValidate: true, on: { submit: async (event) => {
      event.preventDefault();
      const problem = await said(submit, node);
      if (typeof problem === "string") { fault.hidden = false; fault.textContent = problem; } else close(true);
    } } }, ...fields.flat(), fault, h("div.b-actions", {}, h("button.primary", { type: "submit" }, button), h("button", { type: "button", on: { click: () => close() } }, "Cancel")));
    return node;
  }, { wide });
}

// What a field refuses is a problem like any other: the form stays, with what was typed.
async function said(submit, node) {
  try { return await submit(new FormData(node), node); } catch (error) {
    if (error.name !== "Refusal") throw error;
    return error.message;
  }
}

export const explain = {
  // Every reason with its ways out; who may go on, goes on with a reason that is kept.
  async refused(app, event, reasons, text) {
    const mine = reasons.every((one) => one.overridable && (one.who === app.status.me.role || app.status.me.role === "prescriber"));
    const why = h("textarea", { name: "why", rows: 2, maxLength: 2000 });
    const go = await dialog(`${capital(words(event.type))}: not now`, (close) => [
      h("ul.b-reasons", {}, reasons.map((one) => h("li", {}, h("strong", {}, one.text), one.ways_out.map((way) => h("small", {}, way))))),
      mine ? h("div", {}, field("Reason to go on all the same", why, "Goes into the record under your name. The clinician decides."),
        h("div.b-actions", {}, h("button.danger", { type: "button", "data-key": "override", on: { click: () => why.value.trim() ? close(why.value.trim()) : why.focus() } }, "Go on, with this reason"), h("button", { type: "button", on: { click: () => close() } }, "Leave it")))
        : h("div.b-actions", {}, h("button.primary", { type: "button", on: { click: () => close() } }, "Understood"))]);
    return go ? app.ask(event, { text, override: go }) : false;
  },

  // Without contact nothing can be decided; what has happened can always be recorded.
  async noContact(app, event, { id, at, text }) {
    const happened = await dialog("No contact with the server", (close) => [
      h("p", {}, "kerp cannot check what stands against this. If it ", h("strong", {}, "has happened"), ", record it as a fact; what it departs from is shown when contact is back."),
      h("p", {}, `${capital(words(event.type))} at ${app.t0 === null ? app.wall() : clock(at - app.t0, true)}`),
      h("div.b-actions", {}, h("button.danger", { type: "button", "data-key": "happened", on: { click: () => close(true) } }, "It has happened: record it"), h("button.primary", { type: "button", on: { click: () => close() } }, "It has not happened"))]);
    return happened ? Boolean(await app.record(event, { id, at, text })) : false;
  },
};

// Only the stop of an infusion is confirmed, by holding; no dialog, no second screen.
export function confirmStop(app) {
  let timer = null;
  const button = h("button.b-stop.hold", { type: "button", id: "drug-stop", "data-key": "drug-stop", "aria-label": "Infusion stopped: hold for one second to record" }, h("span", { "aria-hidden": "true" }, "■"), "Infusion stopped", h("small", {}, "hold"));
  const done = () => { timer = null; button.classList.remove("holding"); app.record({ type: "drug_stop", reason: "" }, { text: `Infusion stop recorded.${app.exposureGoesOn}` }); };
  const begin = (event) => {
    if (timer || (event.type === "keydown" && ![" ", "Enter"].includes(event.key))) return;
    event.preventDefault();
    button.classList.add("holding");
    timer = setTimeout(done, HOLD_MS);
  };
  const leave = () => { clearTimeout(timer); timer = null; button.classList.remove("holding"); };
  for (const name of ["pointerdown", "keydown"]) button.addEventListener(name, begin);
  for (const name of ["pointerup", "pointerleave", "pointercancel", "keyup", "blur"]) button.addEventListener(name, leave);
  return button;
}
