// Talking to the server. Every call says plainly whether there was an answer.

export class NoContact extends Error {}
export class SignedOut extends Error {}

export class Api {
  constructor(place) {
    this.place = place;
    this.csrf = "";
  }

  base(place = this.place) { return `/api/sessions/${place.log}/${place.session}/`; }

  async call(address, { body, background = true, timeout = 8000 } = {}) {
    const headers = { Accept: "application/json" };
    if (background) headers["X-Kerp-Background"] = "1";
    if (body !== undefined) Object.assign(headers, { "Content-Type": "application/json", "X-CSRFToken": this.csrf });
    let answer;
    try {
      answer = await fetch(address, { method: body === undefined ? "GET" : "POST", headers, body: body === undefined ? undefined : JSON.stringify(body), credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(timeout), redirect: "manual" });
    } catch (error) { throw new NoContact(error.message); }
    if (answer.status === 401 || answer.type === "opaqueredirect") throw new SignedOut();
    if (answer.status >= 500) throw new NoContact(`the server answered ${answer.status}`);
    let data = {};
    try { data = await answer.json(); } catch { throw new NoContact("the answer could not be read"); }
    return { status: answer.status, data };
  }

  async get(what, query = {}) {
    const text = new URLSearchParams(query).toString();
    return this.call(this.base() + what + (text ? `?${text}` : ""));
  }

  async wall() { return (await this.call("/api/time", { timeout: 4000 })).data.wall_ms; }

  // Entries of the outbox; the outcome of each.
  async entries(place, device, entries) {
    const send = () => this.call(this.base(place) + "entries", { body: { device, sent_wall_ms: Date.now(), entries }, background: false });
    let { status, data } = await send();
    if (status === 403 && !data.outcomes) { // a token of another sign-in
      await this.renew();
      ({ status, data } = await send());
    }
    if (data.outcomes) return data.outcomes;
    const faults = data.faults ?? [{ message: data.error ?? "not accepted" }];
    return status === 403 ? [] : entries.map((entry) => ({ id: entry.id, result: "refused", faults }));
  }

  async renew() { this.csrf = (await this.get("status")).data.csrf ?? this.csrf; }

  async request(body) { return this.call(this.base() + "requests", { body: { ...body, sent_wall_ms: Date.now() }, background: false }); }

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
    this.source.onerror = () => { if (this.source.readyState === EventSource.CLOSED) setTimeout(() => this.open(), 3000); };
    this.poll ??= setInterval(() => this.fallBack(), 3000);
  }

  note() { this.heard = performance.now(); this.dispatchEvent(new Event("beat")); }

  async fallBack() {
    if (performance.now() - this.heard < 3500) return;
    try {
      const { data } = await this.api.get("entries", { since: this.since });
      if (data.head === undefined) return;
      this.since = data.head;
      this.dispatchEvent(new Event("beat"));
      if (data.entries.length) this.dispatchEvent(new CustomEvent("entries", { detail: data.entries }));
    } catch { /* no contact: the badge says so */ }
  }
}
