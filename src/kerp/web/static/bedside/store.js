// What stays on this device: entries that wait, encrypted, and a snapshot to open the page with when there is no contact.
// The key cannot be taken out of the browser; a payload names no person (kerp documents this exception to ASVS 14.3.3).

const NAME = "kerp-bedside";
const STORES = ["keys", "outbox", "kept", "aside"];

let opening;
function database() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("keys");
      request.result.createObjectStore("outbox", { keyPath: "order" });
      request.result.createObjectStore("kept");
      request.result.createObjectStore("aside", { keyPath: "id" });
    };
    request.onsuccess = () => {
      request.result.onclose = () => { opening = undefined; };
      request.result.onversionchange = () => { request.result.close(); opening = undefined; };
      resolve(request.result);
    };
    request.onerror = () => { opening = undefined; reject(request.error); }; // tried anew by whoever comes next
  });
  return opening;
}

// A database that the browser closed meanwhile is opened once more.
async function begun(stores, mode, durability) {
  try { return (await database()).transaction(stores, mode, { durability }); } catch (error) {
    if (error.name !== "InvalidStateError") throw error;
    opening = undefined;
    return (await database()).transaction(stores, mode, { durability });
  }
}

// One transaction. "strict": on the disk before it is called done. What may be lost is written "relaxed": a removal is
// repeated, a snapshot is made anew, and neither makes an entry wait for the disk.
async function within(stores, mode, work, durability = "strict") {
  const transaction = await begun(stores, mode, durability);
  return new Promise((resolve, reject) => {
    let result;
    transaction.oncomplete = () => resolve(result);
    transaction.onerror = transaction.onabort = () => reject(transaction.error ?? new Error("not kept"));
    const wrap = (request) => new Promise((yes, no) => {
      request.onsuccess = () => yes(request.result);
      request.onerror = () => no(request.error);
    });
    Promise.resolve(work(...stores.map((name) => transaction.objectStore(name)), wrap)).then((value) => { result = value; }, (error) => {
      try { transaction.abort(); } catch { /* over already */ }
      reject(error);
    });
  });
}

export const read = (store, key) => within([store], "readonly", (s, wrap) => wrap(s.get(key)));
export const all = (store) => within([store], "readonly", (s, wrap) => wrap(s.getAll()));
export const write = (store, value, key, durability) => within([store], "readwrite", (s) => { key === undefined ? s.put(value) : s.put(value, key); }, durability);

// One more try of a PIN, counted before anybody looks whether it fits; undefined where there is none.
export const spendTry = (key) => within(["kept"], "readwrite", async (s, wrap) => {
  const pin = await wrap(s.get(key));
  if (!pin) return undefined;
  const spent = { ...pin, tries: (pin.tries ?? 0) + 1 };
  s.put(spent, key);
  return spent;
});

// A new row comes after all that are there, whatever the device's clock says and whichever tab writes; none is written over.
export const append = (row) => within(["outbox"], "readwrite", async (s, wrap) => {
  const last = await wrap(s.openKeyCursor(null, "prev"));
  const order = Math.max(Date.now() * 1000, (last?.key ?? 0) + 1);
  s.add({ ...row, order });
  return order;
});

// Rows that still stand are written again, with what became known of them.
export const amend = (rows) => within(["outbox"], "readwrite", async (s, wrap) => {
  for (const row of rows) if ((await wrap(s.get(row.order)))?.id === row.id) s.put(row);
});

// Acknowledged rows go; refused ones go only together with their copy for a person to look at.
export const settle = (gone, aside) => within(["outbox", "aside"], "readwrite", async (outbox, kept, wrap) => {
  for (const row of aside) kept.put(row);
  for (const row of gone) if ((await wrap(outbox.get(row.order)))?.id === row.id) outbox.delete(row.order);
}, aside.length ? "strict" : "relaxed");

// Keys stay: a page that is open seals with them, and alone they tell nothing. What waits is never wiped.
export const wipe = () => within(["outbox", "kept", "aside"], "readwrite", async (outbox, kept, aside, wrap) => {
  if (await wrap(outbox.count())) return false;
  const owner = await wrap(kept.get("owner"));
  for (const store of [kept, aside]) store.clear();
  if (owner) kept.put(owner, "owner");
  return true;
});

// The key of one person on this device: made here, never exportable.
export async function keyOf(owner) {
  const known = await read("keys", owner);
  if (known) return known;
  const made = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
  return within(["keys"], "readwrite", async (s, wrap) => {
    const other = await wrap(s.get(owner)); // another tab may have been faster
    if (other) return other;
    s.put(made, owner);
    return made;
  });
}

export async function seal(key, value) {
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const text = new TextEncoder().encode(JSON.stringify(value));
  return { iv, data: await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, text) };
}

export async function unseal(key, { iv, data }) {
  const text = await crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, data);
  return JSON.parse(new TextDecoder().decode(text));
}
