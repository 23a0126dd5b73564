/** `/lineage/{type}/{property}` and `/lineage/{type}`: from the columns of files to the fields of the indexes. */

import { get } from "/explorer/api.js";
import { encodePart, lineageAddress } from "/explorer/addresses.js";
import { el, replace, say, skipLink } from "/explorer/dom.js";
import { label } from "/explorer/catalogue.js";
import { t } from "/explorer/language.js";
import { LineageDrawing } from "/explorer/lineage_drawing.js";
import { isRows, related } from "/explorer/lineage_relations.js";
import { edgesTable } from "/explorer/lineage_table.js";
import { nodeName } from "/explorer/lineage_names.js";

export async function lineagePage(main, types, typeName, property) {
  const path = property === null ? encodePart(typeName) : `${encodePart(typeName)}/${encodePart(property)}`;
  const page = new LineagePage(main, types, typeName, property, await get(`/v1/lineage/${path}`));
  addEventListener("popstate", () => page.show());
}

class LineagePage {
  constructor(main, types, typeName, property, document_) {
    Object.assign(this, { main, types, typeName, property, document: document_ });
    const type = types.type(typeName);
    const named = property === null ? label(type) : label(types.property(typeName, property) ?? types.link(typeName, property)) || property;
    document.title = `${t("lineage")}: ${named} · SPICE HARVESTER`;
    this.drawing = new LineageDrawing(t("lineage_of", { name: named }), (node) => this.choose(node));
    this.about = el("section", { class: "panel about", "aria-labelledby": "about-title", tabindex: -1, id: "about" });
    this.table = el("section", { class: "edges", tabindex: -1, "aria-labelledby": "edges" });
    this.rows = el("input", { type: "checkbox", id: "rows", on: { change: () => this.go({ rows: this.rows.checked }) } });
    replace(
      main,
      el(
        "div",
        { class: "lineage" },
        el(
          "div",
          { class: "title" },
          el("h1", {}, t("lineage_of", { name: named }), " ", el("code", { class: "quiet" }, property === null ? typeName : `${typeName}.${property}`)),
          this.others(type),
        ),
        el("p", { class: "quiet" }, t("lineage_help")),
        el(
          "div",
          { class: "legend" },
          el("span", {}, el("span", { class: "sample value", "aria-hidden": "true" }), t("kind_value")),
          el("span", {}, el("span", { class: "sample rows", "aria-hidden": "true" }), t("kind_rows")),
          el("span", {}, this.rows, " ", el("label", { for: "rows" }, t("show_rows"))),
          skipLink(() => this.table, t("skip_drawing")),
        ),
        this.drawing.element,
        this.about,
        this.table,
      ),
    );
    this.show();
  }

  /** The state is in the address: `node` is the chosen column, `rows=no` leaves out what decides about rows. */
  show() {
    const query = new URLSearchParams(location.search);
    const rows = query.get("rows") !== "no";
    if (this.shownRows !== rows) {
      this.shownRows = rows;
      this.rows.checked = rows;
      this.edges = this.document.edges.filter((edge) => rows || edge.kind !== "rows");
      const used = new Set(this.edges.flatMap((edge) => [edge.from, edge.to]));
      this.nodes = this.document.nodes.filter((node) => used.has(node.id) || (!isRows(node) && node.layer === "object"));
      this.drawing.draw(this.nodes, this.edges, this.focused());
    }
    const chosen = this.nodes.find((node) => node.id === query.get("node")) ?? null;
    const reach = chosen === null ? null : related(chosen.id, this.nodes, this.edges);
    this.drawing.choose(chosen, reach);
    this.tell(chosen, reach);
  }

  /** The nodes of the property that was asked for. */
  focused() {
    return this.nodes.filter((node) => node.layer === "object" && this.property !== null && node.column === this.property);
  }

  go({ node, rows = this.shownRows }) {
    const here = new URL(location.href);
    if (node !== undefined) node === null ? here.searchParams.delete("node") : here.searchParams.set("node", node.id);
    rows ? here.searchParams.delete("rows") : here.searchParams.set("rows", "no");
    history.pushState(null, "", here);
    this.show();
  }

  choose(node) {
    this.go({ node: node?.id === new URLSearchParams(location.search).get("node") ? null : node });
  }

  tell(chosen, reach) {
    const shown = (edge) => reach === null || (reach.up.has(edge.from) && reach.up.has(edge.to)) || (reach.down.has(edge.from) && reach.down.has(edge.to));
    const edges = this.edges.filter(shown);
    edgesTable(this.table, this.nodes, edges, reach === null ? null : () => this.choose(chosen));
    this.about.hidden = chosen === null;
    if (chosen === null) return;
    const [up, down] = [reach.up.size - 1, reach.down.size - 1];
    say(t("chosen_reach", { name: nodeName(chosen), up, down }));
    const own = this.ownPage(chosen);
    replace(
      this.about,
      el("h2", { id: "about-title" }, nodeName(chosen), " ", el("code", { class: "quiet" }, chosen.id)),
      el("p", {}, [chosen.title, chosen.type].filter(Boolean).join(" · "), " ", own && el("a", { href: own }, t("lineage_open"))),
      el("p", { class: "quiet" }, t("reach", { up, down })),
      el("div", { class: "both" }, this.side(t("comes_from"), this.edges.filter((edge) => edge.to === chosen.id), "from"), this.side(t("leads_to"), this.edges.filter((edge) => edge.from === chosen.id), "to")),
    );
  }

  side(heading, edges, end) {
    const node = (edge) => this.nodes.find((one) => one.id === edge[end]);
    return el(
      "div",
      {},
      el("h3", {}, heading),
      edges.length === 0 ? el("p", { class: "absent" }, t("none")) : el("ul", {}, edges.map((edge) => el("li", {}, el("button", { type: "button", class: "plain", on: { click: () => this.go({ node: node(edge) }) } }, el("code", {}, edge[end])), " ", el("span", { class: "quiet" }, edge.by)))),
    );
  }

  /** The page of the property that a node is, if it is one of another than is shown. */
  ownPage(node) {
    const name = node.column.split(".").at(-1);
    const type = this.types.types.find((one) => (node.object_type ? one.name === node.object_type : node.layer === "object" && node.table.split("/")[1] === snake(one.name)));
    if (type === undefined || !type.properties.some((one) => one.name === name)) return null;
    return type.name === this.typeName && name === this.property ? null : lineageAddress(type.name, name);
  }

  others(type) {
    if (type === null) return null;
    const named = [...type.properties, ...type.links];
    const select = el(
      "select",
      { id: "other", on: { change: () => location.assign(lineageAddress(type.name, select.value || undefined)) } },
      el("option", { value: "", selected: this.property === null }, t("all_properties")),
      named.map((one) => el("option", { value: one.name, selected: one.name === this.property }, label(one))),
    );
    return el("p", { class: "row" }, el("label", { for: "other" }, `${label(type)}:`), select);
  }
}

/** As in the names of assets: OrderLine -> order_line. */
function snake(name) {
  return name.replace(/[A-Z]/g, (sign) => `_${sign.toLowerCase()}`).replace(/^_/, "");
}
