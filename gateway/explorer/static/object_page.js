/** `/objects/{type}/{key}`: one object, whole: values, links out and in, its history. Also one that was deleted, or
 *  that never existed although something links to it.
 */

import { get, Problem } from "/explorer/api.js";
import { encodePart, graphAddress, keyParts, lineageAddress, searchAddress } from "/explorer/addresses.js";
import { el, replace, say } from "/explorer/dom.js";
import { t } from "/explorer/language.js";
import { historyView } from "/explorer/object_history.js";
import { linksIn, linksOut } from "/explorer/object_links.js";
import { propertiesTable } from "/explorer/object_properties.js";
import { dagsterAddress } from "/explorer/frame.js";
import { statusMark } from "/explorer/values.js";

const NOT_FOUND = "spice:not-found";

export async function objectPage(main, types, typeName, key) {
  const type = types.type(typeName);
  // A type that there is not is told by the API, with those that there are.
  if (type === null) await get(`/v1/objects/${encodePart(typeName)}/${key}`);
  const [found, events] = await Promise.all([
    orNull(get(`/v1/objects/${typeName}/${key}`)),
    orNull(get(`/v1/history/${typeName}/${key}`)).then((answer) => answer?.events ?? []),
  ]);
  const object = found ?? remembered(type, key, events);
  document.title = `${object.title} · ${types.label(typeName)} · SPICE HARVESTER`;
  replace(
    main,
    el(
      "article",
      { class: "object" },
      head(types, type, object),
      note(types, object),
      object.data_status !== "MISSING" && propertiesTable(types, type, object),
      el("div", { class: "links" }, linksOut(types, type, object), linksIn(types, type, object)),
      events.length > 0 && historyView(types, type, events, await dagsterAddress()),
    ),
  );
  say(object.title);
}

/** `{..} | null` where the API says that there is none; a key that is none of the type is another matter. */
async function orNull(asked) {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Problem && error.document.type === NOT_FOUND) return null;
    throw error;
  }
}

/** What history knows of an object that is not there: its last state if it was deleted, else nothing. */
function remembered(type, key, events) {
  const last = events.at(-1);
  const state = events.findLast((event) => event.data?.state)?.data.state;
  if (state === undefined) {
    return { type: type.name, id: key, title: keyParts(key).join(" "), data_status: "MISSING", properties: {}, links: {} };
  }
  const title = state.properties?.[type.title];
  return {
    type: type.name,
    id: key,
    title: title === undefined ? key : String(title),
    data_status: last.event_type === "ObjectDeleted" ? "DELETED" : "BEHIND",
    properties: state.properties ?? {},
    links: state.links ?? {},
    sequence: last.sequence_number,
    position: last.position,
  };
}

function head(types, type, object) {
  const status = object.data_status;
  return el(
    "header",
    { class: `head type-${types.colour(type.name)}` },
    el("p", { class: "eyebrow" }, el("a", { href: searchAddress({ type: type.name }) }, types.label(type.name))),
    el("h1", {}, object.title),
    el(
      "p",
      { class: "facts" },
      el("span", {}, `${t("data_status")}: `, statusMark(status)),
      el("span", {}, `${t("key")}: `, el("code", {}, object.id)),
      object.sequence !== undefined && el("span", {}, `${t("version")} ${object.sequence}, ${t("position")} ${object.position}`),
    ),
    type.description && el("p", { class: "quiet" }, type.description),
    el(
      "p",
      { class: "actions" },
      el("a", { class: "button strong", href: graphAddress(type.name, object.id) }, t("show_in_graph")),
      el("a", { class: "button", href: lineageAddress(type.name) }, t("lineage_of_type")),
      ["FULL", "PARTIAL"].includes(status) && el("a", { class: "button", href: `/v1/objects/${type.name}/${object.id}` }, "JSON"),
    ),
  );
}

function note(types, object) {
  const text = { MISSING: "missing_note", DELETED: "deleted_note", BEHIND: "behind_note" }[object.data_status];
  return text ? el("p", { class: "notice", role: "note" }, t(text, { type: types.label(object.type) })) : null;
}
