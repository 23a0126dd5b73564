/** The rows of conditions (property, operator, value) and the order, for the type that is chosen. */

import { el, replace } from "/explorer/dom.js";
import { t } from "/explorer/language.js";
import { label } from "/explorer/catalogue.js";
import { isSortable, operators, valueField } from "/explorer/operators.js";

const SIGNS = { "!=": "≠", "<=": "≤", ">=": "≥" };

export class Filters {
  constructor(types, changed) {
    this.types = types;
    this.changed = changed;
    this.rows = [];
    this.list = el("ul", { class: "conditions" });
    this.add = el("button", { type: "button", on: { click: () => this.addRow().property.focus() } }, t("add_filter"));
    this.order = el("select", { id: "order", on: { change: changed } });
    this.element = el(
      "fieldset",
      { class: "filters", hidden: true },
      el("legend", {}, t("filters")),
      this.list,
      el("div", { class: "row" }, this.add, el("label", { for: "order" }, t("sort")), this.order),
    );
  }

  /** `{where, sort}` as the rows stand. */
  read() {
    const where = this.rows.map((row) => [row.property.value, row.operator.value, row.field.read()]);
    const sort = this.order.value ? this.order.value.split(":") : null;
    return { where, sort };
  }

  show(type, state) {
    this.type = type;
    this.element.hidden = type === null;
    this.rows = [];
    replace(this.list);
    if (type === null) return;
    for (const condition of state.where) this.addRow(condition);
    const options = type.properties.filter(isSortable).flatMap((one) => [
      el("option", { value: `${one.name}:asc` }, `${label(one)} ${t("ascending")}`),
      el("option", { value: `${one.name}:desc` }, `${label(one)} ${t("descending")}`),
    ]);
    replace(this.order, el("option", { value: "" }, t("oldest_first")), options);
    this.order.value = state.sort === null ? "" : state.sort.join(":");
    if (this.order.selectedIndex < 0) this.order.value = "";
  }

  /** Mark the row that a refusal is about: `where[1][2]`. */
  point(where) {
    const match = /^where\[(\d+)\]/.exec(where);
    this.rows.forEach((row, at) => row.element.classList.toggle("wrong", match !== null && Number(match[1]) === at));
  }

  addRow(condition = null) {
    const row = { property: null, operator: null, field: null, element: el("li", {}) };
    const number = this.rows.length + 1;
    const chosen = this.type.properties.some((one) => one.name === condition?.[0]) ? condition[0] : this.type.properties[0].name;
    row.property = el(
      "select",
      { "aria-label": t("filter_property", { number }), on: { change: () => this.draw(row, number, null) } },
      this.type.properties.map((one) => el("option", { value: one.name }, label(one))),
    );
    row.property.value = chosen;
    this.rows.push(row);
    this.list.append(row.element);
    this.draw(row, number, condition);
    return row;
  }

  draw(row, number, condition) {
    const property = this.type.properties.find((one) => one.name === row.property.value);
    const known = operators(property);
    row.operator = el(
      "select",
      { "aria-label": t("filter_operator", { number }), on: { change: () => this.drawValue(row, property, number, null) } },
      known.map((one) => el("option", { value: one }, wording(one))),
    );
    row.operator.value = known.includes(condition?.[1]) ? condition[1] : known[0];
    row.holder = el("span", { class: "value" });
    const remove = el("button", { type: "button", class: "quiet", "aria-label": t("remove_filter", { number }), on: { click: () => this.remove(row) } }, "×");
    replace(row.element, row.property, row.operator, row.holder, property.unit && el("span", { class: "unit" }, property.unit), remove);
    this.drawValue(row, property, number, condition);
  }

  drawValue(row, property, number, condition) {
    row.field = valueField(property, row.operator.value, t("filter_value", { number }));
    if (condition !== null) row.field.set(condition.length < 3 ? true : condition[2]);
    replace(row.holder, row.field.element);
  }

  remove(row) {
    this.rows = this.rows.filter((one) => one !== row);
    row.element.remove();
    this.add.focus();
    this.changed();
  }
}

function wording(operator) {
  if (operator === "in") return t("one_of");
  if (operator === "is_null") return t("is");
  if (operator === "within") return t("within");
  return SIGNS[operator] ?? operator;
}
