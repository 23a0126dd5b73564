/** What happened to an object, oldest first: who wrote it, when, at which position, and each value before and after. */

import { el } from "/explorer/dom.js";
import { count, t } from "/explorer/language.js";
import { label } from "/explorer/catalogue.js";
import { isSame, moment, valueElement } from "/explorer/values.js";

const FIRST = 30;

/** `dagster`: root of the Dagster UI, null if it is not known. */
export function historyView(types, type, events, dagster) {
  const items = events.map((event, at) => item(types, type, event, events[at - 1] ?? null, dagster));
  const list = el("ol", { class: "events" }, items.slice(0, FIRST));
  const rest = items.slice(FIRST);
  const more = rest.length > 0 && el("button", { type: "button", on: { click: () => show() } }, t("more_events", { count: rest.length }));
  const show = () => {
    list.append(...rest);
    more.remove();
    rest[0].setAttribute("tabindex", "-1");
    rest[0].focus();
  };
  return el(
    "section",
    { class: "history", "aria-labelledby": "history" },
    el("h2", { id: "history" }, t("history"), " ", el("span", { class: "number" }, count(events.length))),
    list,
    more,
  );
}

function item(types, type, event, before, dagster) {
  const kinds = { ObjectCreated: "created", ObjectUpdated: "changed", ObjectDeleted: "deleted" };
  const metadata = event.metadata ?? {};
  const run = metadata.run_id;
  const source = [metadata.asset, metadata.partition].filter(Boolean).join(" · ");
  const place = metadata.source_file && `${metadata.source_file}${metadata.line ? `, ${t("line")} ${metadata.line}` : ""}`;
  return el(
    "li",
    { class: `event ${kinds[event.event_type] ?? ""}` },
    el("h3", {}, kinds[event.event_type] ? t(kinds[event.event_type]) : event.event_type, " ", el("span", { class: "quiet" }, `${t("version")} ${event.sequence_number}`)),
    el(
      "p",
      { class: "facts" },
      el("span", {}, `${t("recorded")}: `, moment(event.recorded_at)),
      event.occurred_at && event.occurred_at !== event.recorded_at && el("span", {}, `${t("occurred")}: `, moment(event.occurred_at)),
      el("span", {}, `${t("position")} ${event.position}`),
      event.command_id && el("span", {}, `${t("command")} `, el("code", {}, event.command_id)),
      event.actor && el("span", {}, `${t("actor")} ${event.actor}`),
      source && el("span", {}, `${t("asset")}: `, el("code", {}, source)),
      place && el("span", {}, `${t("source")}: `, el("code", {}, place)),
      run && el("span", {}, dagster === null ? [`${t("run")} `, el("code", {}, run)] : el("a", { href: `${dagster}/runs/${encodeURIComponent(run)}` }, t("run_link", { run: String(run).slice(0, 8) }))),
    ),
    event.data?.skips && el("p", {}, t("skips", { sequence: event.data.skips.sequence, reason: event.data.skips.reason })),
    changes(types, type, event, before),
  );
}

function changes(types, type, event, before) {
  const rows = differences(type, before?.data?.state ?? null, event.data?.state ?? null);
  if (rows.length === 0) return null;
  const both = event.event_type === "ObjectUpdated";
  const table = el(
    "table",
    { class: "changes" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, t("property")), both && el("th", { scope: "col" }, t("before")), el("th", { scope: "col" }, both ? t("after") : t("value")))),
    el("tbody", {}, rows.map(([named, old, now]) => el("tr", {}, el("th", { scope: "row", title: named.name }, label(named)), both && el("td", { class: "before" }, value(old, named)), el("td", {}, value(both || now !== undefined ? now : old, named))))),
  );
  return both ? table : el("details", {}, el("summary", {}, t("values", { count: rows.length })), table);
}

/** `[definition, before, after]` of each property and link that is not the same; one that no longer is defined keeps its name. */
function differences(type, before, after) {
  const found = [];
  for (const [part, defined] of [["properties", type.properties], ["links", type.links]]) {
    const [old, now] = [before?.[part] ?? {}, after?.[part] ?? {}];
    const names = [...new Set([...defined.map((one) => one.name), ...Object.keys(old), ...Object.keys(now)])];
    for (const name of names) {
      if (!isSame(old[name], now[name])) {
        found.push([defined.find((one) => one.name === name) ?? { name, type: "" }, old[name], now[name]]);
      }
    }
  }
  return found;
}

function value(given, named) {
  if (Array.isArray(given)) return el("code", {}, given.map((key) => decodeURIComponent(key)).join(", "));
  return valueElement(given, named.type ? named : null);
}
