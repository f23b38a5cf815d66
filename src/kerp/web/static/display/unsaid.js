// What this screen has to say and the server has not acknowledged: on the disk, so that a reload or a closed browser
// loses no rating and no onset. A row names nobody: a session, an event, a time.

const NAME = "kerp-display", WAITING = "waiting", REFUSED = "refused";

let opening;
function database() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => { for (const store of [WAITING, REFUSED]) request.result.createObjectStore(store, { keyPath: "id" }); };
    request.onsuccess = () => { request.result.onclose = () => { opening = undefined; }; resolve(request.result); };
    request.onerror = () => { opening = undefined; reject(request.error); };
  });
  return opening;
}

async function within(mode, work) {
  const transaction = (await database()).transaction([WAITING, REFUSED], mode, { durability: "strict" });
  return new Promise((resolve, reject) => {
    const asked = work((name) => transaction.objectStore(name));
    transaction.oncomplete = () => resolve(asked?.result);
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}

const inOrder = (one, other) => one.wall - other.wall || one.turn - other.turn;

// Of one session: what waits of another is sent by a screen that joins that one again, never into this one.
export class Unsaid {
  constructor(place) { Object.assign(this, { place, rows: [], refused: [], turn: 0 }); }

  // What an earlier page of this screen left behind.
  async load() {
    const mine = (found) => found.filter((row) => row.place === this.place && !this.rows.some((one) => one.id === row.id)).toSorted(inOrder);
    this.rows.unshift(...mine(await within("readonly", (store) => store(WAITING).getAll())));
    this.refused = mine(await within("readonly", (store) => store(REFUSED).getAll()));
  }

  // Sent from memory where the disk fails.
  async put(event) {
    const row = { id: crypto.randomUUID(), place: this.place, event, wall: Date.now(), turn: this.turn++ };
    this.rows.push({ ...row, at: performance.now() });
    await within("readwrite", (store) => { store(WAITING).put(row); });
  }

  // How long since: by the clock that nobody sets, where the page is still the same.
  static ago(row) { return Math.max(0, Math.round(row.at === undefined ? Date.now() - row.wall : performance.now() - row.at)); }

  async acknowledged(row) {
    this.rows = this.rows.filter((one) => one !== row);
    await within("readwrite", (store) => { store(WAITING).delete(row.id); });
  }

  // In the server's own words. It stays on the disk to be looked at.
  async refuse({ at, ...row }, words) {
    this.rows = this.rows.filter((one) => one.id !== row.id);
    const aside = { ...row, words };
    this.refused.push(aside);
    await within("readwrite", (store) => { store(REFUSED).put(aside); store(WAITING).delete(row.id); });
  }
}
