/** Asking the gateway. An answer that is no success becomes a `Problem` (RFC 9457), also when nobody answers. */

import { readJson, writeJson } from "/explorer/json.js";
import { t } from "/explorer/language.js";

export class Problem extends Error {
  constructor(document) {
    super(document.detail ?? document.title);
    this.document = document;
    this.status = document.status ?? 0;
  }
}

export async function get(address, signal) {
  return ask(address, { signal });
}

export async function post(address, body, signal) {
  return ask(address, { method: "POST", body: writeJson(body), headers: { "Content-Type": "application/json" }, signal });
}

let types = null;
/** The types of all domains, asked once a page; asked again after a failure. */
export async function catalogueDocument() {
  types ??= await get("/v1/types");
  return types;
}

let health = null;
/** What `/v1/health` says, also with a status of 503; null where there is no answer. */
export function healthDocument() {
  health ??= fetch("/v1/health").then(
    async (response) => readJson(await response.text()),
    () => null,
  ).catch(() => null);
  return health;
}

async function ask(address, options) {
  let response, text;
  try {
    response = await fetch(address, options);
    text = await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ title: t("no_answer"), detail: t("no_answer_help"), where: address });
  }
  const document = parsed(text);
  if (response.ok && document !== null) return document;
  throw new Problem(document ?? { title: `${response.status} ${response.statusText}`, detail: text.slice(0, 500), where: address, status: response.status });
}

function parsed(text) {
  try {
    return readJson(text);
  } catch {
    return null;
  }
}
