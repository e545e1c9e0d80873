/**
 * Measures the built page: `npm run measure` after `npm run build` in www.
 * Cold start: from navigation to the first classification on the page, in a fresh browser with an empty cache, from a
 * local server; and the page's weight.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { launch, newPage } from './support/browser.js'
import { servePage } from './support/convlet-page.js'
import { WWW } from './support/server.js'

const ROUNDS = 11

async function coldStart(url) {
  const browser = await launch()
  const { page } = await newPage(browser)
  await page.goto(url)
  await page.waitForFunction(() => globalThis.convletAnswers.length > 0)
  const { at } = await page.evaluate(() => globalThis.convletAnswers[0])
  await browser.close()
  return at
}

const server = await servePage()
const times = []
for (let round = 0; round < ROUNDS; round++) times.push(await coldStart(server.url))
await server.close()
times.sort((a, b) => a - b)
const [fastest, median, slowest] = [times[0], times[ROUNDS >> 1], times[ROUNDS - 1]].map((time) => time.toFixed(0))
console.log(`cold start: median ${median} ms (${fastest} to ${slowest} ms, ${ROUNDS} fresh browsers)`)

const dist = join(WWW, 'dist')
/** @type {{ [kind: string]: number }} */
const weights = {}
for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue
  const kind = entry.name.slice(entry.name.lastIndexOf('.') + 1)
  weights[kind] = (weights[kind] ?? 0) + gzipSync(readFileSync(join(entry.parentPath, entry.name)), { level: 9 }).length
}
for (const [kind, weight] of Object.entries(weights)) console.log(`${kind}: ${(weight / 1000).toFixed(1)} kB with gzip`)
