/** The drawing of a lineage: columns by layer, curves from left to right, and on each card what its column is made by. */

import { arrowHeads, card } from "/explorer/cards.js";
import { replace, svg } from "/explorer/dom.js";
import { t } from "/explorer/language.js";
import { HEIGHT, layered } from "/explorer/layered_layout.js";
import { nodeName, tableName } from "/explorer/lineage_names.js";
import { isRows } from "/explorer/lineage_relations.js";
import { neighbour, Viewport } from "/explorer/viewport.js";

const WITH_CHIP = 64;
const HEAD = 64;
/** What is written like code, or decides about rows by a column, is worth a place in the drawing; the table has all. */
const CODE = /[()'"=<>+*\/]|\bwhere\b/;

export class LineageDrawing {
  constructor(name, choose) {
    this.choose_ = choose;
    this.view = new Viewport(name, { least: 0.62, wheelNeedsKey: true });
    this.element = this.view.element;
    this.element.classList.add("wide");
    this.view.svg.addEventListener("keydown", (event) => this.key(event));
  }

  draw(nodes, edges, focused) {
    const chips = chipsOf(nodes, edges);
    const placed = nodes.map((node) => ({ ...node, chip: chips.get(node.id) ?? null, height: chips.has(node.id) ? WITH_CHIP : HEIGHT }));
    this.nodes = new Map(placed.map((node) => [node.id, node]));
    this.layout = layered(placed, edges);
    this.cards = new Map(placed.map((node) => [node.id, this.card(node, focused.some((one) => one.id === node.id))]));
    this.lines = edges.map((edge) => ({ edge, line: curve(edge, this.nodes) }));
    replace(
      this.view.world,
      arrowHeads("value", "rows"),
      svg("g", { "aria-hidden": "true" }, heads(this.layout)),
      svg("g", { "aria-hidden": "true" }, this.layout.tables.map((table) => tableBox(table, this.layout.width))),
      svg("g", { "aria-hidden": "true" }, this.lines.map((one) => one.line)),
      svg("g", { "aria-hidden": "true" }, this.layout.tables.map((table) => tableTitle(table, this.layout.width))),
      [...this.cards.values()],
    );
    this.fit();
  }

  fit() {
    const { columns, width } = this.layout;
    const bounds = { left: -width / 2 - 8, right: columns.at(-1).x + width / 2 + 8, top: -HEAD, bottom: this.layout.bottom + 10 };
    const scale = Math.max(this.view.least, Math.min(1.15, this.view.svg.clientWidth / (bounds.right - bounds.left + 48)));
    this.view.svg.style.height = `${Math.round(Math.max(260, (bounds.bottom - bounds.top + 48) * scale))}px`;
    this.view.fit(bounds);
  }

  /** Dim all but what is behind and ahead of the chosen node; null: show all alike. */
  choose(node, reach) {
    const within = (edge) => reach === null || (reach.up.has(edge.from) && reach.up.has(edge.to)) || (reach.down.has(edge.from) && reach.down.has(edge.to));
    for (const [id, element] of this.cards) {
      element.classList.toggle("dim", reach !== null && !reach.up.has(id) && !reach.down.has(id));
      element.classList.toggle("chosen", id === node?.id);
      element.setAttribute("aria-pressed", id === node?.id ? "true" : "false");
    }
    for (const { edge, line } of this.lines) {
      line.classList.toggle("dim", !within(edge));
      line.classList.toggle("touching", reach !== null && within(edge));
    }
  }

  card(node, focused) {
    const full = `${nodeName(node)}, ${node.table}${node.type ? `, ${node.type}` : ""}, ${t(`layer_${node.layer}`)}${node.chip ? `, ${t("by")}: ${node.chip.text}` : ""}`;
    const element = card({
      id: node.id,
      title: nodeName(node),
      under: node.type || t("all_columns"),
      width: node.width,
      height: node.height,
      chip: node.chip,
      name: full,
      classes: `layer-${node.layer}${isRows(node) ? " rows" : ""}${focused ? " start" : ""}`,
      on: { click: () => this.choose_(node), focus: () => this.view.reveal(node) },
    });
    element.setAttribute("transform", `translate(${node.x} ${node.y})`);
    return element;
  }

  key(event) {
    if (this.view.key(event)) {
      event.preventDefault();
      return;
    }
    const at = [...this.cards].find(([, element]) => element === document.activeElement);
    if (at === undefined) return;
    const node = this.nodes.get(at[0]);
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.choose_(node);
    } else if (event.key.startsWith("Arrow")) {
      event.preventDefault();
      const next = neighbour([...this.nodes.values()], node, event.key);
      if (next !== null) this.cards.get(next.id).focus();
    }
  }
}

/** By what each column is made, where that says more than that it is taken as it is: `{text, kind}` by the node's id. */
function chipsOf(nodes, edges) {
  const rows = new Set(nodes.filter(isRows).map((node) => node.id));
  const groups = new Map();
  for (const edge of edges) {
    const told = CODE.test(edge.by) || (edge.kind === "rows" && !rows.has(edge.from));
    if (told) groups.set(edge.to, [...(groups.get(edge.to) ?? []), edge]);
  }
  return new Map(
    [...groups].map(([to, group]) => [
      to,
      { text: [...new Set(group.map((edge) => edge.by))].join("; "), kind: group.every((edge) => edge.kind === "rows") ? "rows" : "value" },
    ]),
  );
}

function curve(edge, nodes) {
  const [from, to] = [nodes.get(edge.from), nodes.get(edge.to)];
  const [x, end] = [from.x + from.width / 2, to.x - to.width / 2 - 1];
  const bend = Math.max(18, Math.min(60, (end - x) / 2));
  const same = from.rank === to.rank;
  const d = same ? `M${x} ${from.y}C${x + 30} ${from.y} ${x + 30} ${to.y} ${x + 1} ${to.y}` : `M${x} ${from.y}C${x + bend} ${from.y} ${end - bend} ${to.y} ${end} ${to.y}`;
  return svg("path", { class: `link ${edge.kind}`, d, "data-from": edge.from, "data-to": edge.to, "marker-end": `url(#head-${edge.kind})` }, svg("title", {}, `${edge.from} → ${edge.to}\n${edge.by}`));
}

function heads({ columns, width }) {
  const first = columns.filter((column, at) => column.layer !== columns[at - 1]?.layer);
  return first.map((column) => svg("text", { class: "layer", x: column.x - width / 2, y: -HEAD + 16 }, t(`layer_${column.layer ?? "other"}`)));
}

function tableBox(table, width) {
  return svg("rect", { class: "table", x: table.x - width / 2 - 6, y: table.top - 24, width: width + 12, height: table.bottom - table.top + 30, rx: 8 });
}

// Over the lines, which pass through.
function tableTitle(table, width) {
  return svg("text", { class: "table", x: table.x - width / 2 + 1, y: table.top - 9 }, svg("title", {}, table.name), tableName(table.name, width));
}
