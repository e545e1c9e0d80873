/** The page as a whole: quiet, private, at home at every size, and able to go on after a crash. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { launch } from './support/browser.js'
import { answerWith, ConvletPage, servePage } from './support/convlet-page.js'
import { colourModel } from './support/models.js'
import { plainPng } from './support/pictures.js'

let browser, server

before(async () => {
  browser = await launch(['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'])
  server = await servePage()
})

after(async () => {
  await browser?.close()
  await server?.close()
})

test('the network that the page begins with knows our drawings', async () => {
  const convlet = await ConvletPage.open(browser, server.url)
  assert.equal(await convlet.answered(), 'cat')
  const [cat, dog] = await convlet.page.locator('.sample').all()
  assert.equal(await convlet.answerTo(() => dog.click()), 'dog')
  assert.equal(await convlet.answerTo(() => cat.click()), 'cat')
  assert.match(await convlet.page.locator('#facts').textContent(), /811,009/)
  assert.match(await convlet.page.locator('#summary').textContent(), /conv2d[^]*dense[^]*811,009/)
  convlet.assertQuiet()
  await convlet.close()
})

test('after load no request leaves, whatever is done', async () => {
  const convlet = await ConvletPage.open(browser, server.url)
  await convlet.answered()
  await convlet.page.waitForLoadState('networkidle')
  assert.ok(convlet.requests.every((url) => url.startsWith(server.url)))
  const atLoad = convlet.requests.length
  await convlet.answerTo(() => convlet.choose('red.png', 'image/png', plainPng(50, 50, [220, 30, 40])))
  await convlet.page.locator('#camera').click()
  await convlet.page.locator('#badge').waitFor({ state: 'visible' })
  await convlet.page.waitForTimeout(500)
  await convlet.page.locator('#snap').click()
  await convlet.page.locator('#stop').click()
  // The browser fetches the tab's icon when it likes.
  const icon = await convlet.page.locator('link[rel=icon]').evaluate((link) => link.href)
  assert.deepEqual(convlet.requests.slice(atLoad).filter((url) => url !== icon), [])
  convlet.assertQuiet()
  await convlet.close()
})

test('nothing overflows from 320 pixels to 4K, in light and dark', async () => {
  const convlet = await ConvletPage.open(browser, server.url)
  await convlet.answered()
  await convlet.page.locator('.network summary').click()
  for (const colorScheme of /** @type {const} */ (['light', 'dark']))
    for (const width of [320, 360, 768, 1280, 3840]) {
      await convlet.page.emulateMedia({ colorScheme })
      await convlet.page.setViewportSize({ width, height: 800 })
      assert.equal(await convlet.page.evaluate(() => document.documentElement.scrollWidth), width)
    }
  await convlet.close()
})

test('every control is reached by the keyboard', async () => {
  const convlet = await ConvletPage.open(browser, server.url)
  await convlet.answered()
  const reached = new Set()
  for (let press = 0; press < 12; press++) {
    await convlet.page.keyboard.press('Tab')
    reached.add(await convlet.page.evaluate(() => document.activeElement?.id || document.activeElement?.className))
  }
  for (const control of ['camera', 'open', 'sample', 'open-model']) assert.ok(reached.has(control), control)
  await convlet.close()
})

test('a picture that comes while the network still loads is classified once it is there', async () => {
  const late = await servePage()
  /** @type {() => void} */
  let answer = () => {}
  const load = new Promise((resolve) => (answer = resolve))
  late.answers['/models/pets.safetensors'] = async (_request, response) => {
    await load
    answerWith(colourModel())(_request, response)
  }
  const convlet = await ConvletPage.open(browser, late.url)
  await convlet.choose('red.png', 'image/png', plainPng(50, 50, [220, 30, 40]))
  await convlet.page.waitForFunction(() => document.querySelector('#still').alt === 'red.png')
  answer()
  assert.equal(await convlet.answered(), 'red')
  await convlet.close()
  await late.close()
})
