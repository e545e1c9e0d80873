/**
 * The networks that this site ships: another one is a file beside these and an entry here.
 *
 * @typedef {{ id: string, name: string, about: string, url: URL }} ShippedModel
 */

/** @type {ShippedModel[]} The first is what the pages begin with. */
export const MODELS = [
  {
    id: 'article',
    name: 'Cat or dog',
    about: 'The article’s network, trained on 20,000 pictures of cats and dogs',
    url: new URL('../models/article.safetensors', import.meta.url),
  },
]

/**
 * The model that the page's address asks for (`?model=`, relative to the page), else the first that is shipped.
 */
export function requestedModel() {
  const wished = new URLSearchParams(location.search).get('model')
  return wished ? new URL(wished, location.href) : MODELS[0].url
}
