/** The camera: live, snapshot, off, and the four ways it can fail. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { launch } from './support/browser.js'
import { ConvletPage, servePage } from './support/convlet-page.js'
import { colourModel } from './support/models.js'
import { film, plainPng } from './support/pictures.js'

let server, folder

before(async () => {
  server = await servePage(colourModel())
  folder = mkdtempSync(join(tmpdir(), 'convlet-'))
})

after(async () => {
  await server?.close()
  rmSync(folder, { recursive: true })
})

describe('a camera that shows red for a second, then blue', () => {
  let browser, convlet

  before(async () => {
    const file = join(folder, 'film.y4m')
    const second = (colour) => Array(10).fill(colour)
    writeFileSync(file, film([...second([220, 30, 40]), ...second([30, 60, 210])]))
    browser = await launch([
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
      `--use-file-for-fake-video-capture=${file}`,
    ])
    convlet = await ConvletPage.open(browser, server.url)
    await convlet.answered()
  })

  after(() => browser?.close())

  const answerBecomes = (text) =>
    convlet.page.waitForFunction((text) => document.querySelector('#answer').textContent === text, text)

  test('is followed live', async () => {
    await convlet.page.locator('#camera').click()
    await convlet.page.locator('#badge').waitFor({ state: 'visible' })
    for (const colour of ['red', 'blue', 'red']) await answerBecomes(colour)
  })

  test('stands still as a snapshot, which keeps its answer', async () => {
    await answerBecomes('blue')
    const answer = await convlet.answerTo(() => convlet.page.locator('#snap').click())
    assert.equal(await convlet.page.locator('#badge').isVisible(), false)
    assert.equal(await convlet.page.locator('#frame').isVisible(), true)
    await convlet.page.waitForTimeout(1500)
    assert.equal(await convlet.answer(), answer)
  })

  test('goes on by the keyboard, and stops by it', async () => {
    await convlet.page.locator('#snap').press('Enter')
    await answerBecomes('red')
    await convlet.page.keyboard.press('Escape')
    assert.equal(await convlet.page.locator('#viewfinder').isVisible(), false)
    assert.equal(await convlet.page.locator('#frame').isVisible(), true)
    assert.equal(await convlet.page.locator('#video').evaluate((video) => video.srcObject), null)
  })

  test('classifies nothing while live mode is off', async () => {
    await convlet.page.locator('#camera').click()
    await answerBecomes('blue')
    await convlet.page.locator('#live').click()
    // A frame may still be under way.
    await convlet.page.waitForTimeout(300)
    const answers = await convlet.answers()
    await convlet.page.waitForTimeout(1000)
    assert.equal(await convlet.answers(), answers)
    await convlet.page.locator('#stop').click()
  })

  test('says nothing on the console', () => convlet.assertQuiet())
})

describe('a camera that fails', () => {
  let browser
  const messages = new Set()

  before(async () => (browser = await launch()))
  after(() => browser?.close())

  /**
   * Each failure has its own words, and file input goes on.
   *
   * @param {string} url
   * @param {RegExp} expected
   * @param {() => unknown} [script] runs in the page first
   */
  async function fails(url, expected, script) {
    const convlet = await ConvletPage.open(browser, url)
    try {
      await convlet.answered()
      if (script) await convlet.page.evaluate(script)
      await convlet.page.locator('#camera').click()
      const trouble = await convlet.trouble()
      assert.match(trouble, expected)
      messages.add(trouble)
      const green = plainPng(8, 8, [20, 200, 60])
      assert.equal(await convlet.answerTo(() => convlet.choose('green.png', 'image/png', green)), 'green')
      convlet.assertQuiet()
    } finally {
      await convlet.close()
    }
  }

  // A headless browser without a fake device has no camera, and one without a fake dialogue refuses it.
  test('absent', () => fails(server.url, /No camera was found/))

  test('denied', async () => {
    const other = await launch(['--use-fake-device-for-media-stream', '--deny-permission-prompts'])
    const own = browser
    browser = other
    await fails(server.url, /The camera was refused/).finally(() => (browser = own))
    await other.close()
  })

  test('in use', () =>
    fails(server.url, /another program may be using it/, () => {
      navigator.mediaDevices.getUserMedia = async () => {
        throw new DOMException('Could not start video source', 'NotReadableError')
      }
    }))

  test('on an insecure page', async () => {
    const other = await launch(['--host-resolver-rules=MAP convlet.test 127.0.0.1'])
    const own = browser
    browser = other
    await fails(server.url.replace('localhost', 'convlet.test'), /needs a secure page/).finally(() => (browser = own))
    await other.close()
  })

  test('says four different things', () => assert.equal(messages.size, 4))
})
