/** What a graph page holds: the start, what was opened in which order, and the nodes and links that this gives.
 *
 *  The address names the start and each opening, so the same address gives the same graph, drawn the same.
 */

import { post } from "/explorer/api.js";
import { graphAddress, keyParts } from "/explorer/addresses.js";
import { namesOf } from "/explorer/values.js";

export const FIRST = 20;
export const STEPS = [FIRST, 60, 150];
export const MOST_NODES = 300;

export class Graph {
  constructor(type, id) {
    this.start = { type, id, key: `${type}/${id}` };
    this.openings = [];
    this.answers = new Map();
  }

  /** `?open=Type/key:way:limit` for each opening. */
  read(query) {
    this.openings = new URLSearchParams(query)
      .getAll("open")
      .map((text) => /^([A-Za-z0-9]+)\/(.*):(\w+):(\d+)$/s.exec(text))
      .filter((match) => match !== null)
      .map(([, type, id, way, limit]) => ({ type, id, way, limit: Math.min(Number(limit) || FIRST, STEPS.at(-1)), key: `${type}/${id}` }));
  }

  address(openings = this.openings) {
    const query = new URLSearchParams();
    for (const one of openings) query.append("open", `${one.key}:${one.way}:${one.limit}`);
    const text = query.toString();
    return graphAddress(this.start.type, this.start.id) + (text ? `?${text}` : "");
  }

  /** Openings after one more, or with a higher limit for one that is there. */
  opened(node, way, limit) {
    const one = { type: node.type, id: node.id, way, limit, key: node.key };
    const known = this.openings.some((other) => other.key === node.key && other.way === way);
    return known ? this.openings.map((other) => (other.key === node.key && other.way === way ? one : other)) : [...this.openings, one];
  }

  /** Openings without one, and without those of nodes that then are not reached. */
  async closed(node, way) {
    const kept = this.openings.filter((other) => other.key !== node.key || other.way !== way);
    const { stages } = await this.build(kept);
    return stages.filter((stage) => stage.opening !== null).map((stage) => stage.opening);
  }

  opening(node, way) {
    return this.openings.find((one) => one.key === node.key && one.way === way) ?? null;
  }

  /** `{nodes, edges, stages}`: stages are what each opening added, in order, for drawing step by step. */
  async build(openings = this.openings) {
    const nodes = new Map();
    const edges = new Map();
    const stages = [];
    const first = await this.ask({ ...this.start, way: null, limit: 1 });
    this.take(first, nodes, edges, null);
    stages.push({ opening: null, truncated: false, full: false, nodes: [...nodes.values()], edges: [] });
    for (const opening of openings) {
      if (!nodes.has(opening.key)) continue;
      const answer = await this.ask(opening);
      const full = this.take(answer, nodes, edges, opening.key);
      stages.push({ opening, truncated: answer.truncated, full, nodes: [...nodes.values()], edges: [...edges.values()] });
    }
    return { nodes: named([...nodes.values()]), edges: [...edges.values()], stages };
  }

  /** Adds an answer; true where the drawing has no room for all of it. */
  take(answer, nodes, edges, from) {
    let full = false;
    for (const found of answer.nodes) {
      const key = `${found.type}/${found.id}`;
      if (nodes.has(key)) continue;
      if (nodes.size >= MOST_NODES) full = true;
      else nodes.set(key, { key, type: found.type, id: found.id, title: title(found), missing: found.data_status === "MISSING", from });
    }
    for (const edge of answer.edges) {
      const key = `${edge.from}\n${edge.link}\n${edge.to}`;
      if (nodes.has(edge.from) && nodes.has(edge.to)) edges.set(key, { key, ...edge });
    }
    return full;
  }

  ask({ type, id, way, limit }) {
    const key = `${type}/${id}:${way}:${limit}`;
    if (!this.answers.has(key)) {
      const hops = way === null ? [] : [{ link: way, fields: [] }];
      const asked = post("/v1/graph-queries", { start: { type, id, fields: [] }, hops, max_nodes: limit + 1, max_edges: limit });
      asked.catch(() => this.answers.delete(key));
      this.answers.set(key, asked);
    }
    return this.answers.get(key);
  }
}

/** Two of the same title are told apart by their keys. Changes the nodes, which the stages share. */
function named(nodes) {
  const name = namesOf(nodes);
  const names = nodes.map(name);
  nodes.forEach((node, at) => (node.title = names[at]));
  return nodes;
}

function title(node) {
  return node.data_status === "MISSING" || !node.title ? keyParts(node.id).join(" ") : node.title;
}
