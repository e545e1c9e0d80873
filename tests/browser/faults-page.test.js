/** The front page in browsers that lack something, or lose it: what is missing is said, and the rest works. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { launch, newPage } from './support/browser.js'
import { answerWith, ConvletPage, servePage } from './support/convlet-page.js'
import { colourModel } from './support/models.js'
import { plainPng } from './support/pictures.js'
import { useScenes } from './support/scenes.js'
import { serve, WWW } from './support/server.js'

const red = plainPng(20, 20, [220, 30, 40])

let browser, server

before(async () => {
  browser = await launch()
  server = await servePage(colourModel())
})

after(async () => {
  await browser?.close()
  await server?.close()
})

/** @param {() => void} lack runs before the page's own scripts */
async function open(lack, url = server.url) {
  const convlet = new ConvletPage(await newPage(browser))
  if (lack) await convlet.page.addInitScript(lack)
  await convlet.page.goto(url, { waitUntil: 'domcontentloaded' })
  return convlet
}

/** Pictures are shown though nothing can be said of them. */
async function showsPictures(convlet) {
  await convlet.choose('red.png', 'image/png', red)
  await convlet.page.waitForFunction(() => document.querySelector('#still').alt === 'red.png')
}

for (const [what, lack, expected] of [
  ['no WebAssembly', () => delete globalThis.WebAssembly, /no WebAssembly/],
  ['no vectors in its WebAssembly', () => (WebAssembly.validate = () => false), /no vectors \(simd128\)/],
])
  test(`a browser with ${what}: it is said`, async () => {
    const convlet = await open(lack)
    assert.match(await convlet.trouble(), expected)
    await showsPictures(convlet)
    await convlet.close()
  })

test('a policy against WebAssembly: it is said', async () => {
  const strict = await serve(join(WWW, 'dist'), {}, { 'content-security-policy': "script-src 'self'" })
  const convlet = await open(undefined, strict.url)
  assert.match(await convlet.trouble(), /the engine cannot be loaded: .*(WebAssembly|wasm)/)
  await showsPictures(convlet)
  await convlet.close()
  await strict.close()
})

test('no workers: the page itself answers', async () => {
  const convlet = await open(() => delete globalThis.Worker)
  await convlet.answered()
  assert.equal(await convlet.answerTo(() => convlet.choose('red.png', 'image/png', red)), 'red')
  assert.equal(convlet.page.workers().length, 0)
  convlet.assertQuiet()
  await convlet.close()
})

test('no scripts: it is said', async () => {
  const { page, context } = await newPage(browser, { javaScriptEnabled: false })
  for (const name of ['', 'teach.html', 'tutorial.html']) {
    await page.goto(`${server.url}${name}`)
    assert.match(await page.locator('noscript').innerText(), /JavaScript/, name)
  }
  await context.close()
})

test('a camera that is unplugged: the last frame stays, and files go on', async () => {
  const convlet = new ConvletPage(await newPage(browser))
  await useScenes(convlet.page)
  await convlet.page.goto(server.url)
  await convlet.answered()
  await convlet.page.locator('#camera').click()
  await convlet.page.locator('#badge').waitFor({ state: 'visible' })
  await convlet.page.locator('#video').evaluate((video) => video.srcObject.getTracks()[0].dispatchEvent(new Event('ended')))
  assert.match(await convlet.trouble(), /camera went away/)
  assert.equal(await convlet.page.locator('#frame').isVisible(), true)
  assert.equal(await convlet.answerTo(() => convlet.choose('red.png', 'image/png', red)), 'red')
  await convlet.close()
})

test('a first model that does not come: another one can be chosen, and the same tried again', async () => {
  const bad = await servePage()
  bad.answers['/models/pets.safetensors'] = (_request, response) => response.writeHead(500).end()
  const convlet = await open(undefined, bad.url)
  assert.match(await convlet.trouble(), /pets\.safetensors.*500/)
  bad.answers['/models/pets.safetensors'] = answerWith(colourModel())
  await convlet.page.reload({ waitUntil: 'domcontentloaded' })
  await convlet.answered()
  assert.equal(await convlet.answerTo(() => convlet.choose('red.png', 'image/png', red)), 'red')
  await convlet.close()
  await bad.close()
})
