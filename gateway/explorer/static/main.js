/** Reads the address and draws its page. */

import { catalogue } from "/explorer/catalogue.js";
import { canonicalKey, readPath } from "/explorer/addresses.js";
import { drawBar } from "/explorer/frame.js";
import { language, t } from "/explorer/language.js";
import { Problem } from "/explorer/api.js";
import { problemView } from "/explorer/problem.js";
import { el, replace, skipLink } from "/explorer/dom.js";

// Each page loads its own scripts only.
const PAGES = {
  objects: async (...about) => (await import("/explorer/object_page.js")).objectPage(...about),
  graph: async (...about) => (await import("/explorer/graph_page.js")).graphPage(...about),
  lineage: async (...about) => (await import("/explorer/lineage_page.js")).lineagePage(...about),
  "": async (...about) => (await import("/explorer/search_page.js")).searchPage(...about),
};

const main = document.getElementById("main");
document.documentElement.lang = language();
document.getElementById("skip").replaceWith(skipLink(() => main, t("skip")));

const { page, type, rest } = readPath(location.pathname);
drawBar(document.getElementById("bar"), page);
await draw();

async function draw() {
  main.setAttribute("aria-busy", "true");
  const waiting = setTimeout(() => replace(main, el("p", { class: "waiting" }, t("loading"))), 300);
  try {
    const types = await catalogue();
    clearTimeout(waiting);
    const key = page === "lineage" ? rest && decodeURIComponent(rest) : canonicalKey(rest ?? "");
    await PAGES[page](main, types, type, key);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    clearTimeout(waiting);
    document.title = `${error.document.title} · SPICE HARVESTER`;
    replace(main, problemView(error, { retry: draw, heading: "h1" }), el("p", {}, el("a", { href: "/" }, t("to_search"))));
  } finally {
    clearTimeout(waiting);
    main.removeAttribute("aria-busy");
  }
}
