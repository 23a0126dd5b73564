/** The types with how many objects the words find in each, as links that narrow the search. */

import { post, Problem } from "/explorer/api.js";
import { searchAddress } from "/explorer/addresses.js";
import { el, replace } from "/explorer/dom.js";
import { count, t } from "/explorer/language.js";
import { label } from "/explorer/catalogue.js";

export class Facet {
  constructor(types, choose) {
    this.types = types;
    this.choose = choose;
    this.list = el("ul", {});
    this.element = el("nav", { class: "facet", "aria-labelledby": "facet" }, el("h2", { id: "facet" }, t("types")), this.list);
    this.counted = new Map();
  }

  show(state, signal) {
    // Before anything is asked the cards beside it say the same, and more.
    this.element.hidden = !state.words && state.type === null;
    const rows = this.types.types.map((type) => this.row(type, state, signal));
    const all = this.link(t("all"), state, null, null);
    replace(this.list, state.words || state.type ? el("li", {}, all) : null, rows);
  }

  row(type, state, signal) {
    if (state.words && !this.types.hasWords(type)) {
      return el("li", { class: "quiet", title: t("no_words_help") }, label(type), " ", el("small", {}, t("no_words")));
    }
    const number = el("span", { class: "number" });
    const link = this.link(label(type), state, type.name, number, this.types.colour(type.name));
    if (state.words) this.fill(number, link, type, state.words, signal);
    else number.textContent = type.count === null ? "–" : count(type.count);
    return el("li", {}, link);
  }

  link(text, state, type, number, colour = null) {
    const target = { words: state.words, type };
    return el(
      "a",
      {
        href: searchAddress(target),
        "aria-current": state.type === type ? "true" : null,
        class: colour === null ? null : `type type-${colour}`,
        on: {
          click: (event) => {
            if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
            event.preventDefault();
            this.choose(type);
          },
        },
      },
      el("span", {}, text),
      number,
    );
  }

  async fill(number, link, type, words, signal) {
    const key = `${type.name}\n${words}`;
    try {
      if (!this.counted.has(key)) {
        this.counted.set(key, (await post("/v1/search", { type: type.name, text: words, limit: 1, fields: [] }, signal)).total);
      }
      number.textContent = count(this.counted.get(key));
      link.classList.toggle("none", this.counted.get(key) === 0);
    } catch (error) {
      // The answer beside it says what is wrong with the words; a count is then no use.
      if (!(error instanceof Problem) && error.name !== "AbortError") throw error;
    }
  }
}
