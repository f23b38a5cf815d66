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
      resolve(request.result);
    };
    request.onerror = () => reject(request.error);
  });
  return opening;
}

// One transaction, on the disk before it is called done.
async function within(stores, mode, work) {
  const db = await database();
  return new Promise((resolve, reject) => {
    const transaction = db.transaction(stores, mode, { durability: "strict" });
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
export const write = (store, value, key) => within([store], "readwrite", (s) => { key === undefined ? s.put(value) : s.put(value, key); });
export const remove = (store, keys) => within([store], "readwrite", (s) => { for (const key of keys) s.delete(key); });
export const clear = () => within(STORES, "readwrite", (...stores) => { for (const one of stores.slice(0, STORES.length)) one.clear(); });

// The key of one sign-in's owner: made here, never exportable, replaced once everything was handed over.
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
