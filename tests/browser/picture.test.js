/** Pictures of every kind come in by every way, and page and native command say the same of them. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { launch } from './support/browser.js'
import { ConvletPage, servePage } from './support/convlet-page.js'
import { colourModel } from './support/models.js'
import { plainPng, png } from './support/pictures.js'

const RED = /** @type {const} */ ([220, 30, 40])
const GREEN = /** @type {const} */ ([20, 200, 60])
const BLUE = /** @type {const} */ ([30, 60, 210])

let browser, server, convlet

before(async () => {
  browser = await launch()
  server = await servePage(colourModel())
  convlet = await ConvletPage.open(browser, server.url)
  await convlet.answered()
})

after(async () => {
  await browser?.close()
  await server?.close()
})

test('a chosen file is classified, and shown as the network sees it', async () => {
  const answer = await convlet.answerTo(() => convlet.choose('red.png', 'image/png', plainPng(40, 30, RED)))
  assert.equal(answer, 'red')
  const pixel = await convlet.page
    .locator('#seen')
    .evaluate((canvas) => [...canvas.getContext('2d').getImageData(3, 3, 1, 1).data])
  assert.deepEqual(pixel, [...RED, 255])
  assert.match(await convlet.page.locator('#time').textContent(), /ms$/)
  assert.match(await convlet.page.locator('#spoken').textContent(), /^red, .*%$/)
})

for (const way of /** @type {const} */ (['drop', 'paste']))
  test(`a picture is taken by ${way}`, async () => {
    await convlet.answerTo(() => convlet.choose('red.png', 'image/png', plainPng(40, 30, RED)))
    const answer = await convlet.answerTo(() => convlet.give(way, 'g.png', 'image/png', plainPng(30, 40, GREEN)))
    assert.equal(answer, 'green')
  })

test('a picture of one pixel is classified', async () => {
  const answer = await convlet.answerTo(() => convlet.choose('dot.png', 'image/png', plainPng(1, 1, BLUE)))
  assert.equal(answer, 'blue')
})

test('a picture of 12,000 x 9,000 pixels is classified, and the next one too', { timeout: 120_000 }, async () => {
  convlet.page.setDefaultTimeout(90_000)
  const huge = plainPng(12_000, 9_000, BLUE)
  assert.equal(await convlet.answerTo(() => convlet.choose('huge.png', 'image/png', huge)), 'blue')
  const small = plainPng(20, 20, RED)
  assert.equal(await convlet.answerTo(() => convlet.choose('small.png', 'image/png', small)), 'red')
})

test('a clear pixel counts as white', async () => {
  const blueHole = png(16, 16, (x) => (x < 2 ? [0, 0, 0, 255] : [...BLUE, 0]))
  await convlet.answerTo(() => convlet.choose('hole.png', 'image/png', blueHole))
  const corner = await convlet.page
    .locator('#seen')
    .evaluate((canvas) => [...canvas.getContext('2d').getImageData(7, 7, 1, 1).data])
  assert.deepEqual(corner, [255, 255, 255, 255])
})

test('a file that is no picture is refused by name, and the page goes on', async () => {
  await convlet.choose('notes.png', 'image/png', Buffer.from('no picture at all'))
  assert.match(await convlet.trouble(), /notes\.png cannot be read as a picture/)
  const answer = await convlet.answerTo(() => convlet.choose('red.png', 'image/png', plainPng(9, 9, RED)))
  assert.equal(answer, 'red')
  assert.equal(await convlet.page.locator('#notice').isVisible(), false)
})

test('the drawings can be tried', async () => {
  for (const sample of await convlet.page.locator('.sample').all()) await convlet.answerTo(() => sample.click())
})

test('page and native command give the same probabilities to the last bit', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'convlet-'))
  try {
    const model = join(folder, 'colours.safetensors')
    writeFileSync(model, colourModel())
    const noise = (seed) => (x, y) => [(x * 73 + y * 151 + seed) % 256, (x * y + 31 * y) % 256, (x ^ (y * 7)) & 255]
    const pictures = {
      'shrunk.png': png(321, 203, noise(0)),
      'enlarged.png': png(5, 3, noise(5)),
      'alpha.png': png(64, 40, (x, y) => [...noise(9)(x, y), (x * 4 + y) % 256]),
    }
    for (const [name, picture] of Object.entries(pictures)) {
      writeFileSync(join(folder, name), picture)
      const native = JSON.parse(
        execFileSync(nativeCommand(), ['predict', '--json', model, join(folder, name)], { encoding: 'utf8' }),
      )
      const { predictions } = Array.isArray(native) ? native[0] : native
      await convlet.answerTo(() => convlet.choose(name, 'image/png', picture))
      assert.deepEqual(
        await convlet.predictions(),
        predictions.map(({ label, confidence }) => ({ label, confidence: Math.fround(confidence) })),
        name,
      )
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('says nothing on the console', () => convlet.assertQuiet())

/** The native command, as `cargo test` builds it; CONVLET names another one. */
function nativeCommand() {
  const target = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL('../../target', import.meta.url))
  return process.env.CONVLET ?? join(target, 'debug', 'convlet')
}
