/**
 * The few things that every view does to the page. Data enters it as text nodes and attribute
 * values only, never as markup.
 */

/** Finds what the page must have. */
export function find(selector, within = document) {
  const element = within.querySelector(selector);
  if (!element) throw new Error(`the page has no ${selector}`);
  return element;
}

/** Makes an element: `class` and other attributes from `attributes`, then children, strings as text. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Sets text, touching the page only for a change. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Runs `draw` once in the next frame, however often it was asked for. A hidden page draws nothing. */
export function oncePerFrame(draw) {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      draw();
    });
  };
}

/**
 * A list whose elements stay with their items: `create(item)` makes an element for a new key,
 * `update(element, item)` fills it, elements without an item go, the others move only if they must.
 */
export class KeyedList {
  #parent;
  #keyOf;
  #create;
  #update;
  #elements = new Map();

  constructor(parent, { keyOf, create, update }) {
    this.#parent = parent;
    this.#keyOf = keyOf;
    this.#create = create;
    this.#update = update;
  }

  get(key) {
    return this.#elements.get(key);
  }

  /** Fills the element of one item, if it has one, and returns it. */
  refresh(item) {
    const element = this.#elements.get(this.#keyOf(item));
    if (element) this.#update(element, item);
    return element;
  }

  render(items) {
    const kept = new Map();
    for (const item of items) {
      const key = this.#keyOf(item);
      const element = this.#elements.get(key) ?? this.#create(item);
      this.#update(element, item);
      kept.set(key, element);
    }
    for (const [key, element] of this.#elements) if (!kept.has(key)) element.remove();
    let next = this.#parent.firstChild;
    for (const element of kept.values()) {
      if (element === next) next = next.nextSibling;
      else this.#parent.insertBefore(element, next);
    }
    this.#elements = kept;
  }
}

const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** Lights up what has changed, for a moment. */
export function flash(element) {
  if (calm.matches) return;
  element.animate([{ offset: 0, backgroundColor: "var(--flash)" }], { duration: 1600, easing: "ease-out" });
}
