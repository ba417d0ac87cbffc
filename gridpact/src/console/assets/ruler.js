// How wide texts of the diagram are in the reader's own font and size, so that each is given the room it takes.

import { s } from './dom.js';

let ruler = null;

// Lengths in pixels of texts that are drawn in the diagram with this class.
export function widths(style, texts) {
  if (!ruler) {
    ruler = s('svg', { class: 'diagram ruler', 'aria-hidden': 'true' });
    document.body.append(ruler);
  }
  const drawn = texts.map((text) => s('text', { class: style }, text));
  ruler.replaceChildren(...drawn);
  const found = drawn.map((text) => text.getComputedTextLength());
  ruler.replaceChildren();
  return found;
}

export function widest(style, texts) {
  return Math.ceil(Math.max(0, ...widths(style, texts)));
}
