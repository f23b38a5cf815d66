// The exposure track: open, step, taper, hold, end, and what takes the place of extinction. The drug is not touched here.

import { capital, card, choice, field, h, mark, words } from "./dom.js";
import { form } from "./dialogs.js";
import { expectancy, comment } from "./entries.js";

export function exposure(app) {
  const open = app.status.exposure.blocks.findLast((block) => !block.ended_ms), may = app.may("session_record");
  return [h("h1.visually-hidden", {}, "Exposure"), app.status.stopped_by_participant_ms !== null && app.status.stopped_by_participant_ms !== undefined ? h("p.note.error", {}, "The participant has said stop. Nothing here proposes more exposure.") : null,
    ...(open ? [openBlock(app, open, may)] : [over(app, may), choose(app, may)]), open || app.status.exposure.blocks.length ? behaviour(app, open, may) : null, screen(app, may), done(app), contract(app)];
}

function openBlock(app, block, may) {
  const ask = (event, text) => app.ask({ block: block.name, ...event }, { text });
  const weaker = (intensity) => intensity <= block.intensity;
  const step = (intensity) => {
    const event = { type: "exposure_step", block: block.name, intensity, demand: block.demand, stimulus: block.stimulus };
    return weaker(intensity) ? app.record(event, { text: `Intensity ${intensity * 100} %` }) : app.ask(event, { text: `Intensity ${intensity * 100} %` });
  };
  const taper = app.status.exposure.next_taper, item = app.plan.exposure.items.find((one) => one.id === block.item);
  return card(`Block ${block.name}: ${block.item}`, { class: "b-open" },
    h("p.b-lead", {}, mark("info", block.held ? "held" : "open"), " ", h("strong", { "data-since": block.started_ms }), item ? ` · ${item.trigger}` : ""),
    h("div.b-group", { role: "group", "aria-label": "Intensity" }, app.plan.codes.intensity.map((one) => h("button", { type: "button", disabled: !may, "aria-pressed": String(one === block.intensity), "data-key": `step-${one}`, on: { click: () => step(one) } }, `${one * 100} %`))),
    h("div.b-group", {},
      h("button", { type: "button", disabled: !may, "aria-pressed": String(block.demand === "low"), "data-key": "low-demand", on: { click: () => app.record({ type: "exposure_step", block: block.name, intensity: block.intensity, demand: block.demand === "low" ? "full" : "low", stimulus: block.stimulus }, { text: block.demand === "low" ? "Full demand" : "Low demand" }) } }, block.demand === "low" ? "Back to full demand" : "Low demand"),
      taper ? h("button", { type: "button", disabled: !may, "data-key": "taper", on: { click: () => ask({ type: "taper_step", step: taper.id, intensity: taper.intensity }, `Taper: ${taper.title}`) } }, `Taper: ${taper.title}`) : null,
      block.held ? h("button", { type: "button", disabled: !may, "data-key": "resume", on: { click: () => ask({ type: "exposure_resume" }, "Exposure goes on") } }, "Resume") : h("button", { type: "button", disabled: !may, "data-key": "hold", on: { click: () => app.record({ type: "exposure_hold", block: block.name }, { text: `Exposure held.${app.drugGoesOn}` }) } }, "Hold"),
      h("button", { type: "button", disabled: !may, "data-key": "end-block", on: { click: () => end(app, block) } }, "End the block…")));
}

function end(app, block) {
  return form(`End block ${block.name}`, [h("p", {}, "Which rule ended it?"), h("div.b-big", {}, app.plan.codes.endings.map((code) => h("button", { type: "submit", value: code }, capital(words(code)))))],
    (_, node) => {
      if (!app.plan.codes.endings.includes(node.dataset.chosen)) return "Tap a rule.";
      app.record({ type: "exposure_end", block: block.name, ending_rule: node.dataset.chosen }, { text: `Block ended: ${words(node.dataset.chosen)}` });
      return undefined;
    }, { button: "Tap a rule above" });
}

// The last block has ended by its own rule: that the session's exposure is over is an act of its own, with that rule.
function over(app, may) {
  const last = app.status.exposure.blocks.at(-1);
  if (!last || app.status.exposure.stopped_ms) return null;
  return card("Is exposure over for today?", {}, h("p", {}, "Debrief and recovery begin with it. The drug is not touched."),
    h("button.primary", { type: "button", disabled: !may, "data-key": "exposure-over", on: { click: () => app.record({ type: "exposure_stop", ending_rule: last.ending_rule || "clinician" }, { text: `No more exposure today.${app.drugGoesOn}` }) } }, "No more exposure today"));
}

