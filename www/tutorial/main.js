/** The tutorial: its elements, and the addresses that only the build knows. */
import '../elements/convlet-classifier.js'
import '../page/offline.js'

/** The models that come with this build. @type {{ [path: string]: string }} */
// @ts-ignore: Vite's own
const models = import.meta.glob('../models/*.safetensors', { query: '?url', import: 'default', eager: true })

document.querySelector('#models')?.setAttribute('src', Object.values(models).join(' '))
document.querySelector('#first')?.setAttribute('picture', new URL('../page/samples/cat.svg', import.meta.url).href)

// The rest, below the fold, one after the other: what an element draws at first is a task of its own, between which the page answers.
for (const load of [
  () => import('../elements/convlet-network.js'),
  () => import('../elements/convlet-parameters.js'),
  () => import('../elements/convlet-convolution.js'),
  () => import('../elements/convlet-pooling.js'),
  () => import('../elements/convlet-descent.js'),
  () => import('../elements/convlet-summary.js'),
  () => import('../elements/convlet-history.js'),
  () => import('../elements/convlet-confusion.js'),
  () => import('../elements/convlet-training.js'),
  () => import('../elements/convlet-comparison.js'),
])
  await load()
