// Talking to the server. Every call says plainly whether there was an answer.

const PATIENCE_MS = 8000, MOST_PATIENCE_MS = 20000;

export class NoContact extends Error {
  constructor(message, timedOut = false) { super(message); this.timedOut = timedOut; }
}
export class SignedOut extends Error {}

export class Api {
  constructor(place) {
    this.place = place;
    this.csrf = "";
    this.patience = { asking: PATIENCE_MS, sending: PATIENCE_MS };
  }

  // A slow server is given more time, not more work: the same asked again while it still works on it would only slow it
  // down, and never be heard to the end.
  async patiently(kind, work) {
    try {
      const answer = await work(this.patience[kind]);
      this.patience[kind] = PATIENCE_MS;
      return answer;
    } catch (error) {
      if (error.timedOut) this.patience[kind] = Math.min(this.patience[kind] * 2, MOST_PATIENCE_MS);
      throw error;
    }
  }

  base(place = this.place) { return `/api/sessions/${place.log}/${place.session}/`; }

  async call(address, { body, background = true, timeout = 8000 } = {}) {
    const headers = { Accept: "application/json" };
    if (background) headers["X-Kerp-Background"] = "1";
    if (body !== undefined) Object.assign(headers, { "Content-Type": "application/json", "X-CSRFToken": this.csrf });
    let answer;
    try {
      answer = await fetch(address, { method: body === undefined ? "GET" : "POST", headers, body: body === undefined ? undefined : JSON.stringify(body), credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(timeout), redirect: "manual" });
    } catch (error) { throw new NoContact(error.message, error.name === "TimeoutError"); }
    if (answer.status === 401 || answer.type === "opaqueredirect") throw new SignedOut();
    if (answer.status >= 500) throw new NoContact(`the server answered ${answer.status}`);
    let data = {};
    try { data = await answer.json(); } catch (error) { throw new NoContact("the answer could not be read", error.name === "TimeoutError"); }
    return { status: answer.status, data };
  }

  async get(what, query = {}) {
    const text = new URLSearchParams(query).toString();
    return this.patiently("asking", (timeout) => this.call(this.base() + what + (text ? `?${text}` : ""), { timeout }));
  }

  async wall() { return (await this.call("/api/time", { timeout: 4000 })).data.wall_ms; }

  // Entries of the outbox; the outcome of each that the server spoke of.
  async entries(place, device, entries) {
    const answer = await this.withToken(() => this.post(place, device, entries), ({ outcomes }) => outcomes);
    return this.outcomes(place, device, entries, answer);
  }

  // A page that was opened again knows no token until the server has spoken, and another sign-in has another: a refusal
  // that says nothing of what was sent is asked once more with a fresh one.
  async withToken(send, spokenOf) {
    const answer = await send();
    if (answer.status !== 403 || spokenOf(answer.data)) return answer;
    await this.renew();
    return send();
  }

  post(place, device, entries) {
    return this.patiently("sending", (timeout) => this.call(this.base(place) + "entries", { body: { device, sent_wall_ms: Date.now(), entries }, background: false, timeout }));
  }

  // Only the server's own words count. One entry it cannot read takes no other with it; anything else is tried again.
  async outcomes(place, device, entries, { status, data }) {
    if (Array.isArray(data.outcomes)) return data.outcomes;
    if (status !== 400 || !Array.isArray(data.faults)) return [];
    if (entries.length === 1) return [{ id: entries[0].id, result: "refused", faults: data.faults }];
    const each = [];
    for (const entry of entries) each.push(...await this.entries(place, device, [entry]));
    return each;
  }

  async renew() { this.csrf = (await this.get("status")).data.csrf ?? this.csrf; }

  request(body) {
    const send = () => this.call(this.base() + "requests", { body: { ...body, sent_wall_ms: Date.now() }, background: false });
    return this.withToken(send, ({ faults }) => faults);
  }

  async unlock(password) {
    const answer = await fetch("/bedside/unlock", { method: "POST", headers: { "X-CSRFToken": this.csrf, Accept: "application/json" }, body: new URLSearchParams({ password }), credentials: "same-origin" });
    return { status: answer.status, data: await answer.json() };
  }
}

// Entries of other devices: server-sent events, and asking every few seconds where that is not possible.
export class Stream extends EventTarget {
  constructor(api) { super(); this.api = api; this.since = 0; this.heard = 0; }

  open() {
    this.source?.close();
    this.source = new EventSource(`${this.api.base()}stream?since=${this.since}`);
    this.source.addEventListener("entries", (event) => {
      this.since = Number(event.lastEventId || this.since);
      this.note();
      this.dispatchEvent(new CustomEvent("entries", { detail: JSON.parse(event.data).entries }));
    });
    this.source.addEventListener("beat", () => this.note());
    const source = this.source;
    source.onerror = () => { if (source === this.source && source.readyState === EventSource.CLOSED) setTimeout(() => { if (source === this.source) this.open(); }, 3000); };
    this.poll ??= setInterval(() => this.fallBack(), 3000);
  }

  // A tab that nobody sees keeps none of the few connections that a browser opens to one server: with one kept by each
  // of six tabs, nothing could be sent any more.
  shown(yes) {
    if (yes) this.open();
    else { this.source?.close(); this.source = null; }
  }

  note() { this.heard = performance.now(); this.dispatchEvent(new Event("beat")); }

  async fallBack() {
    if (document.hidden || performance.now() - this.heard < 3500) return;
    try {
      const { data } = await this.api.get("entries", { since: this.since });
      if (data.head === undefined) return;
      this.since = data.head;
      this.dispatchEvent(new Event("beat"));
      if (data.entries.length) this.dispatchEvent(new CustomEvent("entries", { detail: data.entries }));
    } catch { /* no contact: the badge says so */ }
  }
}
