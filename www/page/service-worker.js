/**
 * Keeps the site for times without a network: every file of one build, in a cache of its own. The build puts the list of
 * its files and their hash before this script, so that it changes when any of them does.
 *
 * A new build is fetched in the background and takes over when no page of the old one is open: a page never meets files
 * of two builds. Pages themselves come from the network while there is one, so nobody waits for that to see what is new.
 */

/** @type {any} */
const worker = globalThis
/** @type {{ version: string, files: string[] }} */
const { version, files } = worker.build

/** Other sites of this host have caches of their own. */
const OURS = `convlet ${worker.registration.scope} `
const CACHE = OURS + version
/** Milliseconds that a page waits for a network that may be none. */
const PATIENCE = 3000

worker.addEventListener('install', (/** @type {any} */ event) => event.waitUntil(fill()))
worker.addEventListener('activate', (/** @type {any} */ event) => event.waitUntil(forgetOthers()))
worker.addEventListener('fetch', (/** @type {any} */ event) => {
  const { request } = event
  if (request.method !== 'GET' || !request.url.startsWith(worker.registration.scope)) return
  event.respondWith(request.mode === 'navigate' ? page(request) : file(request))
})

async function fill() {
  const cache = await caches.open(CACHE)
  // A file whose name holds its hash cannot be out of date; any other is asked for anew.
  const requests = files.map((file) => new Request(file, { cache: file.startsWith('assets/') ? 'default' : 'no-cache' }))
  await cache.addAll(requests)
}

async function forgetOthers() {
  const names = await caches.keys()
  await Promise.all(names.filter((name) => name.startsWith(OURS) && name !== CACHE).map((name) => caches.delete(name)))
}

/**
 * @param {Request} request
 */
async function file(request) {
  const cache = await caches.open(CACHE)
  return (await cache.match(request)) ?? fetch(request)
}

/**
 * @param {Request} request
 */
async function page(request) {
  const cache = await caches.open(CACHE)
  const address = new URL(request.url)
  if (address.pathname.endsWith('/')) address.pathname += 'index.html'
  const kept = await cache.match(address, { ignoreSearch: true })
  if (!kept) return fetch(request)
  // What a host has redirected may not answer for a page: a copy may.
  const copy = new Response(kept.body, { headers: kept.headers })
  const late = new Promise((resolve) => setTimeout(() => resolve(copy), PATIENCE))
  return Promise.race([fetch(request).catch(() => copy), late])
}
