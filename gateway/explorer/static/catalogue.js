/** The object types with their labels in the page's language; the name stands in where there is no label. */

import { catalogueDocument } from "/explorer/api.js";
import { language } from "/explorer/language.js";

export async function catalogue() {
  return new Catalogue((await catalogueDocument()).types);
}

export function label(named, member = "label") {
  return named?.[member]?.[language()] || named?.name || "";
}

class Catalogue {
  constructor(types) {
    this.types = types;
    this.byName = new Map(types.map((type) => [type.name, type]));
  }

  type(name) {
    return this.byName.get(name) ?? null;
  }

  label(name) {
    const type = this.type(name);
    return type === null ? name : label(type);
  }

  property(type, name) {
    return this.type(type)?.properties.find((property) => property.name === name) ?? null;
  }

  link(type, name) {
    return this.type(type)?.links.find((link) => link.name === name) ?? null;
  }

  /** What leads away from a type: its links, then the inverses, `{name, label, other, link, backwards}`. */
  ways(name) {
    const type = this.type(name);
    if (type === null) return [];
    const out = type.links.map((link) => ({ name: link.name, label: label(link), other: link.to, link, backwards: false }));
    const back = (type.inverses ?? []).map((inverse) => ({
      name: inverse.name,
      label: label(inverse),
      other: inverse.from,
      link: this.link(inverse.from, inverse.link),
      backwards: true,
    }));
    return [...out, ...back];
  }

  /** Whether words can find objects of this type: one of its texts, or its title if that is text, is searched. */
  hasWords(type) {
    return type.properties.some((one) => bare(one.type) === "string" && (one.search === "text" || one.name === type.title));
  }

  /** A colour's number for a type: by its place among all, so that one type looks the same on all pages. */
  colour(name) {
    const at = this.types.findIndex((type) => type.name === name);
    return at < 0 ? 0 : at % 8;
  }
}

/** `decimal(10,4)?` -> `decimal`. */
export function bare(type) {
  return type.replace(/\?$/, "").replace(/\(.*$/, "");
}
