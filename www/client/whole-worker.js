/** The worker of the whole engine: it trains and explains as well. */
import * as engine from '../pkg/convlet.js'
import { Desk } from './desk.js'
import { Tutor } from './tutor.js'

new Desk(engine, (service) => new Tutor(service)).serve()
