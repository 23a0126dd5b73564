/** Which comparisons each type of property knows, and the field in which a person gives the value.
 *
 *  What a person types is turned into JSON as far as it can be; what can't is sent as text, and the gateway's refusal
 *  says what is allowed. So there is one place that decides, and it is not here.
 */

import { bare } from "/explorer/catalogue.js";
import { el } from "/explorer/dom.js";
import { t } from "/explorer/language.js";
import { readJson, writeJson } from "/explorer/json.js";

const EQUAL = ["=", "!=", "in", "is_null"];
const ORDERED = ["=", "!=", "<", "<=", ">", ">=", "in", "is_null"];
const HINTS = {
  integer: "42",
  double: "0.5",
  decimal: "12.50",
  timestamp: "2024-01-31T11:00:00Z",
  string: "",
};

export function operators(property) {
  const kind = bare(property.type);
  if (kind === "geopoint") return ["within", "is_null"];
  return kind === "boolean" || kind === "enum" ? EQUAL : ORDERED;
}

export const isSortable = (property) => bare(property.type) !== "geopoint";

/** The field(s) for a value: `{element, read(): any, set(value)}`. */
export function valueField(property, operator, name) {
  const kind = bare(property.type);
  if (operator === "is_null") return choice(name, [["true", t("is_absent")], ["false", t("is_present")]], (text) => text === "true");
  if (operator === "within") return circle(name);
  if (operator === "in") return list(property, name);
  if (kind === "boolean") return choice(name, [["true", t("yes")], ["false", t("no")]], (text) => text === "true");
  if (kind === "enum") {
    const codes = Object.entries(property.values ?? {});
    return choice(name, codes.map(([code, meaning]) => [code, `${meaning} (${code})`]), (text) => text);
  }
  const numeric = kind === "integer" || kind === "double" || kind === "decimal";
  const input = el("input", {
    type: kind === "date" ? "date" : "text",
    inputmode: numeric ? "decimal" : null,
    placeholder: HINTS[kind] ? t("for_example", { value: HINTS[kind] }) : null,
    "aria-label": name,
    autocomplete: "off",
    spellcheck: "false",
  });
  return { element: input, read: () => typed(property, input.value), set: (value) => (input.value = plain(value)) };
}

/** The JSON value of a text, by the property's type; the text itself where it is none. */
export function typed(property, text) {
  const kind = bare(property.type);
  const trimmed = text.trim();
  if (kind === "integer" && /^-?\d+$/.test(trimmed)) {
    return Number.isSafeInteger(Number(trimmed)) ? Number(trimmed) : BigInt(trimmed);
  }
  if (kind === "double" && trimmed !== "" && Number.isFinite(Number(trimmed))) return Number(trimmed);
  if (kind === "boolean" && (trimmed === "true" || trimmed === "false")) return trimmed === "true";
  return kind === "string" || kind === "enum" ? text : trimmed;
}

function plain(value) {
  return typeof value === "object" && value !== null ? writeJson(value) : String(value ?? "");
}

function choice(name, options, read) {
  const select = el("select", { "aria-label": name }, options.map(([value, text]) => el("option", { value }, text)));
  return {
    element: select,
    read: () => read(select.value),
    set: (value) => {
      const text = String(value);
      // A code that an address names and the type no longer has is kept, so that the refusal can say so.
      if (![...select.options].some((option) => option.value === text)) select.append(el("option", { value: text }, text));
      select.value = text;
    },
  };
}

/** Several values between commas; one in double quotes (JSON text) may hold a comma itself. */
function list(property, name) {
  const input = el("input", { type: "text", "aria-label": name, placeholder: t("comma_list"), autocomplete: "off", spellcheck: "false" });
  return {
    element: input,
    read: () => divided(input.value).map((part) => typed(property, part)),
    set: (value) => {
      const parts = Array.isArray(value) ? value.map(plain) : [plain(value)];
      input.value = parts.map((part) => (/[,"]|^\s|\s$/.test(part) ? JSON.stringify(part) : part)).join(", ");
    },
  };
}

export function divided(text) {
  const parts = text.match(/\s*"(?:[^"\\]|\\.)*"\s*(?=,|$)|[^,]+/g) ?? [];
  return parts.map((part) => {
    const trimmed = part.trim();
    try {
      return trimmed.startsWith('"') ? String(readJson(trimmed)) : trimmed;
    } catch {
      return trimmed;
    }
  });
}

function circle(name) {
  const members = { lat: t("latitude"), lon: t("longitude"), km: t("kilometres") };
  const inputs = Object.entries(members).map(([member, text]) => [
    member,
    el("input", { type: "text", inputmode: "decimal", "aria-label": `${name}: ${text}`, placeholder: text, autocomplete: "off" }),
  ]);
  const number = (text) => (text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text);
  return {
    element: el("span", { class: "circle" }, inputs.map(([, input]) => input)),
    read: () => Object.fromEntries(inputs.map(([member, input]) => [member, number(input.value)])),
    set: (value) => inputs.forEach(([member, input]) => (input.value = String(value?.[member] ?? ""))),
  };
}
