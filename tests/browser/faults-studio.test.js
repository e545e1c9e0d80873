/** Workers that are killed and tabs that are left, frozen or replaced, in the studio: the training goes on. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { launch } from './support/browser.js'
import { servePage } from './support/convlet-page.js'
import { files, fill, openStudio, training } from './support/faulty-studio.js'
import { StudioPage } from './support/studio-page.js'

let browser, server

before(async () => {
  browser = await launch()
  server = await servePage()
})

after(async () => {
  await browser?.close()
  await server?.close()
})

describe('a worker that is killed', () => {
  test('at any point of a training: another goes on, to the end', async () => {
    const studio = await fill(await openStudio(browser, server))
    for (const operation of ['openTrainer', 'addPicture', 'begin', 'advance', 'evaluate', 'save', 'open']) {
      await studio.page.evaluate((operation) => ((killed.length = 0), killAt(operation)), operation)
      await studio.train()
      assert.deepEqual(await studio.page.evaluate(() => killed), [operation])
    }
    await studio.close()
  })

  test('again and again: said, and the training goes on after a reload', async () => {
    const studio = await fill(await openStudio(browser, server), 20)
    await studio.page.evaluate(() => killAt('advance', 100))
    await studio.page.locator('#train').click()
    await studio.page.locator('#notice').waitFor({ timeout: 90_000 })
    assert.match(await studio.trouble(), /again and again/)
    assert.ok(await studio.page.locator('#train').isVisible())
    await studio.reload()
    await studio.trained()
    await studio.close()
  })
})

describe('a tab', () => {
  test('whose project another takes over stops its training, and writes nothing any more', async () => {
    const first = await openStudio(browser, server, () => {
      globalThis.writes = 0
      const { put } = IDBObjectStore.prototype
      IDBObjectStore.prototype.put = function (...given) {
        globalThis.writes++
        return put.apply(this, given)
      }
    })
    await fill(first, 1000, 1)
    await first.page.locator('#train').click()
    await training(first)
    const second = new StudioPage({ page: await first.context.newPage(), context: first.context })
    await second.page.goto(`${server.url}teach.html`)
    await second.page.locator('#take-over').click()
    await first.page.locator('#elsewhere').waitFor({ state: 'visible' })
    const writes = await first.page.evaluate(() => globalThis.writes)
    await training(second)
    await second.page.locator('#stop').click()
    await second.trained()
    assert.equal(await first.page.evaluate(() => globalThis.writes), writes)
    assert.equal(await first.page.locator('#progress').isVisible(), false)
    await first.close()
  })

  test('that is frozen goes on where it was', async () => {
    const studio = await fill(await openStudio(browser, server), 200)
    const devtools = await studio.context.newCDPSession(studio.page)
    await studio.page.locator('#train').click()
    await training(studio)
    await devtools.send('Page.setWebLifecycleState', { state: 'frozen' })
    await new Promise((resolve) => setTimeout(resolve, 1500))
    await devtools.send('Page.setWebLifecycleState', { state: 'active' })
    await studio.trained()
    studio.assertQuiet()
    await studio.close()
  })

  test('that is left and come back to goes on with its training', async () => {
    const studio = await fill(await openStudio(browser, server), 1000, 1)
    await studio.page.locator('#train').click()
    await training(studio)
    await studio.page.goto(server.url)
    await studio.page.goBack()
    await studio.ready()
    await training(studio)
    await studio.page.locator('#stop').click()
    await studio.trained()
    await studio.close()
  })

  test('whose clock is set back trains and keeps as ever', async () => {
    const studio = await fill(
      await openStudio(browser, server, () => {
        const { now } = Date
        globalThis.behind = 0
        Date.now = () => now() - globalThis.behind
      }),
      100,
    )
    await studio.page.locator('#train').click()
    await training(studio)
    await studio.page.evaluate(() => (globalThis.behind = 86_400_000))
    await studio.trained()
    await studio.reload()
    await studio.page.locator('#judge-body').waitFor()
    await studio.close()
  })

  test('whose camera is unplugged says so, and files go on', async () => {
    const studio = await openStudio(browser, server)
    await studio.page.locator('#camera').click()
    await studio.page.locator('#badge').waitFor()
    await studio.page.locator('#video').evaluate((video) => video.srcObject.getTracks()[0].dispatchEvent(new Event('ended')))
    assert.match(await studio.trouble(), /camera went away/)
    await studio.add('Class 1', files(1, [180, 20, 30]))
    await studio.close()
  })
})
