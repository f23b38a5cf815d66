// The participant's screen: follows the session, says what it really showed, and goes calm when it must.

import { PRESENTERS } from "./presenters.js";
import { Unsaid } from "./unsaid.js";

const LOST_MS = 3000; // without a word from the server for so long, the screen goes calm
const { log, session, csrf } = document.body.dataset;
const stage = document.getElementById("stage"), calmScreen = document.getElementById("calm"), ask = document.getElementById("ask");
const STOPPING = ["patient_stop", "exposure_stop", "exposure_end", "exposure_hold", "withdrawal"];

let heard = performance.now(), order = -1, calmUntil = -1, shown = null, coming = null, presenter = null, turn = 0;
const unsaid = new Unsaid(`${log}/${session}`);

// --- what is shown ---

async function follow(now) {
  heard = performance.now();
  order = Math.max(order, now.order);
  rate(now.ask ?? "");
  if (now.calm) return calm(false);
  if (now.order <= calmUntil) return undefined; // it went calm after this: only a newer act shows again
  if (shown && same(shown, now)) return level(now);
  if (coming && same(coming, now)) return presenter.level(now.intensity); // on its way: a beat does not start it anew
  return present(now);
}

const same = (one, other) => one.stimulus === other.stimulus && one.block === other.block;

async function present(now) {
  const mine = ++turn;
  put();
  coming = now;
  presenter = PRESENTERS[now.modality]?.(stage);
  if (!presenter) return;
  presenter.level(now.intensity);
  const there = await fetched(presenter, now, () => mine === turn);
  if (!there || mine !== turn) return;
  shown = { ...now };
  coming = null;
  calmScreen.hidden = true;
  say(true);
}

// Tried again for as long as it is wanted: a network that comes back late must not leave the screen empty for the block.
async function fetched(one, now, wanted) {
  for (let attempt = 0; wanted(); attempt++) {
    try { await one.show(`/api/display/media/${now.stimulus}`); return true; } catch { await new Promise((resolve) => setTimeout(resolve, Math.min(400 * 2 ** attempt, 3000))); }
  }
  return false;
}

function level(now) {
  if (shown.intensity === now.intensity && shown.order >= now.order) return;
  const changed = shown.intensity !== now.intensity;
  Object.assign(shown, now);
  presenter.level(now.intensity);
  if (changed) say(true);
}

// Calm at once: nothing is asked of the network first.
function calm(lost) {
  turn += 1;
  calmScreen.hidden = false;
  calmUntil = Math.max(calmUntil, order);
  const was = shown;
  put();
  if (was) say(false, lost, was);
}

function put() { presenter?.end?.(); presenter = null; shown = null; coming = null; stage.replaceChildren(); }

// --- what it says ---

function say(isShown, lost = false, what = shown) {
  tell({ type: "stimulus_shown", block: what.block, stimulus: what.stimulus, shown: isShown, intensity: what.intensity, contact_lost: lost });
}

let unkept = false, shutOut = false;
const attempted = (work) => work.then(() => { unkept = false; }, () => { unkept = true; }); // the disk is full, or forbidden

async function tell(event) {
  const written = attempted(unsaid.put(event));
  speak();
  await written;
  notice();
}

let speaking = false;
async function speak() {
  if (speaking) return;
  speaking = true;
  try {
    while (unsaid.rows.length && await said(unsaid.rows[0]));
  } catch { /* said when contact is back */ } finally { speaking = false; notice(); }
}

// Only the server's own words count: what it has, and what it refuses for good. Anything else (signed out, forbidden, a
// portal's page, a server in trouble) leaves the row waiting.
async function said(row) {
  const body = JSON.stringify({ entry: { id: row.id, event: row.event }, ago_ms: Unsaid.ago(row) });
  const answer = await fetch("/api/display/told", { method: "POST", headers: { "Content-Type": "application/json", "X-CSRFToken": csrf }, body, signal: AbortSignal.timeout(5000) });
  shutOut = [401, 403].includes(answer.status);
  const data = await answer.json();
  if (answer.ok && ["stored", "known"].includes(data.result)) { await attempted(unsaid.acknowledged(row)); return true; }
  if (![400, 409].includes(answer.status) || !Array.isArray(data.faults)) return false;
  await attempted(unsaid.refuse(row, data.error));
  return true;
}

// For whoever sits beside it; nothing is asked of the participant.
function notice() {
  const waits = unsaid.rows.length, lines = [
    unsaid.refused.length ? `${unsaid.refused.length} not accepted: ${unsaid.refused.at(-1).words}. Please tell the therapist.` : "",
    waits && shutOut ? `${waits} waiting: this screen has to join again, with a new code. Please tell the therapist.` : "",
    waits && unkept ? "This screen cannot keep what waits: leave it open, and tell the therapist." : "",
  ].filter(Boolean);
  const line = document.getElementById("told"), text = lines.join(" ");
  line.hidden = !text;
  if (line.textContent !== text) line.textContent = text;
}

// --- the participant's own rating, where the protocol asks for it and the therapist allowed it ---

const SCALES = { suds: ["How strong is the distress, now?", 10], urge: ["How strong is the urge, now?", 10], felt_effect: ["How strong is the effect, now?", 1] };
let asking = "";

function rate(instrument) {
  if (instrument === asking) return;
  asking = instrument;
  ask.hidden = !instrument;
  if (!instrument) return;
  const [question, step] = SCALES[instrument];
  const row = document.createElement("div");
  for (let at = 0; at <= 10; at++) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: String(at * step) });
    button.onclick = () => { tell({ type: instrument, value: at * step, rated_by: "participant" }); ask.hidden = true; };
    row.append(button);
  }
  ask.replaceChildren(Object.assign(document.createElement("p"), { textContent: question }), row);
}

// --- contact ---

function listen() {
  const source = new EventSource("/api/display/stream");
  for (const name of ["show", "beat"]) source.addEventListener(name, (event) => follow(JSON.parse(event.data)));
  source.onerror = () => { if (source.readyState === EventSource.CLOSED) setTimeout(listen, 1000); };
}

// The therapist's page on the same machine stops this screen without the network.
function listenLocally() {
  new BroadcastChannel(`kerp-${log}-${session}`).onmessage = ({ data }) => { if (STOPPING.includes(data.event?.type)) calm(false); };
}

document.querySelector("#start button").addEventListener("click", () => {
  document.getElementById("start").remove();
  document.documentElement.requestFullscreen?.().catch(() => {});
  navigator.wakeLock?.request?.("screen").catch(() => {});
  heard = performance.now();
  listen();
  listenLocally();
  setInterval(() => { if (performance.now() - heard > LOST_MS && calmScreen.hidden) calm(true); }, 200);
});

// What an earlier page left is sent at once, before anybody starts the screen.
unsaid.load().catch(() => {}).then(speak);
setInterval(speak, 1000);

globalThis.kerpDisplay = { get shown() { return shown; }, get unsaid() { return unsaid.rows.length; }, get refused() { return unsaid.refused.length; }, get silentMs() { return performance.now() - heard; } };
