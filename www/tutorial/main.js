/** The tutorial: its elements, and the addresses that only the build knows. */
import '../elements/convlet-classifier.js'
import '../elements/convlet-comparison.js'
import '../elements/convlet-confusion.js'
import '../elements/convlet-convolution.js'
import '../elements/convlet-descent.js'
import '../elements/convlet-history.js'
import '../elements/convlet-network.js'
import '../elements/convlet-parameters.js'
import '../elements/convlet-pooling.js'
import '../elements/convlet-summary.js'
import '../elements/convlet-training.js'
import '../page/offline.js'

/** The models that come with this build. @type {{ [path: string]: string }} */
// @ts-ignore: Vite's own
const models = import.meta.glob('../models/*.safetensors', { query: '?url', import: 'default', eager: true })

document.querySelector('#models')?.setAttribute('src', Object.values(models).join(' '))
document.querySelector('#first')?.setAttribute('picture', new URL('../page/samples/cat.svg', import.meta.url).href)
