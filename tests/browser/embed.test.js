/** The elements in a page of someone else's: by a script tag from another origin, under policies, in frames. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { launch, newPage } from './support/browser.js'
import { answerWith } from './support/convlet-page.js'
import { colourModel } from './support/models.js'
import { plainPng, png } from './support/pictures.js'
import { serve, WWW } from './support/server.js'

/** Bytes with gzip: the scripts that a classifier element loads, its worker's included. */
const SCRIPT_BUDGET = 22_000

/** What a host says that lets others use its files. */
const ANYONE = { 'access-control-allow-origin': '*' }
const PACKAGE = join(WWW, 'dist/package')

let browser, cdn, host, site

before(async () => {
  browser = await launch()
  host = await serve(join(WWW, 'dist'), {}, ANYONE)
  cdn = await serve(PACKAGE, { '/model.safetensors': answerWith(colourModel(), ANYONE) }, ANYONE)
  const red = plainPng(20, 10, [220, 30, 40])
  // A frame in a sandbox is a stranger to its own site.
  site = await serve(PACKAGE, {
    '/red.png': answerWith(red, { 'content-type': 'image/png', ...ANYONE }),
    '/favicon.ico': (_request, response) => response.writeHead(204).end(),
  })
})

after(async () => {
  await browser?.close()
  await host?.close()
  await cdn?.close()
  await site?.close()
})

/** The pages that the README has a writer make, with `HOST` filled in. */
function readmePages() {
  const readme = readFileSync(join(WWW, '../README.md'), 'utf8')
  return [...readme.matchAll(/```html\n([^]*?)```/g)].map(([, html]) => html.replaceAll('HOST', host.url.replace(/\/$/, '')))
}

/** The page of a writer: a script tag and an element. */
function writersPage(elements, policy = '') {
  const meta = policy && `<meta http-equiv="Content-Security-Policy" content="${policy}">`
  return `<!doctype html><html lang="en"><meta charset="utf-8">${meta}<link rel="icon" href="data:,"><title>post</title>
    <script type="module" src="${cdn.url}elements/convlet-classifier.js"></script>${elements}`
}

const element = () => `<convlet-classifier src="${cdn.url}model.safetensors" picture="red.png"></convlet-classifier>`

/** Puts a page onto the site and opens it. */
async function open(html) {
  site.answers['/page.html'] = answerWith(html, { 'content-type': 'text/html' })
  const opened = await newPage(browser)
  await opened.page.goto(`${site.url}page.html`)
  return opened
}

const answered = (frame, count = 1) =>
  frame.waitForFunction(
    (count) => [...document.querySelectorAll('convlet-classifier')].filter(({ answer }) => answer).length === count,
    count,
  )

const firstLabel = (frame) => frame.evaluate(() => document.querySelector('convlet-classifier').answer.predictions[0].label)

test('a script tag from another origin: ten elements, one worker, one engine, one model', async () => {
  const { page, context, requests, assertQuiet } = await open(writersPage(element().repeat(10)))
  for (const each of await page.locator('convlet-classifier').all()) await each.scrollIntoViewIfNeeded()
  await answered(page, 10)
  assert.equal(await firstLabel(page), 'red')
  assert.equal(page.workers().length, 1)
  const fetched = (pattern) => requests.filter((url) => pattern.test(url)).length
  assert.deepEqual([fetched(/\.wasm$/), fetched(/\.safetensors$/)], [1, 1])
  assertQuiet()
  await context.close()
})

test('a classifier alone loads no more than it needs', async () => {
  const { page, context, requests } = await open(writersPage(element()))
  await answered(page)
  const scripts = requests.filter((url) => url.startsWith(cdn.url) && url.endsWith('.js')).map((url) => url.slice(cdn.url.length))
  assert.ok(!scripts.some((path) => /trainer|tutor|inspect|whole|local/.test(path)), scripts.join())
  const sources = [...new Set([...scripts, 'client/worker.js'])].map((path) => readFileSync(join(PACKAGE, path)))
  const size = sources.reduce((sum, source) => sum + gzipSync(source, { level: 9 }).length, 0)
  assert.ok(size < SCRIPT_BUDGET, `${size} bytes of scripts`)
  await context.close()
})

test('the strictest policy that the documentation names is enough', async () => {
  const { origin } = new URL(cdn.url)
  const policy = `default-src 'none'; script-src ${origin} 'wasm-unsafe-eval'; worker-src blob: ${origin}; connect-src ${origin}; img-src 'self' blob: data:`
  const { page, context, assertQuiet } = await open(writersPage(element(), policy))
  await answered(page)
  assert.equal(await firstLabel(page), 'red')
  assertQuiet()
  assert.equal(page.workers().length, 1)
  await context.close()
})

