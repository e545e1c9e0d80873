/** The studio trains on what it sees, is judged, goes on after a reload and after a crash, and keeps its work in files. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { unzipSync, zipSync } from '../../www/node_modules/fflate/esm/index.mjs'
import { launch } from './support/browser.js'
import { servePage } from './support/convlet-page.js'
import { png } from './support/pictures.js'
import { showScene, useScenes } from './support/scenes.js'
import { WWW } from './support/server.js'
import { StudioPage } from './support/studio-page.js'

const SCENES = /** @type {const} */ (['ball', 'box', 'bars'])

let browser, server

before(async () => {
  browser = await launch()
  server = await servePage()
})

after(async () => {
  await browser?.close()
  await server?.close()
})

/** A studio with a camera of scenes. */
const open = (options) => StudioPage.open(browser, server.url, options, useScenes)

/** Pictures of one colour that differ in brightness. */
const files = (count, [red, green, blue]) =>
  Array.from({ length: count }, (_, index) => ({
    name: `picture-${index}.png`,
    mimeType: 'image/png',
    buffer: png(32, 32, (x, y) => [red, green, blue].map((value) => Math.min(255, value + index * 3 + ((x * 5 + y * 3) % 20)))),
  }))

/** A studio with two classes that a network can tell apart. */
async function withTwoClasses(options) {
  const studio = await open(options)
  await studio.rename('Class 1', 'red')
  await studio.rename('Class 2', 'blue')
  await studio.add('red', files(12, [180, 20, 30]))
  await studio.add('blue', files(12, [20, 40, 180]))
  return studio
}

/** @param {StudioPage} studio @param {{ [id: string]: number }} numbers */
async function set(studio, numbers) {
  if (!(await studio.page.locator('#how').evaluate((fold) => fold.open))) await studio.unfold('how')
  for (const [id, value] of Object.entries(numbers)) {
    await studio.page.locator(`#${id}`).fill(String(value))
    await studio.page.locator(`#${id}`).press('Tab')
  }
}

/** The weights of the network that the studio keeps. */
const weights = (studio) =>
  studio.page.evaluate(async () => {
    const request = indexedDB.open('convlet-studio')
    const database = await new Promise((resolve) => (request.onsuccess = () => resolve(request.result)))
    const result = await new Promise((resolve) => {
      const get = database.transaction('state').objectStore('state').get('result')
      get.onsuccess = () => resolve(get.result)
    })
    database.close()
    const bytes = new Uint8Array(await result.model.arrayBuffer())
    const header = Number(new DataView(bytes.buffer).getBigUint64(0, true))
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes.subarray(8 + header)))
    return [...digest].join()
  })

describe('three scenes before the camera', () => {
  let studio, atLoad

  before(async () => {
    studio = await open()
    await studio.rename('Class 1', 'ball')
    await studio.rename('Class 2', 'box')
    await studio.page.locator('#add-class').click()
    await studio.rename('Class 3', 'bars')
    await studio.page.locator('#camera').click()
    await studio.page.locator('#badge').waitFor()
    await studio.page.waitForLoadState('networkidle')
    atLoad = studio.requests.length
  })
  after(() => studio?.close())

  test('are recorded, learned, and named live', async () => {
    for (const scene of SCENES) {
      await showScene(studio.page, scene)
      await studio.record(scene, 20)
    }
    await studio.train()
    for (const scene of SCENES) {
      await showScene(studio.page, scene)
      await studio.page.waitForFunction((scene) => document.querySelector('#answer').textContent === scene, scene)
    }
  })

  test('are judged on pictures held out, whose cells open', async () => {
    assert.match(await studio.page.locator('#judge-headline').textContent(), /^Right on \d+ of \d+ pictures that it was not trained on/)
    const cell = studio.page.locator('#confusion .right button').first()
    const count = Number(await cell.textContent())
    await cell.click()
    await studio.page.locator('#cell').waitFor()
    assert.equal(await studio.page.locator('#cell .tile').count(), count)
    assert.match(await studio.page.locator('#cell-title').textContent(), /ball, called ball/)
  })

  test('a picture is labelled anew in place, and the page says to train again', async () => {
    const [, [, boxes]] = await studio.classes()
    await studio.page.locator('#cell .gallery-list').focus()
    await studio.page.keyboard.press('Space')
    await studio.page.locator('#relabel').getByRole('button', { name: 'box' }).click()
    await studio.page.locator('#judge-stale').waitFor({ state: 'visible' })
    assert.equal((await studio.classes())[1][1], boxes + 1)
  })

  test('no request left meanwhile but for the page’s own parts', async () => {
    const later = studio.requests.slice(atLoad)
    assert.ok(later.every((url) => url.startsWith(server.url)), later.join())
    // The engine, the model and the plots are parts of the page, fetched when first needed and once.
    assert.equal(new Set(later).size, later.length)
    studio.assertQuiet()
  })
})

