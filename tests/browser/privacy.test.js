/** Nothing leaves: every page under its policy, used in miniature, with each request written down. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { policy } from '../../www/policy.js'
import { launch, newPage } from './support/browser.js'
import { ConvletPage } from './support/convlet-page.js'
import { colourModel } from './support/models.js'
import { plainPng } from './support/pictures.js'
import { useScenes } from './support/scenes.js'
import { serve, WWW } from './support/server.js'
import { StudioPage } from './support/studio-page.js'

const DIST = join(WWW, 'dist')

let browser, server

before(async () => {
  browser = await launch()
  server = await serve(DIST, {}, policy)
})

after(async () => {
  await browser?.close()
  await server?.close()
})

test('every page has a strict policy of its own, and hosts are told the headers', () => {
  const pages = readdirSync(DIST).filter((name) => name.endsWith('.html'))
  assert.deepEqual(pages, ['convlet.html', 'index.html', 'teach.html', 'tutorial.html'])
  for (const name of pages) {
    const [, own] = /http-equiv="Content-Security-Policy"\s+content="([^"]*)"/.exec(readFileSync(join(DIST, name), 'utf8'))
    assert.match(own, /^default-src 'none'; /, name)
    assert.doesNotMatch(own, /unsafe-inline|'unsafe-eval'|\*|https?:/, name)
    if (name !== 'convlet.html') assert.equal(own, policy['Content-Security-Policy'], name)
  }
  const headers = readFileSync(join(DIST, '_headers'), 'utf8')
  for (const [name, value] of Object.entries(policy)) assert.ok(headers.includes(`  ${name}: ${value}\n`), name)
})

/** What an hour on the front page is made of. */
async function look(page) {
  const convlet = new ConvletPage({ page })
  await convlet.answered()
  for (const sample of await page.locator('.sample').all()) await convlet.answerTo(() => sample.click())
  await convlet.answerTo(() => convlet.choose('red.png', 'image/png', plainPng(50, 50, [220, 30, 40])))
  await convlet.answerTo(() => convlet.give('paste', 'red.png', 'image/png', plainPng(40, 50, [220, 30, 40])))
  await convlet.answerTo(() => convlet.chooseModel('mine.safetensors', colourModel()))
  if (!(await page.locator('#inside').evaluate((fold) => fold.open))) await page.locator('#inside > summary').click()
  await page.locator('convlet-inspector').waitFor()
  await page.locator('#camera').click()
  await page.locator('#badge').waitFor({ state: 'visible' })
  await page.locator('#snap').click()
  await page.locator('#stop').click()
}

/** What a lesson in the studio is made of. */
async function teach(page) {
  const studio = new StudioPage({ page })
  await studio.ready()
  const files = (colour) => [0, 1, 2, 3].map((more) => ({ name: `${more}.png`, mimeType: 'image/png', buffer: plainPng(40 + more, 40, colour) }))
  await studio.add('Class 1', files([220, 30, 40]))
  await studio.add('Class 2', files([30, 40, 220]))
  await page.locator('#camera').click()
  await page.locator('#badge').waitFor({ state: 'visible' })
  await studio.record('Class 1', 2)
  await page.locator('#camera-stop').click()
  for (const fold of ['how', 'inside'])
    if (!(await page.locator(`#${fold}`).evaluate((fold) => fold.open))) await studio.unfold(fold)
  await page.locator('#epochs').fill('2')
  await studio.train()
  for (const save of ['#save-project', '#save-model']) await Promise.all([page.waitForEvent('download'), page.locator(save).click()])
}

/** From the tutorial's first line to its last, with a hand on all that moves. */
async function read(page) {
  for (const figure of await page.locator('figure').all()) {
    await figure.scrollIntoViewIfNeeded()
    await page.waitForTimeout(100)
  }
  await page.locator('convlet-summary').getByText('counts 813,217 as well').waitFor()
  await page.locator('#models').getByText('83.7%').waitFor()
  await page.locator('convlet-convolution button.step').click()
  await page.locator('convlet-descent button.step').click()
}

for (const [name, use, databases] of [['', look, []], ['teach.html', teach, ['convlet-studio']], ['tutorial.html', read, []]])
  test(`/${name}: all is fetched from its own host, once; after that no request leaves, whatever is done`, async () => {
    const { page, context, assertQuiet } = await newPage(browser, { acceptDownloads: true })
    const requests = []
    // Those of workers and of the service worker too.
    context.on('request', (request) => requests.push(request))
    await useScenes(page)
    await page.goto(`${server.url}${name}`)
    await use(page)
    await page.evaluate(() => navigator.serviceWorker.ready)
    await page.waitForLoadState('networkidle')
    for (const request of requests) {
      const url = request.url()
      if (/^(blob|data):/.test(url)) continue
      assert.ok(url.startsWith(server.url), url)
      assert.equal(request.method(), 'GET', url)
      assert.equal(request.postData(), null, url)
      assert.equal(new URL(url).search, '', url)
    }
    // The studio asks for one engine, wherever it does; what the service worker keeps comes on top.
    const engines = requests.filter((request) => request.url().endsWith('.wasm') && !request.serviceWorker()).map((request) => request.url())
    if (name === 'teach.html') assert.equal(new Set(engines).size, 1, engines.join())
    const atLoad = requests.length
    await use(page)
    const later = requests.slice(atLoad).map((request) => request.url()).filter((url) => !/^(blob|data):/.test(url))
    assert.deepEqual(later, [])
    assertQuiet()

    const kept = await page.evaluate(async () => ({
      databases: (await indexedDB.databases()).map(({ name }) => name),
      caches: (await caches.keys()).map((name) => name.split(' ')[0]),
      others: [document.cookie, localStorage.length, sessionStorage.length],
      allowed: ['camera', 'microphone', 'geolocation', 'usb'].filter((feature) => document.featurePolicy.allowsFeature(feature)),
    }))
    assert.deepEqual(kept, {
      databases,
      caches: ['convlet'],
      others: ['', 0, 0],
      allowed: ['camera'],
    })
    await context.close()
  })
