/** The properties of an object: label, value with unit or meaning, type and name, and the way to where it comes from. */

import { lineageAddress } from "/explorer/addresses.js";
import { el } from "/explorer/dom.js";
import { t } from "/explorer/language.js";
import { bare, label } from "/explorer/catalogue.js";
import { valueElement } from "/explorer/values.js";

export function propertiesTable(types, type, object) {
  return el(
    "section",
    { class: "properties", "aria-labelledby": "properties" },
    el("h2", { id: "properties" }, t("properties")),
    el(
      "table",
      {},
      el(
        "thead",
        {},
        el("tr", {}, ["property", "value", "type_and_name", "lineage"].map((one) => el("th", { scope: "col" }, t(one)))),
      ),
      el("tbody", {}, type.properties.map((one) => row(type, one, object.properties[one.name]))),
    ),
  );
}

function row(type, property, value) {
  const about = [property.description, property.name].filter(Boolean).join("\n");
  return el(
    "tr",
    {},
    el("th", { scope: "row", title: about }, label(property), type.key.includes(property.name) && [" ", el("span", { class: "keymark", title: t("part_of_key") }, t("key"))]),
    el("td", { class: "given" }, valueElement(value, property)),
    el("td", { class: "quiet" }, el("span", { class: "kind" }, kindText(property)), " ", el("code", {}, property.name)),
    el("td", {}, el("a", { href: lineageAddress(type.name, property.name), "aria-label": t("lineage_of", { name: label(property) }) }, t("lineage"))),
  );
}

/** `decimal(10,4)?` -> `decimal(10,4), may be absent`. */
function kindText(property) {
  const type = property.type.replace(/\?$/, "");
  const known = { string: "kind_string", integer: "kind_integer", double: "kind_double", boolean: "kind_boolean", date: "kind_date", timestamp: "kind_timestamp", geopoint: "kind_geopoint", enum: "kind_enum", decimal: "kind_decimal" };
  const name = known[bare(type)] ? t(known[bare(type)]) : type;
  const scale = type.includes("(") ? type.slice(type.indexOf("(")) : "";
  return `${name}${scale}${property.type.endsWith("?") ? ` · ${t("optional")}` : ""}`;
}
