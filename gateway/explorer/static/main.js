/** Reads the address and draws its page. */

import { catalogue } from "/explorer/catalogue.js";
import { canonicalKey, readPath } from "/explorer/addresses.js";
import { drawBar } from "/explorer/frame.js";
import { language, t } from "/explorer/language.js";
import { Problem } from "/explorer/api.js";
import { problemView } from "/explorer/problem.js";
import { el, replace, skipLink } from "/explorer/dom.js";
import { searchPage } from "/explorer/search_page.js";
import { objectPage } from "/explorer/object_page.js";
import { graphPage } from "/explorer/graph_page.js";
import { lineagePage } from "/explorer/lineage_page.js";

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
    if (page === "objects") await objectPage(main, types, type, canonicalKey(rest ?? ""));
    else if (page === "graph") await graphPage(main, types, type, canonicalKey(rest ?? ""));
    else if (page === "lineage") await lineagePage(main, types, type, rest === null ? null : decodeURIComponent(rest));
    else await searchPage(main, types);
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
