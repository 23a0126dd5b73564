/** The nodes of a drawing as a list, in the order in which they came, each with the links that lead from it. */

import { objectAddress } from "/explorer/addresses.js";
import { el, replace } from "/explorer/dom.js";
import { t } from "/explorer/language.js";
import { label } from "/explorer/catalogue.js";
import { statusMark } from "/explorer/values.js";

export function graphList(element, types, nodes, edges, choose) {
  const titles = new Map(nodes.map((node) => [node.key, node.title]));
  const out = Map.groupBy ? Map.groupBy(edges, (edge) => edge.from) : grouped(edges);
  replace(
    element,
    el("h2", { id: "listed" }, t("listed"), " ", el("span", { class: "number" }, nodes.length)),
    el("ol", {}, nodes.map((node) => item(types, node, out.get(node.key) ?? [], titles, choose))),
  );
}

function item(types, node, edges, titles, choose) {
  return el(
    "li",
    { class: `type-${types.colour(node.type)}` },
    el("a", { href: objectAddress(node.type, node.id) }, node.title),
    " ",
    el("span", { class: "quiet" }, types.label(node.type)),
    node.missing && statusMark("MISSING"),
    " ",
    el("button", { type: "button", class: "small", "aria-label": t("choose_node", { name: node.title }), on: { click: () => choose(node) } }, t("choose")),
    edges.length > 0 && el("ul", {}, edges.map((edge) => el("li", {}, `${label(types.link(node.type, edge.link)) || edge.link} → ${titles.get(edge.to)}`))),
  );
}

function grouped(edges) {
  const groups = new Map();
  for (const edge of edges) groups.set(edge.from, [...(groups.get(edge.from) ?? []), edge]);
  return groups;
}