function choose(app, may) {
  const { items, chosen } = app.plan.exposure;
  return card("Open a block", {}, items.length ? null : h("p.empty", {}, "The hierarchy is empty: plan it in the office."),
    h("ul.b-items-list", {}, items.map((item) => h("li", {}, h("div", {}, h("strong", {}, item.trigger), h("small", {}, [`${item.id}`, item.suds === null ? "" : `SUDS ${item.suds}`, chosen.includes(item.id) ? "chosen for this session" : "", item.hazards.length ? `hazards: ${item.hazards.join(", ")}` : ""].filter(Boolean).join(" · "))),
      h("button", { type: "button", class: chosen.includes(item.id) ? "primary" : "", disabled: !may, "data-key": `open-${item.id}`, on: { click: () => begin(app, item) } }, "Start", h("span.visually-hidden", {}, ` ${item.trigger}`))))));
}

async function begin(app, item) {
  let modality = item.modality || "object", intensity = item.suds !== null && item.suds < 50 ? 1 : 0.5, stimulus = "";
  const shelf = await app.api.get("stimuli").then((answer) => answer.data.stimuli ?? [], () => []);
  return form(`Start: ${item.trigger}`, [
    field("How", choice("Modality", app.plan.codes.modalities.map((one) => [one, words(one)]), modality, (code) => { modality = code; })),
    field("Intensity", choice("Intensity", app.plan.codes.intensity.map((one) => [one, `${one * 100} %`]), intensity, (chosen) => { intensity = chosen; })),
    shelf.length ? field("On the participant's screen", choice("Stimulus", [["", "Nothing"], ...shelf.map((one) => [one.id, `${one.title} (${one.modality}, ${Math.round(one.intensity * 100)} %)`])], "", (id) => { stimulus = id; const one = shelf.find((other) => other.id === id); if (one) modality = one.engine_modality; })) : null,
  ], () => {
    const name = `b${app.status.exposure.blocks.length + 1}`;
    app.ask({ type: "exposure_start", block: name, item: item.id, modality, intensity, demand: "full", stimulus }, { text: `Exposure: ${item.trigger}` });
    return undefined;
  }, { button: "Start the exposure" });
}

function behaviour(app, open, may) {
  const block = open?.name ?? "";
  const tap = (event, text) => () => app.record({ block, ...event }, { text });
  return card("Seen and coached", {},
    h("h3", {}, "What takes the place of extinction"),
    h("div.b-group", {}, app.plan.codes.rituals.map(({ code: kind, title }) => h("button", { type: "button", disabled: !may, "data-key": `ritual-${kind}`, on: { click: tap({ type: "ritual", kind, judged_by: app.status.me.role }, `${title} noted`) } }, title, count(app, kind)))),
    h("h3", {}, "Coaching"),
    h("div.b-group", {}, app.plan.codes.coaching.map(({ code: what, title: text }) => h("button", { type: "button", disabled: !may, "data-key": `coach-${what}`, on: { click: tap({ type: "coaching", what }, text) } }, text))),
    h("h3", {}, "Expectancy"),
    h("div.b-group", {}, h("button", { type: "button", disabled: !may, "data-key": "expect-before", on: { click: () => expectancy(app, false, block) } }, "Before…"), h("button", { type: "button", disabled: !may, "data-key": "expect-after", on: { click: () => expectancy(app, true, block) } }, "After…")),
    app.status.series.anxiety.length || app.status.advice.some((one) => one.rule_id.includes("anxiety")) || app.hints.anxiety ? anxiety(app, may) : h("button.link", { type: "button", on: { click: () => { app.hints.anxiety = true; app.render(); } } }, "Steps for paradoxical anxiety"),
    falls(app, may));
}

function count(app, kind) {
  const seen = app.status.series.rituals.filter((row) => row[1] === kind).length + app.waitingOf("ritual").filter((one) => one.event.kind === kind).length;
  return seen ? h("span.b-count", {}, String(seen)) : null;
}

