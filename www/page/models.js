/**
 * The networks that this site ships: another one is a file beside these and an entry here.
 *
 * @typedef {{ id: string, name: string, about: string, url: URL }} ShippedModel
 */

/** @type {ShippedModel[]} The first is what the pages begin with. */
export const MODELS = [
  {
    id: 'pets',
    name: 'Cat or dog',
    about: 'A small residual network, trained on 20,000 pictures of cats and dogs',
    url: new URL('../models/pets.safetensors', import.meta.url),
  },
  {
    id: 'article',
    name: 'Cat or dog, the article’s network',
    about: 'Two convolutions and two dense layers, trained on the same pictures',
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
