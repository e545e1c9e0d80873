/** How long the shipped networks take for a picture at batch 1, in turns: node measure-models.js */
import { launch, newPage } from './support/browser.js'
import { serveClient } from './support/client-page.js'

const MODELS = ['article', 'pets']
const ROUNDS = 300

const browser = await launch()
const server = await serveClient()
const { page } = await newPage(browser)
for (const deterministic of [true, false]) {
  await page.goto(`${server.url}blank.html`)
  const times = await page.evaluate(
    async ({ models, rounds, deterministic }) => {
      const { Classifier } = await import('./client/convlet.js')
      const load = (name) => Classifier.load(`models/${name}.safetensors`, { deterministic })
      const classifiers = await Promise.all(models.map(load))
      // As large as the input: resizing takes next to nothing.
      const picture = new ImageData(64, 64)
      picture.data.forEach((_, i, data) => (data[i] = (i * 37) % 256))
      const times = models.map(() => [])
      for (let round = 0; round < rounds; round++)
        for (const [i, classifier] of classifiers.entries())
          times[i].push((await classifier.examine(picture)).milliseconds.network)
      return times
    },
    { models: MODELS, rounds: ROUNDS, deterministic },
  )
  const medians = times.map((own) => own.sort((a, b) => a - b)[own.length >> 1])
  const ratio = (medians[1] / medians[0]).toFixed(2)
  console.log(`${deterministic ? 'strict' : 'relaxed'}: ${MODELS.map((name, i) => `${name} ${medians[i].toFixed(2)} ms`).join(', ')}, ratio ${ratio}`)
}
await browser.close()
await server.close()
