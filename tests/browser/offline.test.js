/** Without a network: the page in one file, and the hosted site that keeps itself. */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { launch, newPage } from './support/browser.js'
import { ConvletPage } from './support/convlet-page.js'
import { serve, WWW } from './support/server.js'

const DIST = join(WWW, 'dist')
const FILE = join(DIST, 'convlet.html')
const FILE_BUDGET = 2_500_000

let browser, folder

before(async () => {
  browser = await launch()
  // A host whose files may change, without what is no part of the site.
  folder = mkdtempSync(join(tmpdir(), 'convlet-site-'))
  cpSync(DIST, folder, { recursive: true, filter: (path) => !path.startsWith(join(DIST, 'package')) && path !== FILE })
})

after(async () => {
  await browser?.close()
  rmSync(folder, { recursive: true })
})

/** Waits until the site has kept itself, and gives the caches' names. */
const kept = (page) =>
  page.evaluate(async () => {
    await navigator.serviceWorker.ready
    return caches.keys()
  })

test('one file from the disk, the network off: the whole page, in a worker', async () => {
  assert.ok(statSync(FILE).size < FILE_BUDGET, `${statSync(FILE).size} bytes`)
  const convlet = await ConvletPage.open(browser, pathToFileURL(FILE).href, { offline: true })
  assert.equal(await convlet.answered(), 'cat')
  const [, dog] = await convlet.page.locator('.sample').all()
  assert.equal(await convlet.answerTo(() => dog.click()), 'dog')
  assert.match(await convlet.page.locator('#facts').textContent(), /pets\.safetensors.*811,009/)
  assert.equal(convlet.page.workers().length, 1)
  const links = await convlet.page.locator('a').evaluateAll((links) => links.map((link) => link.getAttribute('href')))
  assert.deepEqual(links.filter((href) => !href.startsWith('#')), [], 'no link leads to where nothing is')
  const outside = convlet.requests.filter((url) => !url.startsWith('data:') && url !== pathToFileURL(FILE).href)
  assert.deepEqual(outside, [])
  convlet.assertQuiet()
  await convlet.close()
})

test('the hosted site works without its host, every page of it', async () => {
  const host = await serve(folder)
  const { page, context, assertQuiet } = await newPage(browser)
  await page.goto(host.url)
  assert.equal((await kept(page)).length, 1)
  await host.close()
  await page.reload()
  await page.waitForFunction(() => globalThis.convletAnswers.length > 0)
  assert.equal(await page.locator('#answer').textContent(), 'cat')
  await page.goto(`${host.url}tutorial.html?from=somewhere#convolution`)
  await page.waitForFunction(() => document.querySelector('convlet-classifier')?.shadowRoot)
  assertQuiet()
  await context.close()
})

test('a new build shows at once, and its files take over when the old pages are gone', async () => {
  const host = await serve(folder)
  const { page, context } = await newPage(browser)
  await page.goto(host.url)
  const [old] = await kept(page)
  for (const [file, from, to] of [
    ['index.html', '<title>Convlet', '<title>New Convlet'],
    ['service-worker.js', '"version":"', '"version":"new'],
  ]) {
    const path = join(folder, file)
    writeFileSync(path, readFileSync(path, 'utf8').replace(from, to))
  }
  await page.reload()
  assert.equal(await page.title(), 'New Convlet')
  // The new build is fetched while the old one still serves.
  await page.evaluate(async () => {
    const registration = await navigator.serviceWorker.ready
    await registration.update()
    while (!registration.waiting) await new Promise((resolve) => setTimeout(resolve, 50))
  })
  const both = await kept(page)
  assert.equal(both.length, 2)
  assert.ok(both.includes(old))
  await page.goto('about:blank')
  const next = await context.newPage()
  await next.goto(host.url)
  await next.waitForFunction(async (old) => !(await caches.keys()).includes(old), old)
  assert.equal((await kept(next)).length, 1)
  await host.close()
  await next.reload()
  assert.equal(await next.title(), 'New Convlet')
  await context.close()
})
