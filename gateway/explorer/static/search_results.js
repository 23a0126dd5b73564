/** Objects that were found, as a table: title and some properties of one type, or title, type and key of many. */

import { objectAddress } from "/explorer/addresses.js";
import { el } from "/explorer/dom.js";
import { t } from "/explorer/language.js";
import { label } from "/explorer/catalogue.js";
import { isSortable } from "/explorer/operators.js";
import { isNumber, valueElement } from "/explorer/values.js";

const COLUMNS = 7;

export class Results {
  constructor(types, type, state, sortBy) {
    this.types = types;
    this.columns = type === null ? null : columns(type, state);
    this.body = el("tbody", {});
    const title = type?.properties.find((one) => one.name === type.title);
    const head =
      this.columns === null
        ? [el("th", { scope: "col" }, t("title")), el("th", { scope: "col" }, t("type")), el("th", { scope: "col" }, t("key"))]
        : [header(title, state, sortBy), this.columns.map((one) => header(one, state, sortBy))];
    this.element = el(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": t("results") },
      el("table", { class: "results" }, el("thead", {}, el("tr", {}, head)), this.body),
    );
  }

  get size() {
    return this.body.children.length;
  }

  add(objects) {
    this.body.append(...objects.map((one) => this.row(one)));
  }

  /** The link of a row, by its number from 0. */
  link(at) {
    return this.body.children[at]?.querySelector("a");
  }

  row(object) {
    const link = el("a", { href: objectAddress(object.type, object.id) }, object.title || object.id);
    const cells =
      this.columns === null
        ? [
            el("td", {}, el("span", { class: `type type-${this.types.colour(object.type)}` }, this.types.label(object.type))),
            el("td", { class: "id" }, object.id),
          ]
        : this.columns.map((one) =>
            el("td", { class: isNumber(one) ? "right" : null }, object.properties[one.name] === undefined ? el("span", { class: "absent", "aria-label": t("absent") }, "–") : valueElement(object.properties[one.name], one)),
          );
    return el("tr", {}, el("th", { scope: "row" }, link), cells);
  }
}

/** What the question names, then what the definition names first. */
function columns(type, state) {
  const asked = new Set([...state.where.map((one) => one[0]), state.sort?.[0]]);
  const others = type.properties.filter((one) => one.name !== type.title);
  const kept = new Set([...others.filter((one) => asked.has(one.name)), ...others].slice(0, Math.max(COLUMNS, asked.size)));
  return others.filter((one) => kept.has(one));
}

function header(property, state, sortBy) {
  const [by, direction] = state.sort ?? [];
  const sorted = by === property.name;
  const ascending = sorted && direction === "asc";
  return el(
    "th",
    { scope: "col", class: isNumber(property) ? "right" : null, "aria-sort": sorted ? (ascending ? "ascending" : "descending") : null },
    isSortable(property)
      ? el(
          "button",
          { type: "button", class: "sort", title: t("sort_by", { property: label(property) }), on: { click: () => sortBy([property.name, ascending ? "desc" : "asc"]) } },
          label(property),
          el("span", { "aria-hidden": "true" }, sorted ? (ascending ? " ▲" : " ▼") : ""),
        )
      : label(property),
  );
}
