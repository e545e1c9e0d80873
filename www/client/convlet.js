/** Convlet for a page: everything a program needs to classify pictures in the visitor's own browser. */
export { setWasm } from './build.js'
export { Camera } from './camera.js'
export { Classifier } from './classifier.js'
export { ConvletError } from './errors.js'
export { Trainer } from './trainer.js'