test('a policy without workers: the engine runs on the page’s thread', async () => {
  const { origin } = new URL(cdn.url)
  const policy = `default-src 'none'; script-src ${origin} 'wasm-unsafe-eval'; worker-src 'none'; connect-src ${origin}; img-src 'self' data:`
  const { page, context } = await open(writersPage(element().repeat(2), policy))
  await answered(page, 2)
  assert.equal(await firstLabel(page), 'red')
  assert.equal(page.workers().length, 0)
  await context.close()
})

test('an iframe, and one in a sandbox', async () => {
  for (const sandbox of ['', 'sandbox="allow-scripts"']) {
    site.answers['/frame.html'] = answerWith(writersPage(element()), { 'content-type': 'text/html' })
    const { page, context, assertQuiet } = await open(
      `<!doctype html><link rel="icon" href="data:,"><iframe src="frame.html" width="600" height="600" ${sandbox}></iframe>`,
    )
    const frame = page.frames()[1] ?? (await page.waitForEvent('frameattached'))
    await answered(frame)
    assert.equal(await firstLabel(frame), 'red')
    assertQuiet()
    await context.close()
  }
})

test('a picture that another site keeps to itself is refused by name, with and without a worker', async () => {
  for (const workers of ['blob: *', "'none'"]) {
    const { page, context } = await open(writersPage(element(), `worker-src ${workers}`))
    await answered(page)
    const { origin } = new URL(cdn.url)
    cdn.answers['/secret.png'] = answerWith(plainPng(20, 10, [220, 30, 40]), { 'content-type': 'image/png' })
    const codes = await page.evaluate(async (secret) => {
      const { classifier } = document.querySelector('convlet-classifier')
      const image = Object.assign(new Image(), { src: secret })
      const code = await classifier.classify(image).catch(({ code }) => code)
      return [code, (await classifier.classify(new ImageData(4, 4))).length]
    }, `${origin}/some/where/secret.png`)
    assert.deepEqual(codes, ['picture', 3])
    await context.close()
  }
})

test('a page of the package’s own origin needs no Blob', async () => {
  cdn.answers['/page.html'] = answerWith(
    `<!doctype html><link rel="icon" href="data:,"><meta http-equiv="Content-Security-Policy"
      content="script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'">
    <script type="module" src="elements/convlet-classifier.js"></script>
    <convlet-classifier src="model.safetensors" picture="${site.url}red.png"></convlet-classifier>`,
    { 'content-type': 'text/html' },
  )
  const { page, context } = await newPage(browser)
  await page.goto(`${cdn.url}page.html`)
  await page.waitForFunction(() => document.querySelector('convlet-classifier').classifier)
  assert.deepEqual(page.workers().map((worker) => worker.url()), [`${cdn.url}client/worker.js`])
  await context.close()
})

test('the README’s page that classifies works as it stands', async () => {
  const { page, context, assertQuiet } = await open(readmePages()[0])
  await page.locator('input[type=file]').setInputFiles(join(WWW, 'page/samples/dog.svg'))
  await answered(page)
  assert.equal(await firstLabel(page), 'dog')
  assertQuiet()
  await context.close()
})

test('the README’s page that trains works as it stands', async () => {
  const { page, context, assertQuiet } = await open(readmePages()[1])
  const stripes = (across) =>
    [0, 1, 2, 3, 4, 5, 6, 7].map((shift) => ({
      name: `${shift}.png`,
      mimeType: 'image/png',
      buffer: png(48, 48, (x, y) => (((across ? y : x) + shift) % 12 < 6 ? [40 + 20 * shift, 60, 50] : [230, 225, 220])),
    }))
  const element = page.locator('convlet-trainer')
  await element.getByLabel('Pictures of mine', { exact: true }).setInputFiles(stripes(false))
  await element.getByLabel('Pictures of yours', { exact: true }).setInputFiles(stripes(true))
  await element.getByRole('button', { name: 'Train', exact: true }).click()
  await element.getByText(/^Trained:/).waitFor()
  await element.getByLabel('Picture to try').setInputFiles(stripes(false)[3])
  await element.locator('.answer').getByText('mine').waitFor()
  await element.getByLabel('Picture to try').setInputFiles(stripes(true)[3])
  await element.locator('.answer').getByText('yours').waitFor()
  assertQuiet()
  await context.close()
})
