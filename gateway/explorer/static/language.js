/** Which language the page speaks: the address's `lang`, else the last choice, else the browser's. */

import { TEXTS } from "/explorer/texts.js";

export const LANGUAGES = { en: "English", ko: "한국어" };
const KEPT = "spice.language";
let chosen = null;

export function language() {
  chosen ??= choose();
  return chosen;
}

/** A text of the page; `{name}` is filled in. */
export function t(key, values = {}) {
  const text = TEXTS[key][language()];
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

export function count(number) {
  return new Intl.NumberFormat(language()).format(number);
}

/** This page's address in another language. */
export function addressIn(code) {
  const here = new URL(location.href);
  here.searchParams.set("lang", code);
  return here.pathname + here.search + here.hash;
}

function choose() {
  const asked = new URLSearchParams(location.search).get("lang");
  if (asked !== null && Object.hasOwn(LANGUAGES, asked)) {
    keep(asked);
    return asked;
  }
  const wanted = [kept(), ...navigator.languages.map((one) => one.slice(0, 2))];
  return wanted.find((one) => one !== null && Object.hasOwn(LANGUAGES, one)) ?? "en";
}

// A browser may forbid storage; then the choice lasts as long as the address carries it.
function keep(code) {
  try {
    localStorage.setItem(KEPT, code);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
  }
}

function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    return null;
  }
}
