/** Elements. Texts only ever become text nodes: values in the data may hold markup, and must show as they are. */

const SVG = "http://www.w3.org/2000/svg";

/** `attributes`: `on` holds listeners, `true` is a bare attribute, null and false leave one out. Children may nest. */
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

export function replace(parent, ...children) {
  parent.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
}

/** Tell those who don't see the page what just changed. */
export function say(text) {
  document.getElementById("said").textContent = text;
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

/** A link over something long. It moves the focus and leaves the address alone, whose changes are steps of the page. */
export function skipLink(target, text) {
  const go = (event) => {
    event.preventDefault();
    target().focus();
  };
  return el("a", { class: "skip inside", href: "#main", on: { click: go } }, text);
}
