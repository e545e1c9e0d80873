/** The worker of who only classifies: a message port in front of the service that owns the wasm. */
import * as engine from '../pkg/classifier.js'
import { Desk } from './desk.js'

new Desk(engine).serve()
