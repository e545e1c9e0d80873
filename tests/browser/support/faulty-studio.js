import { useMortalWorkers } from './faults.js'
import { png } from './pictures.js'
import { useScenes } from './scenes.js'
import { StudioPage } from './studio-page.js'

/**
 * A studio with a camera of scenes and workers that can be killed.
 *
 * @param {import('playwright-core').Browser} browser
 * @param {{ url: string }} server
 * @param {() => void} [fault] runs before the page's own scripts
 */
export function openStudio(browser, server, fault) {
  return StudioPage.open(browser, server.url, undefined, async (page) => {
    await useScenes(page)
    await useMortalWorkers(page)
    if (fault) await page.addInitScript(fault)
  })
}

/** Pictures of nearly one colour. */
export const files = (count, [red, green, blue]) =>
  Array.from({ length: count }, (_, index) => ({
    name: `${index}.png`,
    mimeType: 'image/png',
    buffer: png(32, 32, (x, y) => [red + index * 5, green, blue + ((x * 5 + y * 3) % 20)]),
  }))

/**
 * Two classes to tell apart; how long a training is to last.
 *
 * @param {StudioPage} studio
 */
export async function fill(studio, epochs = 5, batchSize = 32) {
  await studio.add('Class 1', files(6, [180, 20, 30]))
  await studio.add('Class 2', files(6, [20, 40, 180]))
  await studio.unfold('how')
  for (const [id, value] of Object.entries({ epochs, batchSize })) {
    await studio.page.locator(`#${id}`).fill(String(value))
    await studio.page.locator(`#${id}`).press('Tab')
  }
  return studio
}

/** Waits until a training is under way. */
export const training = (studio) =>
  studio.page.waitForFunction(() => /Epoch \d/.test(document.querySelector('#progress-text').textContent))
