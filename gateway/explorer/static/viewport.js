/** The window on a drawing: zoom by wheel, buttons and keys, pan by dragging; all of it also without a mouse. */

import { el, svg } from "/explorer/dom.js";
import { t } from "/explorer/language.js";

const [LEAST, MOST] = [0.2, 2.5];
const PADDING = 24;

export class Viewport {
  /** `name`: what the drawing is called; `least`: no smaller than this when all is fitted in; `wheelNeedsKey`: the wheel
   *  alone scrolls the page, with Ctrl it zooms.
   */
  constructor(name, { least = LEAST, wheelNeedsKey = false } = {}) {
    this.least = least;
    this.wheelNeedsKey = wheelNeedsKey;
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    this.world = svg("g", {});
    this.svg = svg("svg", { class: "drawing", role: "group", "aria-label": name, on: this.listeners() }, this.world);
    const button = (text, label, act) => el("button", { type: "button", "aria-label": label, title: label, on: { click: act } }, text);
    this.element = el(
      "div",
      { class: "viewport" },
      this.svg,
      el(
        "div",
        { class: "zoom", role: "group", "aria-label": t("zoom") },
        button("+", t("zoom_in"), () => this.zoom(1.25)),
        button("−", t("zoom_out"), () => this.zoom(0.8)),
        button("⤢", t("zoom_fit"), () => this.fit(this.bounds)),
      ),
    );
  }

  /** Show all of `{left, top, right, bottom}`; what does not fit at the least scale begins at its left, or at `focus`. */
  fit(bounds, focus = null) {
    this.bounds = bounds;
    const { clientWidth: width, clientHeight: height } = this.svg;
    const [wide, high] = [bounds.right - bounds.left + 2 * PADDING, bounds.bottom - bounds.top + 2 * PADDING];
    this.scale = Math.max(this.least, Math.min(1.15, width / wide, height / high));
    this.x = this.begin(width, wide, bounds.left, focus?.x);
    this.y = this.begin(height, high, bounds.top, focus?.y);
    this.apply();
  }

  /** Bring a point into sight if it is not. */
  reveal(point, margin = 90) {
    const { clientWidth: width, clientHeight: height } = this.svg;
    const [x, y] = [point.x * this.scale + this.x, point.y * this.scale + this.y];
    if (x < margin) this.x += margin - x;
    else if (x > width - margin) this.x -= x - width + margin;
    if (y < margin / 2) this.y += margin / 2 - y;
    else if (y > height - margin / 2) this.y -= y - height + margin / 2;
    this.apply();
  }

  zoom(factor, around = { x: this.svg.clientWidth / 2, y: this.svg.clientHeight / 2 }) {
    const scale = Math.max(LEAST, Math.min(MOST, this.scale * factor));
    this.x = around.x - ((around.x - this.x) * scale) / this.scale;
    this.y = around.y - ((around.y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.apply();
  }

  /** `+`, `-` and `0`; true if the key was one of these. */
  key(event) {
    const act = { "+": () => this.zoom(1.25), "=": () => this.zoom(1.25), "-": () => this.zoom(0.8), 0: () => this.fit(this.bounds) }[event.key];
    if (act === undefined || event.ctrlKey || event.metaKey) return false;
    act();
    return true;
  }

  begin(room, needed, from, focus) {
    const whole = needed * this.scale;
    if (whole <= room) return (room - whole) / 2 - (from - PADDING) * this.scale;
    const start = -(from - PADDING) * this.scale;
    if (focus === undefined) return start;
    return Math.min(start, Math.max(start - (whole - room), room / 2 - focus * this.scale));
  }

  apply() {
    this.world.setAttribute("transform", `translate(${this.x.toFixed(2)} ${this.y.toFixed(2)}) scale(${this.scale.toFixed(4)})`);
  }

  listeners() {
    let held = null;
    return {
      wheel: (event) => {
        if (this.wheelNeedsKey && !event.ctrlKey && !event.metaKey) return;
        event.preventDefault();
        const box = this.svg.getBoundingClientRect();
        this.zoom(Math.exp(-event.deltaY / 500), { x: event.clientX - box.left, y: event.clientY - box.top });
      },
      pointerdown: (event) => {
        if (event.button === 0 && event.target.closest("g.card") === null) held = { x: event.clientX - this.x, y: event.clientY - this.y };
        if (held !== null) this.svg.setPointerCapture(event.pointerId);
      },
      pointermove: (event) => {
        if (held === null) return;
        this.x = event.clientX - held.x;
        this.y = event.clientY - held.y;
        this.apply();
      },
      pointerup: () => (held = null),
      pointercancel: () => (held = null),
    };
  }
}

/** The nearest of some places in the direction of an arrow key, or null. */
export function neighbour(places, from, key) {
  const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
  let best = null;
  let least = Infinity;
  for (const place of places) {
    const [x, y] = [place.x - from.x, place.y - from.y];
    const along = x * dx + y * dy;
    const aside = Math.abs(x * dy) + Math.abs(y * dx);
    const far = along + aside * 2.2;
    if (place !== from && along > 1 && far < least) [best, least] = [place, far];
  }
  return best;
}
