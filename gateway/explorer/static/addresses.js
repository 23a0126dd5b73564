/** Addresses of pages and of the API. An object's key stands in them as in documents: encoded parts between slashes. */

import { readJson, writeJson } from "/explorer/json.js";

/** As RFC 3986's unreserved signs only, which is how keys are written; `encodeURIComponent` lets five more pass. */
export function encodePart(text) {
  return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** The one spelling of a key, also for one that a person typed (`11:00` for `11%3A00`). */
export function canonicalKey(raw) {
  try {
    return raw.split("/").map((part) => encodePart(decodeURIComponent(part))).join("/");
  } catch {
    return raw;
  }
}

export function keyParts(key) {
  return key.split("/").map((part) => decodeURIComponent(part));
}

export const objectAddress = (type, key) => `/objects/${encodePart(type)}/${key}`;
export const graphAddress = (type, key) => `/graph/${encodePart(type)}/${key}`;
export const lineageAddress = (type, property) =>
  property === undefined ? `/lineage/${encodePart(type)}` : `/lineage/${encodePart(type)}/${encodePart(property)}`;

/** `{page, type, rest}` of a path; `rest` as it stands there. */
export function readPath(path) {
  const [, page, type = "", ...rest] = path.split("/");
  return { page, type: decodeURIComponent(type), rest: rest.length > 0 ? rest.join("/") : null };
}

/** A search as its address: `{words, type, where: [[..]], sort: [name, direction] | null, shown}`. */
export function searchAddress({ words = "", type = null, where = [], sort = null, shown = 0 }) {
  const query = new URLSearchParams();
  if (words) query.set("q", words);
  if (type) query.set("type", type);
  for (const condition of where) query.append("where", writeJson(condition));
  if (sort) query.set("sort", sort.join(":"));
  if (shown) query.set("shown", shown);
  const text = query.toString();
  return text ? `/?${text}` : "/";
}

export function readSearch(query) {
  const parameters = new URLSearchParams(query);
  const sort = (parameters.get("sort") ?? "").split(":");
  return {
    words: parameters.get("q") ?? "",
    type: parameters.get("type"),
    where: parameters.getAll("where").map(condition).filter((one) => one !== null),
    sort: sort.length === 2 ? sort : null,
    shown: Math.max(0, Math.min(1000, Number.parseInt(parameters.get("shown") ?? "0", 10) || 0)),
  };
}

function condition(text) {
  try {
    const found = readJson(text);
    return Array.isArray(found) && found.length >= 2 ? found : null;
  } catch {
    return null;
  }
}
