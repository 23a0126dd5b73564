/** Short names for the columns and tables of a lineage; the full ones stand in titles and in the table. */

import { t } from "/explorer/language.js";
import { textWidth } from "/explorer/cards.js";
import { isRows } from "/explorer/lineage_relations.js";

/** `Type.data.state.properties.name` -> `name`; the rows of a table have words for a name. */
export function nodeName(node) {
  return isRows(node) ? t("rows_of_table") : node.column.split(".").at(-1);
}

/** A table's name without its layer, from its end if it is too long: `transform/sums/per_day` -> `sums/per_day`. */
export function tableName(name, most) {
  const parts = name.split("/");
  const text = parts.length > 1 ? parts.slice(1).join("/") : name;
  if (textWidth(text) * 0.84 <= most) return text;
  let kept = "";
  for (const sign of [...text].reverse()) {
    if (textWidth(`…${sign}${kept}`) * 0.84 > most) break;
    kept = sign + kept;
  }
  return `…${kept}`;
}
