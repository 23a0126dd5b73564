/** The bar on top of every page: ways to everywhere, a small search, how far the read models are, the language. */

import { healthDocument } from "/explorer/api.js";
import { addressIn, count, LANGUAGES, language, t } from "/explorer/language.js";
import { el, replace } from "/explorer/dom.js";

export function drawBar(bar, page) {
  const state = el("span", { class: "state" });
  const ui = el("li", {});
  const here = page === "";
  replace(
    bar,
    el("a", { class: "mark", href: "/" }, mark(), "SPICE HARVESTER"),
    !here && smallSearch(),
    el(
      "nav",
      { "aria-label": t("main_ways") },
      el(
        "ul",
        {},
        el("li", {}, el("a", { href: "/", "aria-current": here ? "page" : null }, t("search"))),
        el("li", {}, el("a", { href: "/docs" }, t("api"))),
        ui,
      ),
    ),
    state,
    el(
      "nav",
      { class: "languages", "aria-label": t("language") },
      el("ul", {}, Object.entries(LANGUAGES).map(([code, name]) => languageLink(code, name))),
    ),
  );
  drawState(state, ui);
}

/** Root of the Dagster UI, or null: an address that is not one of the web is not linked. */
export async function dagsterAddress() {
  const address = (await healthDocument())?.dagster ?? "";
  return /^https?:\/\//.test(address) ? address.replace(/\/$/, "") : null;
}

async function drawState(state, ui) {
  const health = await healthDocument();
  const dagster = await dagsterAddress();
  if (dagster !== null) replace(ui, el("a", { href: dagster }, "Dagster"));
  if (health === null || health.domains === undefined) {
    state.classList.add("bad");
    replace(state, t("state_unknown"));
    return;
  }
  const position = Object.values(health.domains).reduce((sum, domain) => sum + Number(domain.position), 0);
  const text = { ok: "state_ok", behind: "state_behind" }[health.status] ?? "state_unavailable";
  const projections = Object.entries(health.projections ?? {});
  const parked = Math.max(0, ...projections.map(([, one]) => Number(one.parked)));
  state.classList.add(health.status === "ok" && parked === 0 ? "good" : "bad");
  state.title = projections
    .map(([name, one]) => `${name}: ${t("position")} ${one.position}, ${t("lag")} ${one.lag}${parked ? `, ${t("state_parked", { count: count(one.parked) })}` : ""}`)
    .join("\n");
  replace(state, t(text, { position: count(position) }), parked > 0 && ` · ${t("state_parked", { count: count(parked) })}`);
}

// The address changes within a page, so the link is made when it is followed.
function languageLink(code, name) {
  const link = el("a", { href: addressIn(code), lang: code, hreflang: code, "aria-current": code === language() ? "true" : null }, name);
  for (const event of ["focus", "pointerdown", "mouseenter"]) link.addEventListener(event, () => (link.href = addressIn(code)));
  return el("li", {}, link);
}

function smallSearch() {
  return el(
    "form",
    { role: "search", class: "small", action: "/", method: "get" },
    el("input", { type: "search", name: "q", "aria-label": t("search_words"), placeholder: t("search_words"), maxlength: 1000 }),
  );
}

function mark() {
  return el("img", { src: "/explorer/icon.svg", alt: "", width: 22, height: 22 });
}
