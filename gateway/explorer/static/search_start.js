/** What the search shows before anything is asked: every type, what it is, how many there are. */

import { lineageAddress, searchAddress } from "/explorer/addresses.js";
import { el } from "/explorer/dom.js";
import { count, t } from "/explorer/language.js";
import { label } from "/explorer/catalogue.js";

export function typeCards(types) {
  if (types.types.length === 0) return el("p", { class: "notice" }, t("no_types"));
  return [
    el("h2", {}, t("what_there_is")),
    el("ul", { class: "cards" }, types.types.map((type) => card(types, type))),
    types.types.every((type) => type.count === 0) && el("p", { class: "notice" }, t("no_objects")),
  ];
}

function card(types, type) {
  const names = type.properties.map((one) => label(one));
  const ways = types.ways(type.name);
  return el(
    "li",
    { class: `card type-${types.colour(type.name)}` },
    el("h3", {}, el("a", { href: searchAddress({ type: type.name }) }, label(type)), " ", el("span", { class: "number" }, type.count === null ? "–" : count(type.count))),
    type.description && el("p", {}, type.description),
    el("p", { class: "quiet" }, names.slice(0, 8).join(" · "), names.length > 8 && ` · ${t("and_more", { count: names.length - 8 })}`),
    ways.length > 0 && el("ul", { class: "ways" }, ways.map((way) => el("li", {}, `${way.label} → ${types.label(way.other)}`))),
    el("p", { class: "foot" }, el("a", { href: lineageAddress(type.name), "aria-label": t("lineage_of", { name: label(type) }) }, t("lineage"))),
  );
}
