/** Beside the drawing: the chosen node, and the links and ways back that can be opened from it. */

import { post, Problem } from "/explorer/api.js";
import { graphAddress, objectAddress, searchAddress } from "/explorer/addresses.js";
import { el, replace } from "/explorer/dom.js";
import { STEPS } from "/explorer/graph_state.js";
import { count, t } from "/explorer/language.js";
import { pointingAt } from "/explorer/object_links.js";
import { statusMark } from "/explorer/values.js";

export class Panel {
  /** `act`: `{open(node, way, limit), close(node, way), back()}`. */
  constructor(types, graph, act) {
    this.types = types;
    this.graph = graph;
    this.act = act;
    this.counts = new Map();
    this.element = el("section", { class: "panel", id: "chosen", tabindex: -1, "aria-labelledby": "chosen-title", on: { keydown: (event) => this.key(event) } });
  }

  show(node, stages, { focus }) {
    const held = document.activeElement?.closest?.("#chosen") ? document.activeElement.dataset.way : undefined;
    const ways = this.types.ways(node.type);
    replace(
      this.element,
      el("h2", { id: "chosen-title", class: `type-${this.types.colour(node.type)}` }, node.title),
      el("p", {}, el("span", { class: "quiet" }, this.types.label(node.type)), " ", node.missing && statusMark("MISSING")),
      el(
        "p",
        { class: "actions" },
        el("a", { href: objectAddress(node.type, node.id) }, t("open_object")),
        node.key !== this.graph.start.key && el("a", { href: graphAddress(node.type, node.id) }, t("graph_from_here")),
      ),
      ways.length === 0 ? el("p", { class: "absent" }, t("no_ways")) : el("ul", { class: "open" }, ways.map((way) => this.way(node, way, stages))),
    );
    if (focus) (this.element.querySelector("button") ?? this.element.querySelector("a")).focus();
    else if (held !== undefined) this.element.querySelector(`[data-way="${CSS.escape(held)}"]`)?.focus();
  }

  way(node, way, stages) {
    const opening = this.graph.opening(node, way.name);
    const stage = stages.find((one) => one.opening !== null && one.opening.key === node.key && one.opening.way === way.name);
    const open = opening !== null && stage !== undefined;
    const number = el("span", { class: "number" });
    if (way.backwards) this.fill(number, node, way);
    const act = () => (open ? this.act.close(node, way) : this.act.open(node, way, STEPS[0]));
    return el(
      "li",
      {},
      el(
        "button",
        { type: "button", class: `way type-${this.types.colour(way.other)}`, "data-way": way.name, "aria-expanded": open ? "true" : "false", on: { click: act } },
        el("span", { "aria-hidden": "true" }, open ? "−" : "+"),
        " ",
        el("span", {}, way.label),
        el("span", { class: "quiet" }, way.backwards ? " ← " : " → ", this.types.label(way.other)),
        number,
      ),
      stage?.truncated && this.limited(node, way, opening),
    );
  }

  /** Said where not all were drawn, with the way to more. */
  limited(node, way, opening) {
    const next = STEPS.find((step) => step > opening.limit);
    return el(
      "p",
      { class: "limited" },
      t("limited", { count: opening.limit }),
      " ",
      next && el("button", { type: "button", class: "small", "data-way": `${way.name}+`, on: { click: () => this.act.open(node, way, next) } }, t("draw_more", { count: next })),
      " ",
      el("a", { href: searchAddress({ type: way.other, where: pointingAt(this.types, node, way) }) }, t("see_in_search")),
    );
  }

  async fill(number, node, way) {
    const key = `${node.key}:${way.name}`;
    try {
      if (!this.counts.has(key)) {
        const where = pointingAt(this.types, node, way);
        this.counts.set(key, (await post("/v1/search", { type: way.other, where, limit: 1, fields: [] })).total);
      }
      number.textContent = count(this.counts.get(key));
    } catch (error) {
      // Without the count the way can still be opened, and says then what is wrong.
      if (!(error instanceof Problem)) throw error;
    }
  }

  key(event) {
    if (event.key !== "Escape") return;
    event.preventDefault();
    this.act.back();
  }
}
