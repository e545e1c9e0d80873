/**
 * Measures the studio: `npm run measure:teach -- DIRECTORY` after `npm run build` in www; DIRECTORY holds a folder of
 * pictures a class, of which 40 are taken. Click on 'Train' to finished, and the page's longest task meanwhile; what was
 * downloaded for it; then the memory that 5,000 pictures take, and how smoothly they scroll.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { launch } from './support/browser.js'
import { servePage } from './support/convlet-page.js'
import { png } from './support/pictures.js'
import { StudioPage } from './support/studio-page.js'

const EXAMPLES = 40
const ROUNDS = 3
const MANY = 5000

const directory = process.argv[2]
if (!directory) throw new Error('expected a directory with a folder of pictures a class')
const classes = readdirSync(directory).sort()
const type = (name) => (/\.jpe?g$/i.test(name) ? 'image/jpeg' : /\.webp$/i.test(name) ? 'image/webp' : 'image/png')

const server = await servePage()

/** @param {import('playwright-core').Browser} browser */
async function open(browser) {
  const studio = await StudioPage.open(browser, server.url)
  await studio.page.evaluate(() => {
    globalThis.tasks = []
    const observer = new PerformanceObserver((list) => globalThis.tasks.push(...list.getEntries().map(({ duration }) => duration)))
    observer.observe({ type: 'longtask' })
  })
  return studio
}

/** Adds classes until there are `count`, and names them. @param {StudioPage} studio @param {string[]} names */
async function name(studio, names) {
  for (let i = 2; i < names.length; i++) await studio.page.locator('#add-class').click()
  for (const [i, name] of names.entries()) await studio.rename(`Class ${i + 1}`, name)
}

/** Bytes with gzip of all that the page has fetched so far but networks and pictures: page, styles, scripts, engine. */
async function weigh(page) {
  const paths = await page.evaluate(() => [location.href, ...performance.getEntriesByType('resource').map(({ name }) => name)])
  const own = paths.filter((path) => path.startsWith(server.url) && /\.(html|css|js|wasm)$/.test(path))
  // A worker's own script may be no resource of the page's.
  const all = new Set([...own, ...page.workers().map((worker) => worker.url())])
  const lengths = [...all].map(async (path) => gzipSync(Buffer.from(await (await fetch(path)).arrayBuffer()), { level: 9 }).length)
  return (await Promise.all(lengths)).reduce((sum, length) => sum + length, 0)
}

/** @param {StudioPage} studio */
const said = async (studio) => `${((await weigh(studio.page)) / 1000).toFixed(0)} kB`

/** Clicks on 'Train'; the milliseconds until the network is there and judged, and the longest task. */
const train = (page) =>
  page.evaluate(async () => {
    globalThis.tasks.length = 0
    const shown = (id) => !document.querySelector(id).hidden
    const began = performance.now()
    document.querySelector('#train').click()
    while (!shown('#progress')) await new Promise(requestAnimationFrame)
    while (shown('#progress')) await new Promise((resolve) => setTimeout(resolve, 2))
    return { time: performance.now() - began, longest: Math.max(0, ...globalThis.tasks) }
  })

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]

const browser = await launch()
{
  const studio = await open(browser)
  await studio.page.waitForLoadState('networkidle')
  const opened = await said(studio)
  await name(studio, classes)
  for (const label of classes) {
    const names = readdirSync(join(directory, label)).sort().slice(0, EXAMPLES)
    const file = (name) => ({ name, mimeType: type(name), buffer: readFileSync(join(directory, label, name)) })
    await studio.add(label, names.map(file))
  }
  await studio.unfold('how')
  for (const depth of ['head', 'whole']) {
    await studio.page.locator(`input[name=depth][value=${depth}]`).check()
    const runs = []
    for (let round = 0; round < ROUNDS; round++) runs.push(await train(studio.page))
    const epochs = await studio.page.locator('#epochs').evaluate((input) => input.value || input.placeholder)
    const seconds = runs.map(({ time }) => time / 1000)
    console.log(
      `${depth}, ${classes.length} x ${EXAMPLES} pictures, ${epochs} epochs: median ${median(seconds).toFixed(2)} s ` +
        `(${seconds.map((time) => time.toFixed(2)).join(', ')}); longest task ` +
        `${Math.max(...runs.map(({ longest }) => longest)).toFixed(0)} ms (0: none over 50)`,
    )
  }
  console.log(`the page with gzip, without its networks: ${opened} as it opens, ${await said(studio)} by now`)
  await studio.close()
}
await browser.close()

/** Bytes of memory that the processes under `process` that show pages hold, shared ones by their share. */
function memory(process) {
  const list = execFileSync('ps', ['-e', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' }).trim().split('\n')
  const processes = list.map((line) => {
    const [pid, parent, ...args] = line.trim().split(/\s+/)
    return { pid: Number(pid), parent: Number(parent), args }
  })
  const under = (pid) => processes.filter(({ parent }) => parent === pid).flatMap((one) => [one, ...under(one.pid)])
  const renderers = under(process).filter(({ args }) => args.includes('--type=renderer'))
  const held = ({ pid }) => Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]) * 1024
  return renderers.map(held).reduce((sum, bytes) => sum + bytes, 0)
}

{
  // A browser of its own, so that its renderer holds this page alone.
  const browser = await launch()
  const studio = await StudioPage.open(browser, server.url)
  const { page } = studio
  const own = () => memory(process.pid)
  const before = own()
  const names = ['a', 'b', 'c', 'd', 'e']
  await name(studio, names)
  for (const [i, label] of names.entries()) {
    const picture = (index) => png(96, 72, (x, y) => [(x * 3 + index) % 256, (y * 5 + index * 7) % 256, (i * 50 + x * y) % 256])
    for (let from = 0; from < MANY / names.length; from += 250) {
      const file = (_, k) => ({ name: `${from + k}.png`, mimeType: 'image/png', buffer: picture(from + k) })
      await studio.add(label, Array.from({ length: 250 }, file))
    }
  }
  const full = own()
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('HeapProfiler.collectGarbage')
  await page.waitForTimeout(2000)
  const kept = own()
  const frames = await page.evaluate(async () => {
    const list = document.querySelector('.gallery-list')
    list.scrollIntoView()
    const times = []
    let last = performance.now()
    for (let i = 0; i < 180; i++) {
      list.scrollTop += 40
      const now = await new Promise(requestAnimationFrame)
      times.push(now - last)
      last = now
    }
    return times.slice(5).sort((a, b) => a - b)
  })
  const at = (share) => frames[Math.floor((frames.length - 1) * share)].toFixed(1)
  const mb = (bytes) => (bytes / 1e6).toFixed(0)
  console.log(`${MANY} pictures: the page's processes hold ${mb(kept)} MB, ${mb(full)} MB before the garbage is collected (${mb(before)} MB when empty)`)
  console.log(`scrolling through them: a frame every ${at(0.5)} ms, 95 of 100 within ${at(0.95)} ms, at most ${at(1)} ms`)
  await browser.close()
}
await server.close()
