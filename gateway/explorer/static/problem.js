/** A problem document (RFC 9457) as text: what is wrong, where, and what is allowed. */

import { el } from "/explorer/dom.js";
import { t } from "/explorer/language.js";

/** `retry`: what the button does; without it there is none. `heading`: its level on the page. */
export function problemView(problem, { retry = null, heading = "h2" } = {}) {
  const document = problem.document;
  const allowed = document.allowed ?? [];
  return el(
    "section",
    { class: "problem", role: "alert" },
    el(heading, {}, document.title ?? t("problem")),
    el("p", {}, document.detail),
    document.where && el("p", { class: "quiet" }, `${t("where")}: `, el("code", {}, document.where)),
    allowed.length > 0 && [
      el("p", {}, t("allowed")),
      el("ul", { class: "chips" }, allowed.map((one) => el("li", {}, el("code", {}, one)))),
    ],
    retry && el("button", { type: "button", on: { click: retry } }, t("retry")),
  );
}
