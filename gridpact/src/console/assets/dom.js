// Elements from descriptions, and one tree brought up to date with another so that focus, scrolling and open parts stay.

const SVG = 'http://www.w3.org/2000/svg';

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? '' : String(value));
    }
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) {
      element.append(child);
    }
  }
  return element;
}

export function h(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

export function s(name, attributes, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

// What the reader opened, typed or scrolled is the reader's.
const KEPT = new Set(['open']);

function sync(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !KEPT.has(name)) old.removeAttribute(name);
  }
  for (const { name, value } of [...fresh.attributes]) {
    if (old.getAttribute(name) !== value && !(KEPT.has(name) && old.nodeName === 'DETAILS')) {
      old.setAttribute(name, value);
    }
  }
}

export function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) return;
  sync(old, fresh);
  const children = [...fresh.childNodes];
  children.forEach((child, place) => {
    const there = old.childNodes[place];
    if (there) morph(there, child);
    else old.append(child);
  });
  while (old.childNodes.length > children.length) old.lastChild.remove();
  if (old.nodeName === 'SELECT') {
    const chosen = [...old.options].find((option) => option.hasAttribute('selected'));
    if (chosen && old.value !== chosen.value) old.value = chosen.value;
  }
}

export function show(place, ...children) {
  const fresh = place.cloneNode(false);
  fill(fresh, {}, children);
  morph(place, fresh);
}

// A table with a caption, column heads, and a head for each row.
export function table(caption, heads, rows, attributes) {
  const head = (text) => h('th', { scope: 'col', class: text.numeric ? 'num' : null }, text.text || text);
  const row = (cells) => h('tr', {}, cells.map((cell, place) => place === 0
    ? h('th', { scope: 'row' }, cell)
    : h('td', { class: heads[place].numeric ? 'num' : null, 'data-head': heads[place].text || heads[place] }, cell)));
  return h('div', { class: 'scroll', role: 'region', tabindex: '0', 'aria-label': caption },
    h('table', attributes, h('caption', {}, caption), h('thead', {}, h('tr', {}, heads.map(head))),
      h('tbody', {}, rows.map(row))));
}

export const num = (text) => ({ text, numeric: true });
