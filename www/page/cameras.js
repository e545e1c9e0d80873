import { Camera } from '../client/camera.js'
import { make } from './dom.js'

/**
 * Offers the cameras there are, where there is a choice.
 *
 * @param {HTMLSelectElement} select
 * @param {Camera | undefined} present the one in use
 */
export async function listCameras(select, present) {
  const options = (await Camera.devices()).map(({ deviceId, label }, place) => {
    const option = make('option', '', label || `Camera ${place + 1}`)
    option.value = deviceId
    return option
  })
  select.replaceChildren(...options)
  select.value = present?.deviceId ?? ''
  select.hidden = options.length < 2
}
