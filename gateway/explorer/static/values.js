/** Values as people read them. */

import { el } from "/explorer/dom.js";
import { language, t } from "/explorer/language.js";
import { bare } from "/explorer/catalogue.js";
import { writeJson } from "/explorer/json.js";
import { keyParts } from "/explorer/addresses.js";

/** The text of a value of a property; `declared` may be null (a property that no longer is). */
export function valueText(value, declared) {
  if (value === null || value === undefined) return "";
  const kind = declared === null ? "" : bare(declared.type);
  if (kind === "enum") return declared.values?.[value] ? `${declared.values[value]} (${value})` : String(value);
  if (kind === "boolean") return value ? t("yes") : t("no");
  if (kind === "timestamp" && typeof value === "string") return momentText(value);
  if (kind === "geopoint" && typeof value === "object") return `${value.lat}, ${value.lon}`;
  const plain = typeof value === "object" ? writeJson(value) : String(value);
  return declared?.unit ? `${plain} ${declared.unit}` : plain;
}

/** The same as an element: units and codes a little apart, absence said. */
export function valueElement(value, declared) {
  if (value === null || value === undefined) return el("span", { class: "absent" }, t("absent"));
  const kind = declared === null ? "" : bare(declared.type);
  if (kind === "timestamp" && typeof value === "string") return moment(value);
  if (kind === "enum" && declared.values?.[value]) {
    return el("span", {}, declared.values[value], " ", el("span", { class: "code" }, value));
  }
  if (declared?.unit) {
    return el("span", {}, String(value), " ", el("span", { class: "unit" }, declared.unit));
  }
  return el("span", {}, valueText(value, declared));
}

/** `2013-01-01T11:00:00.000000Z` -> `2013-01-01 11:00:00 UTC`: what is zero of the fraction is left out. */
export function momentText(text) {
  const match = /^(.+)T(\d\d:\d\d:\d\d)(?:\.(\d*?)0*)?Z$/.exec(text);
  if (match === null) return text;
  return `${match[1]} ${match[2]}${match[3] ? `.${match[3]}` : ""} UTC`;
}

export function moment(text) {
  return el("time", { datetime: text }, momentText(text));
}

export function isNumber(declared) {
  return ["integer", "double", "decimal"].includes(bare(declared.type));
}

export function isSame(one, other) {
  return (one === undefined ? "" : writeJson(one)) === (other === undefined ? "" : writeJson(other));
}

/** `MISSING` and its like as a mark: the word of the API, which is English, with that of another language before it. */
export function statusMark(status, { help = true } = {}) {
  const key = `status_${status.toLowerCase()}`;
  const words = language() === "en" ? status : `${t(key)} ${status}`;
  return el("strong", { class: `status ${status.toLowerCase()}`, title: help ? t(`${key}_help`) : null }, words);
}

/** What to call objects that are shown together, the title, or the key where those of a type are alike. */
export function namesOf(objects) {
  const seen = new Map();
  const title = (one) => `${one.type}\n${one.title}`;
  for (const one of objects) seen.set(title(one), (seen.get(title(one)) ?? 0) + 1);
  return (one) => (seen.get(title(one)) > 1 ? keyParts(one.id).map(shortMoment).join(" ") : one.title);
}

/** Times in a key without what says nothing: `2013-01-01T11:00:00Z` -> `2013-01-01 11:00`. */
function shortMoment(part) {
  const match = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d):00Z$/.exec(part);
  return match === null ? part : `${match[1]} ${match[2]}`;
}
