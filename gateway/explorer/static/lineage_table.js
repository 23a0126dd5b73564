/** The edges of a lineage in words: from which column, by what, to which. */

import { el, replace } from "/explorer/dom.js";
import { t } from "/explorer/language.js";
import { LAYERS } from "/explorer/layered_layout.js";

/** `all`: what the button does that shows every edge again; null where every edge is shown. */
export function edgesTable(element, nodes, edges, all) {
  const layer = new Map(nodes.map((node) => [node.id, LAYERS.indexOf(node.layer)]));
  const sorted = edges.toSorted((a, b) => layer.get(a.to) - layer.get(b.to));
  replace(
    element,
    el("h2", { id: "edges" }, t("edges"), " ", el("span", { class: "number" }, edges.length)),
    all && el("p", {}, el("button", { type: "button", on: { click: all } }, t("all_edges"))),
    el(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": t("edges") },
      el(
        "table",
        {},
        el("thead", {}, el("tr", {}, ["from", "by", "to", "decides"].map((one) => el("th", { scope: "col" }, t(one))))),
        el(
          "tbody",
          {},
          sorted.map((edge) =>
            el("tr", {}, el("th", { scope: "row" }, el("code", {}, edge.from)), el("td", {}, edge.by), el("td", {}, el("code", {}, edge.to)), el("td", { class: "quiet" }, t(edge.kind === "rows" ? "kind_rows" : "kind_value"))),
          ),
        ),
      ),
    ),
  );
}
