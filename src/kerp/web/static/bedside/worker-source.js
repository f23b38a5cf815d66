// Keeps the page itself, so that a tablet without contact can open it. Data never pass through here.
const CACHE = `kerp-bedside-${VERSION}`;
const SHELL = "/bedside/shell";
const PAGE = /^\/bedside\/[0-9a-f-]{36}\/[-\w]+\/$/;

self.addEventListener("install", (event) => event.waitUntil(keep()));

async function keep() {
  const cache = await caches.open(CACHE);
  await Promise.all([SHELL, ...FILES].map(async (address) => {
    const answer = await fetch(new Request(address, { cache: "reload", credentials: "same-origin" }));
    if (!answer.ok || answer.redirected) throw new Error(`not kept: ${address}`);
    await cache.put(address, answer);
  }));
  await self.skipWaiting();
}

self.addEventListener("activate", (event) => event.waitUntil(takeOver()));

async function takeOver() {
  for (const name of await caches.keys()) if (name.startsWith("kerp-bedside-") && name !== CACHE) await caches.delete(name);
  await self.clients.claim();
}

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin) return;
  if (event.request.mode === "navigate" && PAGE.test(url.pathname)) event.respondWith(page(event.request));
  else if (FILES.includes(url.pathname)) event.respondWith(kept(event.request));
});

// The network first for a moment, so that a new version shows; then what is kept.
async function page(request) {
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(2500) });
    if (answer.ok || answer.redirected || answer.status < 500) return answer;
  } catch { /* no contact: below */ }
  return (await caches.match(SHELL, { cacheName: CACHE })) ?? Response.error();
}

async function kept(request) {
  const url = new URL(request.url);
  return (await caches.match(url.pathname, { cacheName: CACHE })) ?? fetch(request);
}
