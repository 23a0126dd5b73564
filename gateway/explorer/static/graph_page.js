/** `/graph/{type}/{key}`: a graph that grows by opening links of its nodes: the drawing, and the same as a list. */

import { Problem } from "/explorer/api.js";
import { objectAddress } from "/explorer/addresses.js";
import { arrowHeads, border, card, CARD_HEIGHT, textWidth } from "/explorer/cards.js";
import { el, replace, say, skipLink, svg } from "/explorer/dom.js";
import { arrange } from "/explorer/force_layout.js";
import { graphList } from "/explorer/graph_list.js";
import { Panel } from "/explorer/graph_panel.js";
import { Graph, MOST_NODES } from "/explorer/graph_state.js";
import { label } from "/explorer/catalogue.js";
import { language, t } from "/explorer/language.js";
import { problemView } from "/explorer/problem.js";
import { neighbour, Viewport } from "/explorer/viewport.js";

const LABELLED = 8;

export async function graphPage(main, types, type, id) {
  const page = new GraphPage(main, types, type, id);
  await page.show();
  addEventListener("popstate", () => page.show());
}

class GraphPage {
  constructor(main, types, type, id) {
    this.types = types;
    this.graph = new Graph(type, id);
    this.view = new Viewport(t("drawing_of", { name: types.label(type) }), { least: 0.6 });
    this.panel = new Panel(types, this.graph, { open: (...step) => this.open(...step), close: (...step) => this.close(...step), back: () => this.focus(this.chosen) });
    this.list = el("section", { class: "listed", "aria-labelledby": "listed" });
    this.notes = el("div", { class: "notes" });
    this.heading = el("h1", {});
    this.places = new Map();
    this.frame = el(
      "div",
      { class: "graph" },
      el("div", { class: "title" }, this.heading, el("a", { class: "button", href: objectAddress(type, id) }, t("open_object"))),
      el("div", { class: "board" }, skipLink(() => this.panel.element, t("skip_drawing")), this.view.element, this.notes, el("p", { class: "help quiet" }, t("graph_help"))),
      el("aside", { "aria-label": t("about_nodes") }, this.panel.element, this.list),
    );
    this.main = main;
    this.view.svg.addEventListener("keydown", (event) => this.key(event));
  }

  async show() {
    this.graph.read(location.search);
    const built = await this.graph.build();
    if (!this.frame.isConnected) replace(this.main, this.frame);
    this.draw(built);
  }

  async open(node, way, limit) {
    await this.step(this.graph.opened(node, way.name, limit), (before, now) => t("opened", { way: way.label, count: now - before }));
  }

  async close(node, way) {
    await this.step(await this.graph.closed(node, way.name), (before, now) => t("closed", { way: way.label, count: before - now }));
  }

  async step(openings, message) {
    const before = this.places.size;
    try {
      await this.graph.build(openings); // asked before the address says so: a refusal changes nothing
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      replace(this.notes, problemView(error));
      return;
    }
    history.pushState(null, "", this.graph.address(openings));
    await this.show();
    say(message(before, this.places.size));
  }

  draw({ nodes, edges, stages }) {
    this.places = place(stages, this.types);
    const all = [...this.places.values()];
    const start = this.places.get(this.graph.start.key);
    document.title = `${t("graph")}: ${start.title} · SPICE HARVESTER`;
    replace(this.heading, t("graph_of"), " ", start.title, " ", el("span", { class: "quiet" }, t("graph_size", { nodes: nodes.length, links: edges.length })));
    this.chosen = this.places.get(this.chosen?.key) ?? start;
    this.cards = new Map(all.map((node) => [node.key, this.card(node)]));
    this.edges = edges;
    const lines = edges.map((edge) => line(this.types, edge, this.places, edges.length <= LABELLED));
    clearOf(lines, all);
    replace(this.view.world, arrowHeads("link"), svg("g", { "aria-hidden": "true" }, lines.map((one) => one.line)), [...this.cards.values()], svg("g", { "aria-hidden": "true", class: "labels" }, lines.map((one) => one.label)));
    this.lines = lines;
    this.view.fit(bounds(all), this.chosen);
    replace(this.notes, stages.some((stage) => stage.full) && el("p", { class: "notice" }, t("no_room", { count: MOST_NODES })));
    graphList(this.list, this.types, nodes, edges, (node) => this.choose(this.places.get(node.key), { focus: true }));
    this.choose(this.chosen, { stages });
  }

  card(node) {
    return placed(
      card({
        id: node.key,
        title: node.missing ? `? ${node.title}` : node.title,
        under: under(this.types, node),
        width: node.width,
        name: `${node.title}, ${under(this.types, node)}`,
        classes: `type-${this.types.colour(node.type)}${node.missing ? " missing" : ""}${node.key === this.graph.start.key ? " start" : ""}`,
        on: {
          click: () => this.choose(node, { focus: true }),
          focus: () => this.view.reveal(node),
        },
      }),
      node,
    );
  }