describe('a training', () => {
  test('that a reload interrupts goes on, and ends in the same weights', async () => {
    // Long enough for a checkpoint, one a second, to be there when the page goes.
    const settings = { epochs: 1000, batchSize: 4, seed: 7 }
    const whole = await withTwoClasses()
    await set(whole, settings)
    await whole.train()
    const expected = await weights(whole)
    await whole.close()

    const broken = await withTwoClasses()
    await set(broken, settings)
    await broken.page.locator('#train').click()
    await broken.page.waitForFunction(() => /Epoch [5-9]\d\d/.test(document.querySelector('#progress-text').textContent))
    await broken.reload()
    await broken.trained()
    assert.equal(await weights(broken), expected)
    broken.assertQuiet()
    await broken.close()
  })

  test('that another version of the page began is said to be lost, and not tried again', async () => {
    const studio = await withTwoClasses()
    await set(studio, { epochs: 1000 })
    await studio.page.locator('#train').click()
    /** Makes the checkpoint one of version 1; whether there is one. */
    const age = () =>
      studio.page.evaluate(async () => {
        const request = indexedDB.open('convlet-studio')
        const database = await new Promise((resolve) => (request.onsuccess = () => resolve(request.result)))
        const store = database.transaction('state', 'readwrite').objectStore('state')
        const kept = await new Promise((resolve) => Object.assign(store.get('training'), { onsuccess: ({ target }) => resolve(target.result) }))
        // Latin 1 gives each byte a character.
        const place = new TextDecoder('latin1').decode(kept?.checkpoint).indexOf('"version":"')
        if (place >= 0) kept.checkpoint[place + '"version":"'.length] = '1'.charCodeAt(0)
        if (place >= 0) await new Promise((resolve) => Object.assign(store.put(kept, 'training'), { onsuccess: resolve }))
        database.close()
        return place >= 0
      })
    while (!(await studio.page.evaluate(() => /Epoch/.test(document.querySelector('#progress-text').textContent)))) await studio.page.waitForTimeout(50)
    await studio.page.locator('#pause').click()
    await studio.page.waitForTimeout(300)
    while (!(await age())) {
      await studio.page.locator('#pause').click()
      await studio.page.waitForTimeout(500)
      await studio.page.locator('#pause').click()
      await studio.page.waitForTimeout(300)
    }
    await studio.reload()
    await studio.page.getByText('expected one of version 2, got "1"').waitFor()
    await studio.page.locator('#train:enabled').waitFor()
    assert.equal(await age(), false)
    await studio.close()
  })

  test('pauses, goes on and stops, and is kept over a reload', async () => {
    const studio = await withTwoClasses()
    await set(studio, { epochs: 1000 })
    await studio.page.locator('#train').click()
    await studio.page.waitForFunction(() => /Epoch/.test(document.querySelector('#progress-text').textContent))
    await studio.page.locator('#pause').click()
    const bar = () => studio.page.locator('#progress-bar').evaluate((bar) => bar.value)
    await studio.page.waitForTimeout(500)
    const paused = await bar()
    await studio.page.waitForTimeout(700)
    assert.equal(await bar(), paused)
    await studio.page.locator('#pause').click()
    await studio.page.waitForFunction((paused) => document.querySelector('#progress-bar').value > paused, paused)
    await studio.page.locator('#stop').click()
    await studio.trained()
    const headline = await studio.page.locator('#judge-headline').textContent()
    await studio.reload()
    await studio.page.locator('#judge-body').waitFor()
    assert.equal(await studio.page.locator('#judge-headline').textContent(), headline)
    const [red] = files(1, [180, 20, 30])
    await studio.give('drop', red.name, red.mimeType, red.buffer)
    await studio.page.waitForFunction(() => document.querySelector('#answer').textContent === 'red')
    await studio.close()
  })

  test('does not hold up the page: no task over 50 ms', { skip: !process.env.CONVLET_QUIET_MACHINE && 'only on a quiet machine' }, async () => {
    const studio = await withTwoClasses()
    await studio.page.evaluate(() => {
      globalThis.tasks = []
      new PerformanceObserver((list) => globalThis.tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' })
    })
    await studio.train()
    assert.deepEqual(await studio.page.evaluate(() => globalThis.tasks), [])
    await studio.close()
  })
})

describe('keeping', () => {
  test('a project goes out as one zip and comes back whole', async () => {
    const studio = await withTwoClasses({ acceptDownloads: true })
    await set(studio, { epochs: 5 })
    await studio.train()
    const saved = async (button) => {
      const download = studio.page.waitForEvent('download')
      await studio.page.locator(button).click()
      return readFileSync(await (await download).path())
    }
    const zip = await saved('#save-project')
    const model = await saved('#save-model')
    const entries = unzipSync(zip)
    const names = Object.keys(entries)
    assert.equal(names.filter((name) => /^pictures\/red\/\d{5}\.jpg$/.test(name)).length, 12)
    assert.equal(names.filter((name) => name.startsWith('pictures/blue/')).length, 12)
    assert.deepEqual(Buffer.from(entries['model.safetensors']), model)
    await studio.close()

    const other = await open()
    await other.page.locator('#project-file').setInputFiles({ name: 'p.zip', mimeType: 'application/zip', buffer: zip })
    await other.page.getByText('Added 24 pictures.').waitFor()
    assert.deepEqual(await other.classes(), [['red', 12], ['blue', 12]])
    // Its network is ready to answer, and judged on these pictures; a reload keeps it.
    await other.page.locator('#judge-body').waitFor({ state: 'visible' })
    assert.match(await other.page.locator('#judge-headline').textContent(), /^Right on 24 of 24 the pictures here/)
    await other.reload()
    const [blue] = files(1, [20, 40, 180])
    await other.give('drop', blue.name, blue.mimeType, blue.buffer)
    await other.page.waitForFunction(() => document.querySelector('#answer').textContent === 'blue')
    other.assertQuiet()
    await other.close()

    const look = await open()
    await look.page.goto(server.url)
    await look.chooseModel('model.safetensors', model)
    await look.page.waitForFunction(() => document.querySelector('#facts').textContent.includes('red, blue'))
    await look.close()
  })

  test('a zip of plain folders and a folder of folders bring their classes', async () => {
    const [red, blue] = [files(3, [180, 20, 30]), files(2, [20, 40, 180])]
    const entries = Object.fromEntries([
      ...red.map(({ name, buffer }) => [`some/red/${name}`, new Uint8Array(buffer)]),
      ...blue.map(({ name, buffer }) => [`some/blue/${name}`, new Uint8Array(buffer)]),
      ['some/red/notes.txt', new Uint8Array(3)],
    ])
    const studio = await open()
    const zip = { name: 'p.zip', mimeType: 'application/zip', buffer: Buffer.from(zipSync(entries)) }
    await studio.page.locator('#project-file').setInputFiles(zip)
    await studio.page.getByText('Added 5 pictures.').waitFor()
    assert.deepEqual(await studio.classes(), [['red', 3], ['blue', 2]])

    const directory = mkdtempSync(join(tmpdir(), 'convlet-folders-'))
    for (const [path, bytes] of Object.entries(entries)) {
      mkdirSync(dirname(join(directory, path)), { recursive: true })
      writeFileSync(join(directory, path), bytes)
    }
    await studio.page.locator('#folder-file').setInputFiles(join(directory, 'some'))
    await studio.page.getByText('Added 5 pictures. 1 file could not be read as pictures.').waitFor()
    assert.deepEqual(await studio.classes(), [['red', 6], ['blue', 4]])
    rmSync(directory, { recursive: true })
    await studio.close()
  })

  test('a model file dropped, or named in the address, is what is built upon', async () => {
    const studio = await open()
    await studio.page.goto(`${server.url}teach.html?model=models/article.safetensors`)
    await studio.ready()
    await studio.unfold('how')
    assert.match(await studio.page.locator('#base option:checked').textContent(), /From the address: http.*article\.safetensors/)
    const own = readFileSync(join(WWW, 'models/article.safetensors'))
    await studio.give('drop', 'mine.safetensors', 'application/octet-stream', own)
    await studio.page.waitForFunction(() => document.querySelector('#base option:checked').textContent === 'mine.safetensors')
    await studio.rename('Class 1', 'red')
    await studio.rename('Class 2', 'blue')
    await studio.add('red', files(8, [180, 20, 30]))
    await studio.add('blue', files(8, [20, 40, 180]))
    await studio.train()
    const download = studio.page.waitForEvent('download')
    await studio.page.locator('#save-model').click()
    const trained = readFileSync(await (await download).path())
    assert.match(trained.toString('latin1', 8, 4096), /conv2d_1.*dense_1/s)
    await studio.close()
  })

  test('a zip that is none, or holds no pictures, says so', async () => {
    const studio = await open()
    await studio.page.locator('#project-file').setInputFiles({ name: 'p.zip', mimeType: 'application/zip', buffer: Buffer.from('no zip at all') })
    assert.match(await studio.trouble(), /zip cannot be read/)
    await studio.close()
  })

  test('all is deleted, and the page shows that it is', async () => {
    const studio = await withTwoClasses()
    await studio.page.locator('#delete-all').click()
    await studio.page.locator('#delete-yes').click()
    await studio.page.locator('#deleted').waitFor({ state: 'visible' })
    await studio.ready()
    assert.deepEqual(await studio.classes(), [['Class 1', 0], ['Class 2', 0]])
    await studio.close()
  })
})

test('opened, it shows the network from within: gradients while it learns, none once it has', async () => {
  const studio = await withTwoClasses()
  await set(studio, { epochs: 1000 })
  await studio.page.locator('input[name="depth"][value="whole"]').check()
  await studio.unfold('inside')
  await studio.page.locator('#train').click()
  const layer = studio.page.locator('#inside .layer').first()
  await layer.getByText(/gradient \d+(\.\d+)?, moved/).waitFor()
  const moved = () =>
    studio.page.locator('convlet-inspector').evaluate(async ({ inspection }) => (await inspection.learning())[0].moved)
  const first = await moved()
  await studio.page.waitForFunction(
    (first) => document.querySelector('convlet-inspector').inspection.learning().then(([{ moved }]) => moved !== first),
    first,
  )
  await studio.page.locator('#stop').click()
  await studio.trained()
  await layer.getByText(/gradient/).waitFor({ state: 'hidden' })
  assert.equal(await studio.page.locator('convlet-inspector').evaluate(({ inspection }) => inspection.isLearning), false)
  await studio.close()
})
