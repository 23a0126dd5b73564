/** Links of an object: out, with the titles of what they lead to, and in, counted, with the first ones. */

import { post, Problem } from "/explorer/api.js";
import { keyParts, objectAddress, searchAddress } from "/explorer/addresses.js";
import { el, replace } from "/explorer/dom.js";
import { count, t } from "/explorer/language.js";
import { typed } from "/explorer/operators.js";
import { problemView } from "/explorer/problem.js";
import { namesOf, statusMark } from "/explorer/values.js";

const FIRST = 20;

export function linksOut(types, type, object) {
  const ways = types.ways(type.name).filter((way) => !way.backwards);
  if (ways.length === 0) return null;
  const rows = ways.map((way) => {
    const targets = object.links[way.name] ?? [];
    const holder = el("dd", {});
    replace(holder, targets.length === 0 ? el("span", { class: "absent" }, t("no_link")) : targets.map((id) => target(types, way.other, id, null)));
    if (targets.length > 0) fillTitles(holder, types, object, way, targets);
    return el("div", {}, el("dt", { title: way.name }, way.label), holder);
  });
  return el("section", { "aria-labelledby": "out" }, el("h2", { id: "out" }, t("links_out")), el("dl", { class: "out" }, rows));
}

export function linksIn(types, type, object) {
  const ways = types.ways(type.name).filter((way) => way.backwards);
  if (ways.length === 0) return null;
  const parts = ways.map((way) => {
    const holder = el("div", { class: "in", "aria-busy": "true" }, el("h3", { title: way.name }, way.label), el("p", { class: "waiting" }, t("loading")));
    fillIn(holder, types, object, way);
    return holder;
  });
  return el("section", { "aria-labelledby": "in" }, el("h2", { id: "in" }, t("links_in")), parts);
}

/** Conditions under which an object of the other type links to this one: its `by` equals this one's key. */
export function pointingAt(types, object, way) {
  const parts = keyParts(object.id);
  return way.link.by.map((name, at) => [name, "=", typed(types.property(way.other, name), parts[at])]);
}

function target(types, type, id, node) {
  const missing = node?.data_status === "MISSING";
  return el(
    "span",
    { class: `target type-${types.colour(type)}${missing ? " missing" : ""}` },
    el("a", { href: objectAddress(type, id) }, node?.title || keyParts(id).join(" ")),
    " ",
    el("span", { class: "quiet" }, types.label(type)),
    missing && statusMark("MISSING"),
  );
}

async function fillTitles(holder, types, object, way, targets) {
  const question = { start: { type: object.type, id: object.id, fields: [] }, hops: [{ link: way.name, fields: [] }], max_nodes: targets.length + 1 };
  try {
    const nodes = (await post("/v1/graph-queries", question)).nodes;
    const found = new Map(nodes.filter((node) => node.type === way.other).map((node) => [node.id, node]));
    // The graph's model may be behind that of objects for a moment: then the key has to do for a title.
    replace(holder, targets.map((id) => target(types, way.other, id, found.get(id) ?? null)));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    holder.append(problemView(error, { heading: "h3" }));
  }
}

async function fillIn(holder, types, object, way) {
  const where = pointingAt(types, object, way);
  const heading = (number) => el("h3", { title: way.name }, way.label, " ", number !== null && el("span", { class: "number" }, count(number)), " ", el("span", { class: "quiet" }, types.label(way.other)));
  try {
    const found = await post("/v1/search", { type: way.other, where, limit: FIRST, fields: [] });
    const all = searchAddress({ type: way.other, where });
    replace(
      holder,
      heading(found.total),
      found.total === 0
        ? el("p", { class: "absent" }, t("none"))
        : chips(found.objects),
      found.total > 0 && el("p", {}, el("a", { href: all }, found.total > FIRST ? t("see_all", { count: count(found.total) }) : t("see_in_search"), " ", el("span", { class: "unseen" }, way.label))),
    );
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    replace(holder, heading(null), problemView(error, { heading: "h4" }));
  } finally {
    holder.removeAttribute("aria-busy");
  }
}

function chips(objects) {
  const name = namesOf(objects);
  return el("ul", { class: "chips" }, objects.map((one) => el("li", {}, el("a", { href: objectAddress(one.type, one.id), title: keyParts(one.id).join(" ") }, name(one)))));
}