  choose(node, { focus = false, stages = null } = {}) {
    this.chosen = node;
    for (const [key, element] of this.cards) element.classList.toggle("chosen", key === node.key);
    const touches = (edge) => edge.from === node.key || edge.to === node.key;
    // Around a node with many links the words would cover each other; the panel says them.
    const worded = this.edges.filter(touches).length <= LABELLED;
    for (const { edge, line: drawn, label: text } of this.lines) {
      drawn.classList.toggle("touching", touches(edge));
      text.classList.toggle("touching", worded && touches(edge));
    }
    if (stages !== null) this.stages = stages;
    this.panel.show(node, this.stages, { focus });
  }

  focus(node) {
    this.cards.get(node.key)?.focus();
  }

  key(event) {
    if (this.view.key(event)) {
      event.preventDefault();
      return;
    }
    const at = [...this.cards].find(([, element]) => element === document.activeElement);
    if (at === undefined) return;
    const node = this.places.get(at[0]);
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.choose(node, { focus: true });
    } else if (event.key.startsWith("Arrow")) {
      event.preventDefault();
      const next = neighbour([...this.places.values()], node, event.key);
      if (next !== null) this.focus(next);
    } else if (event.key === "Home" || event.key === "End") {
      event.preventDefault();
      this.focus([...this.places.values()].at(event.key === "Home" ? 0 : -1));
    }
  }
}

/** Places by key, found stage by stage: what was drawn before keeps about its place when more is opened. */
function place(stages, types) {
  const places = new Map();
  for (const stage of stages) {
    for (const node of stage.nodes) {
      if (places.has(node.key)) continue;
      const wide = Math.max(textWidth(node.missing ? `? ${node.title}` : node.title), textWidth(under(types, node)) * 0.84) + 26;
      places.set(node.key, { ...node, width: Math.max(84, Math.min(210, Math.round(wide))), height: CARD_HEIGHT });
    }
    arrange([...places.values()], stage.edges);
  }
  return places;
}

/** The second line of a card: the type, and that the object does not exist. */
function under(types, node) {
  const missing = language() === "en" ? "MISSING" : t("status_missing");
  return node.missing ? `${types.label(node.type)} · ${missing}` : types.label(node.type);
}

function bounds(nodes) {
  return {
    left: Math.min(...nodes.map((node) => node.x - node.width / 2)),
    right: Math.max(...nodes.map((node) => node.x + node.width / 2)),
    top: Math.min(...nodes.map((node) => node.y - node.height / 2)),
    bottom: Math.max(...nodes.map((node) => node.y + node.height / 2)),
  };
}

function placed(element, { x, y }) {
  element.setAttribute("transform", `translate(${x.toFixed(2)} ${y.toFixed(2)})`);
  return element;
}

function line(types, edge, places, labelled) {
  const [from, to] = [places.get(edge.from), places.get(edge.to)];
  const named = label(types.link(from.type, edge.link)) || edge.link;
  const itself = from === to;
  const [a, b] = itself ? [from, from] : [border(from, to), border(to, from, 5)];
  const path = itself ? `M${a.x + 20} ${a.y - 20}c30 -50 -70 -50 -40 0` : `M${a.x.toFixed(1)} ${a.y.toFixed(1)}L${b.x.toFixed(1)} ${b.y.toFixed(1)}`;
  return {
    edge,
    ends: itself ? [{ x: a.x, y: a.y - 58 }, { x: a.x, y: a.y - 58 }] : [a, b],
    width: textWidth(named) * 0.82,
    line: svg("path", { class: "link", d: path, "marker-end": "url(#head-link)" }),
    label: svg("text", { class: `way${labelled ? " always" : ""}` }, named),
  };
}

/** Puts each line's words where no card and no other words are, as near to its middle as can be. */
function clearOf(lines, cards) {
  const taken = cards.map((one) => ({ x: one.x, y: one.y, wide: one.width / 2, high: one.height / 2 }));
  for (const { ends, width, label: text } of lines) {
    const box = (share) => ({ x: ends[0].x + (ends[1].x - ends[0].x) * share, y: ends[0].y + (ends[1].y - ends[0].y) * share, wide: width / 2, high: 8 });
    const free = (one) => taken.every((other) => Math.abs(one.x - other.x) > one.wide + other.wide || Math.abs(one.y - other.y) > one.high + other.high);
    const place = [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8].map(box).find(free) ?? box(0.5);
    taken.push(place);
    text.setAttribute("x", place.x.toFixed(1));
    text.setAttribute("y", (place.y + 4).toFixed(1));
  }
}