function anxiety(app, may) {
  const taken = new Set([...app.status.series.anxiety.map(([, step]) => step), ...app.waitingOf("paradoxical_anxiety_step").map((one) => one.event.step)]);
  return h("div", {}, h("h3", {}, "Paradoxical anxiety: how far it went"), h("ol.b-steps", {}, app.plan.anxiety_steps.map((text, at) => h("li", {}, h("button", { type: "button", disabled: !may, "aria-pressed": String(taken.has(at + 1)), "data-key": `anxiety-${at + 1}`, on: { click: () => app.record({ type: "paradoxical_anxiety_step", step: at + 1 }, { text: `Step ${at + 1} taken` }) } }, h("strong", {}, String(at + 1)), ` ${text}`)))));
}

function falls(app, may) {
  const open = app.status.falls.filter((fall) => !fall.judged_by);
  if (!open.length) return null;
  return h("div", {}, h("h3", {}, "Why did SUDS fall?"), open.map((fall) => h("div.b-fall", {}, h("p", {}, `${fall.from_suds} → ${fall.to_suds} in ${fall.block}. Possible: ${fall.causes.map(words).join(", ") || "unclear"}. Only habituation is evidence of learning.`),
    h("div.b-group", {}, app.plan.codes.causes.map(({ code, title }) => h("button", { type: "button", disabled: !may, "data-key": `cause-${fall.entries[1]}-${code}`, on: { click: () => app.record({ type: "fall_cause", rating: fall.entries[1], causes: [code], judged_by: app.status.me.role }, { text: `Fall: ${title}` }) } }, title))))));
}

function screen(app, may) {
  const shown = app.status.series.shown.at(-1);
  return card("Participant's screen", {}, h("p", {}, shown ? (shown[1] ? mark("info", "showing") : mark("warn", shown[2] ? "calm: contact was lost" : "calm")) : h("span.empty", {}, "No screen has joined.")),
    may ? h("div.b-group", {}, h("button", { type: "button", "data-key": "join", on: { click: () => invite(app) } }, "Join a screen…"), h("a.button", { href: `/stimuli/${app.place.log}/`, target: "_blank", rel: "noopener" }, "Library")) : null);
}

// Rating on the screen is off unless somebody switches it on: a participant who rates there is asked by the page, not by a person.
async function invite(app) {
  let rating = false;
  await form("Join a screen", [h("p", {}, "A second screen shows the stimuli to the participant."),
    h("label.b-check", {}, h("input", { type: "checkbox", name: "may_rate", "data-key": "may-rate" }), h("span", {}, "The participant rates on it: SUDS, urge and felt effect, when the protocol asks"))],
  (data) => { rating = data.get("may_rate") === "on"; showCode(app, rating); return undefined; }, { button: "Make a code" });
}

async function showCode(app, rating) {
  try {
    const { data } = await app.api.call(`${app.api.base()}display`, { body: { may_rate: rating } });
    await form("Code of the screen", [h("p", {}, "On the second screen open ", h("strong", {}, `${location.host}/display/`), " and type this code once, within ten minutes:"), h("p.b-code", {}, data.code ?? data.error), rating ? h("p", {}, mark("info", "rating on the screen")) : null].filter(Boolean), () => undefined, { button: "Done" });
  } catch { app.say("No contact: a screen joins when it is back.", null); }
}

function done(app) {
  const closed = app.status.exposure.blocks.filter((block) => block.ended_ms);
  return closed.length ? card("Blocks so far", {}, h("ul", {}, closed.map((block) => h("li", {}, `${block.name} · ${block.item} · ${Math.round((block.ended_ms - block.started_ms) / 60000)} min · ended by ${words(block.ending_rule)}`)))) : null;
}

function contract(app) {
  const { stop_word: word, contract: text, overt_rituals: overt, mental_rituals: mental, forbidden_hazards: hazards } = app.plan.exposure;
  return card("Agreed", {}, h("dl.facts", {}, h("dt", {}, "Stop word"), h("dd", {}, h("strong", {}, word || "none agreed")), overt.length ? [h("dt", {}, "Given up"), h("dd", {}, overt.join(", "))] : null, mental.length ? [h("dt", {}, "Mental rituals"), h("dd", {}, mental.join(", "))] : null, text ? [h("dt", {}, "Contract"), h("dd", {}, text)] : null, hazards.length ? [h("dt", {}, "Not in this session"), h("dd", {}, hazards.join(", "))] : null));
}
export { comment };
