/** `/`: the search. Its state is the address; every change of it is a step that the browser can go back. */

import { post, Problem } from "/explorer/api.js";
import { readSearch, searchAddress } from "/explorer/addresses.js";
import { el, replace, say } from "/explorer/dom.js";
import { count, language, t } from "/explorer/language.js";
import { problemView } from "/explorer/problem.js";
import { Facet } from "/explorer/search_facet.js";
import { Filters } from "/explorer/search_filters.js";
import { Results } from "/explorer/search_results.js";
import { typeCards } from "/explorer/search_start.js";
import { label } from "/explorer/catalogue.js";

const PAGE = 50;

export async function searchPage(main, types) {
  await new SearchPage(main, types).show(readSearch(location.search));
}

class SearchPage {
  constructor(main, types) {
    this.types = types;
    this.asking = new AbortController();
    this.words = el("input", { type: "search", id: "words", name: "q", maxlength: 1000, autocomplete: "off", placeholder: t("words_example") });
    this.filters = new Filters(types, () => this.submit());
    this.facet = new Facet(types, (type) => this.go({ words: this.words.value.trim(), type }));
    this.answer = el("div", { class: "answer" });
    const form = el(
      "form",
      { role: "search", class: "query", on: { submit: (event) => this.submit(event) } },
      el("label", { for: "words" }, t("search_words")),
      el("div", { class: "words" }, this.words, el("button", { type: "submit", class: "strong" }, t("search"))),
      this.filters.element,
    );
    this.heading = el("h1", {}, t("search_title"));
    replace(main, el("div", { class: "search" }, this.heading, form, this.facet.element, this.answer));
    addEventListener("popstate", () => this.show(readSearch(location.search)));
  }

  submit(event) {
    event?.preventDefault();
    const { type } = this.state;
    this.go({ words: this.words.value.trim(), type, ...(type ? this.filters.read() : {}) });
  }

  /** A new state: a step in the history, then its answer. */
  go(state) {
    history.pushState(null, "", withLanguage(searchAddress(state)));
    return this.show(readSearch(location.search));
  }

  async show(state) {
    this.state = state;
    this.asking.abort();
    this.asking = new AbortController();
    const { signal } = this.asking;
    this.words.value = state.words;
    const known = state.type === null ? null : this.types.type(state.type);
    this.filters.show(known, state);
    const named = [state.words, known && label(known)].filter(Boolean).join(" · ");
    document.title = `${named || t("search")} · SPICE HARVESTER`;
    this.facet.show(state, signal);
    if (!state.words && state.type === null) {
      replace(this.answer, typeCards(this.types));
      return;
    }
    this.answer.setAttribute("aria-busy", "true");
    try {
      const found = await this.ask({ limit: state.shown || PAGE }, signal);
      this.results = new Results(this.types, known, state, (sort) => this.go({ ...state, sort }));
      this.draw(found);
    } catch (error) {
      this.failed(error, () => this.show(state));
    } finally {
      if (!signal.aborted) this.answer.removeAttribute("aria-busy");
    }
  }

  ask(page, signal) {
    const { words, type, where, sort } = this.state;
    const document = { text: words || undefined, type: type ?? undefined, ...page };
    if (where.length > 0) document.where = where;
    if (sort !== null) document.sort = [sort];
    return post("/v1/search", document, signal);
  }

  draw(found) {
    this.results.add(found.objects);
    const shown = this.results.size;
    const total = t(found.total === 1 ? "one_object" : "objects", { count: count(found.total) });
    const heading = el("h2", { class: "total" }, total, shown < found.total && el("span", { class: "quiet" }, ` · ${t("shown", { count: count(shown) })}`));
    say(shown < found.total ? `${total}, ${t("shown", { count: count(shown) })}` : total);
    if (found.total === 0) {
      replace(this.answer, heading, this.nothing());
      return;
    }
    const after = found.after;
    const more = after && el("button", { type: "button", class: "more", on: { click: () => this.more(more, after) } }, t("more", { count: Math.min(PAGE, found.total - shown) }));
    replace(this.answer, heading, this.results.element, more);
    return more;
  }

  async more(button, after) {
    const { signal } = this.asking;
    button.setAttribute("aria-busy", "true");
    try {
      const first = this.results.size;
      const found = await this.ask({ limit: PAGE, after }, signal);
      const next = this.draw(found);
      this.state.shown = Math.min(1000, this.results.size);
      history.replaceState(null, "", withLanguage(searchAddress(this.state)));
      (next ?? this.results.link(first))?.focus();
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof Problem)) throw error;
      button.replaceWith(problemView(error), el("button", { type: "button", on: { click: () => this.show({ ...this.state, shown: 0 }) } }, t("begin_again")));
    }
  }

  failed(error, retry) {
    if (error.name === "AbortError") return;
    if (!(error instanceof Problem)) throw error;
    this.filters.point(error.document.where ?? "");
    replace(this.answer, problemView(error, { retry: error.status >= 500 || error.status === 0 ? retry : null }));
  }

  nothing() {
    const { words, where, type } = this.state;
    const without = (text, state) => el("li", {}, el("a", { href: searchAddress(state) }, text));
    return el(
      "div",
      { class: "notice" },
      el("p", {}, t("nothing")),
      el(
        "ul",
        {},
        where.length > 0 && without(t("without_filters"), { words, type }),
        words && type && without(t("all_types"), { words }),
        words && !words.includes("*") && without(t("as_beginning", { words: `${words}*` }), { ...this.state, words: `${words}*` }),
        words && (type ? without(t("without_words"), { type, where }) : without(t("see_types"), {})),
      ),
    );
  }
}

/** A language that stands in the address stays there. */
function withLanguage(address) {
  const lang = new URLSearchParams(location.search).get("lang");
  return lang === language() ? `${address}${address.includes("?") ? "&" : "?"}lang=${lang}` : address;
}
