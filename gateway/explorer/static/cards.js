/** Cards and lines of a drawing (SVG). Widths are reckoned from the text, so that places don't depend on fonts. */

import { svg } from "/explorer/dom.js";

export const CARD_HEIGHT = 42;
const SIGN = 7.9;

/** About how wide a text is at 13 px, half bold; Korean, Japanese and Chinese signs are nearly twice as wide as others. */
export function textWidth(text) {
  let width = 0;
  for (const sign of text) width += sign.codePointAt(0) >= 0x1100 ? SIGN * 1.75 : SIGN;
  return width;
}

export function shortened(text, most) {
  if (textWidth(text) <= most) return text;
  let kept = "";
  for (const sign of text) {
    if (textWidth(kept + sign) > most - SIGN) break;
    kept += sign;
  }
  return `${kept.trimEnd()}…`;
}

/** A card, its middle at 0, 0: two lines of text, and a stripe in its type's colour. `on`: listeners; `chip`: what the
 *  thing is made by, `{text, kind}`, on a line of its own.
 */
export function card({ title, under, width, height = CARD_HEIGHT, name, classes, on, id = null, chip = null }) {
  const [left, top] = [-width / 2, -height / 2];
  return svg(
    "g",
    { class: `card ${classes}`, tabindex: 0, role: "button", "aria-label": name, "data-id": id, on },
    svg("title", {}, name),
    svg("rect", { class: "halo", x: left - 4, y: top - 4, width: width + 8, height: height + 8, rx: 9 }),
    svg("rect", { class: "face", x: left, y: top, width, height, rx: 6 }),
    svg("path", { class: "stripe", d: `M${left + 6} ${top}h-0a6 6 0 0 0 -6 6v${height - 12}a6 6 0 0 0 6 6z` }),
    svg("text", { class: "name", x: left + 14, y: top + 18 }, shortened(title, width - 20)),
    svg("text", { class: "under", x: left + 14, y: top + 34 }, shortened(under, (width - 22) * 1.22)),
    chip && svg("rect", { class: `chip ${chip.kind}`, x: left + 11, y: top + 41, width: width - 17, height: 17, rx: 5 }),
    chip && svg("text", { class: "by", x: left + 16, y: top + 53 }, shortened(chip.text, (width - 28) * 1.24)),
  );
}

export function arrowHeads(...names) {
  const head = (name) =>
    svg("marker", { id: `head-${name}`, class: `tip ${name}`, viewBox: "0 0 8 8", refX: 7.5, refY: 4, markerWidth: 9, markerHeight: 9, markerUnits: "userSpaceOnUse", orient: "auto-start-reverse" }, svg("path", { d: "M0 0.5 8 4 0 7.5z" }));
  return svg("defs", {}, names.map(head));
}

/** Where the line from the middle of a card towards a point leaves the card. */
export function border(card, towards, space = 3) {
  const [dx, dy] = [towards.x - card.x, towards.y - card.y];
  if (dx === 0 && dy === 0) return { x: card.x, y: card.y };
  const scale = Math.min((card.width / 2 + space) / Math.abs(dx || 1e-9), (card.height / 2 + space) / Math.abs(dy || 1e-9));
  return { x: card.x + dx * scale, y: card.y + dy * scale };
}
