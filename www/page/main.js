/** The page: a picture, its answer, and the network that gave it. */
import { Classifier } from '../client/classifier.js'
import { Answer } from './answer.js'
import { Inside } from './inside.js'
import { isModel, takeFiles } from './intake.js'
import { ModelPanel } from './model-panel.js'
import { requestedModel } from './models.js'
import { Notice } from './notice.js'
import './offline.js'
import { Seen } from './seen.js'
import { Stage } from './stage.js'
import { Viewfinder } from './viewfinder.js'

/** @import { Prediction } from '../client/classifier.js' */
/** @import { PictureSource } from '../client/pixels.js' */

const notice = new Notice()
const stage = new Stage()
const answer = new Answer()
const seen = new Seen()
const modelPanel = new ModelPanel((url) => useModel(url))
const inside = new Inside((thrown) => notice.show(thrown))

/** The network in use. A model that fails to load leaves it as it is. @type {Classifier | undefined} */
let classifier
/** The picture to classify: shown, and classified anew when the network changes. @type {PictureSource} */
let picture = stage.still
/** Withdraws what is being classified when another picture comes. */
let looking = new AbortController()
/** Withdraws what is being loaded when another model comes. */
let loading = new AbortController()

/**
 * Classifies `source` and shows the answer.
 *
 * @param {PictureSource} source
 * @param {{ live?: boolean }} [options] `live`: one of many frames
 */
async function look(source, { live = false } = {}) {
  picture = source
  looking.abort()
  const { signal } = (looking = new AbortController())
  // Without a network yet: `useModel` comes back to this picture.
  if (!classifier) return
  const { input, labels } = classifier
  try {
    const examination = await classifier.examine(source, { signal })
    if (signal.aborted) return
    answer.show(examination.predictions, labels, { live, noneOfThese: examination.noneOfThese })
    seen.show(examination, input)
    if (!live) inside.show(classifier, source)
    announce(examination.predictions)
  } catch (thrown) {
    if (!signal.aborted) notice.show(thrown)
  }
}

/**
 * Tells whoever listens, `tests/browser/measure.js` for one, that an answer is shown.
 *
 * @param {Prediction[]} predictions
 */
function announce(predictions) {
  document.dispatchEvent(new CustomEvent('classify', { detail: predictions }))
}

/**
 * @param {string} url
 * @param {string} description
 * @param {PictureSource} [source] the picture's own pixels, where there are any
 */
async function lookAtStill(url, description, source) {
  notice.clear()
  try {
    await stage.showStill(url, description)
  } catch (thrown) {
    return notice.show(thrown)
  }
  viewfinder.stop()
  await look(source ?? stage.still)
}

/**
 * Loads a model and puts it in place of the present one, which stays if that fails.
 *
 * @param {URL | File} source
 */
async function useModel(source) {
  notice.clear()
  loading.abort()
  const { signal } = (loading = new AbortController())
  try {
    const loaded = await Classifier.load(source, {
      // The page says what the native command says, to the last bit.
      deterministic: true,
      signal,
      onProgress: (progress) => modelPanel.showProgress(progress),
    })
    classifier?.dispose()
    classifier = loaded
    modelPanel.show(loaded, source)
    answer.clear(loaded.labels)
    seen.clear(loaded.input)
    await look(picture)
  } catch (thrown) {
    if (!signal.aborted) notice.show(thrown)
  } finally {
    if (!signal.aborted) modelPanel.endProgress()
  }
}

const viewfinder = new Viewfinder(stage, {
  onSnapshot: (frame) => look(frame),
  onFrame: (video) => look(video, { live: true }),
  onError: (thrown) => notice.show(thrown),
})

takeFiles((file) =>
  isModel(file) ? useModel(file) : lookAtStill(URL.createObjectURL(file), file.name || 'The pasted picture', file),
)

for (const sample of document.querySelectorAll('.sample img'))
  if (sample instanceof HTMLImageElement)
    sample.closest('button')?.addEventListener('click', () => lookAtStill(sample.src, sample.alt))

useModel(requestedModel())
