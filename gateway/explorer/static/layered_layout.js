/** Places for a lineage: columns from left to right by layer, within a layer by what is made from what. Pure. */

export const LAYERS = ["file", "raw", "clean", "transform", "object", "event", "topic", "index"];
export const HEIGHT = 42;
const WIDTHS = { few: 168, many: 142 };
const FEW = 8;
const GAP_Y = 8;
const TABLE_GAP = 38;
const SPACE = 38;
const LOW = 640;

/** Sets `x`, `y`, `rank` of each node, whose `height` is given; returns `{columns: [{layer, x}], tables: [..], bottom, width}`. */
export function layered(nodes, edges) {
  const columns = ranked(nodes, edges);
  const before = links(edges, "to", "from");
  const after = links(edges, "from", "to");
  const places = new Map();
  for (let sweep = 0; sweep < 6; sweep += 1) {
    const forward = sweep % 2 === 0;
    for (const column of forward ? columns : columns.toReversed()) order(column.nodes, forward ? before : after, places);
  }
  const width = columns.length <= FEW ? WIDTHS.few : WIDTHS.many;
  for (const column of columns) {
    column.x = column.rank * (width + SPACE);
    stack(column, width);
  }
  const tallest = Math.max(0, ...columns.map((column) => column.bottom));
  for (const column of columns) {
    // In the middle of a low drawing; at the top of a high one, where the page begins.
    const down = tallest <= LOW ? (tallest - column.bottom) / 2 : 0;
    for (const node of column.nodes) node.y += down;
    for (const table of column.tables) {
      table.top += down;
      table.bottom += down;
    }
  }
  return { columns, tables: columns.flatMap((column) => column.tables), bottom: tallest, width };
}

/** Columns in order: a layer begins right of all earlier ones; inside it a node stands right of what it is made from. */
function ranked(nodes, edges) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const columns = [];
  for (const layer of [...LAYERS, null]) {
    const inside = nodes.filter((node) => (layer === null ? !LAYERS.includes(node.layer) : node.layer === layer));
    const depth = new Map();
    const of = (id, way) => {
      if (depth.has(id)) return depth.get(id);
      if (way.has(id)) return 0; // a circle, which no lineage has: drawn anyway
      const sources = edges.filter((edge) => edge.to === id && edge.from !== id && byId.get(edge.from)?.layer === byId.get(id).layer);
      const found = sources.length === 0 ? 0 : 1 + Math.max(...sources.map((edge) => of(edge.from, new Set([...way, id]))));
      depth.set(id, found);
      return found;
    };
    // The nodes of one table stand in one column, as far right as the last of them needs.
    const tables = new Map();
    for (const node of inside) tables.set(node.table, Math.max(tables.get(node.table) ?? 0, of(node.id, new Set())));
    const ranks = [...new Set(tables.values())].sort((a, b) => a - b);
    for (const rank of ranks) {
      const here = inside.filter((node) => tables.get(node.table) === rank);
      columns.push({ layer, rank: columns.length, nodes: here });
      for (const node of here) node.rank = columns.length - 1;
    }
  }
  return columns;
}

function links(edges, of, to) {
  const found = new Map();
  for (const edge of edges) found.set(edge[of], [...(found.get(edge[of]) ?? []), edge[to]]);
  return found;
}



/** Tables by the mean of their nodes' neighbours, nodes within a table likewise; ties keep their order. */
function order(nodes, neighbours, places) {
  const mean = (node) => {
    const known = (neighbours.get(node.id) ?? []).map((id) => places.get(id)).filter((one) => one !== undefined);
    return known.length === 0 ? (places.get(node.id) ?? 0) : known.reduce((sum, one) => sum + one, 0) / known.length;
  };
  const means = new Map(nodes.map((node) => [node.id, mean(node)]));
  const tables = new Map();
  for (const node of nodes) tables.set(node.table, [...(tables.get(node.table) ?? []), means.get(node.id)]);
  const middle = new Map([...tables].map(([table, all]) => [table, all.reduce((sum, one) => sum + one, 0) / all.length]));
  nodes.sort((a, b) => (a.table === b.table ? means.get(a.id) - means.get(b.id) : middle.get(a.table) - middle.get(b.table) || (a.table < b.table ? -1 : 1)));
  nodes.forEach((node, at) => places.set(node.id, at));
}

function stack(column, width) {
  let y = 0;
  column.tables = [];
  let table = null;
  for (const node of column.nodes) {
    if (table === null || table.name !== node.table) {
      if (table !== null) y += TABLE_GAP - GAP_Y;
      table = { name: node.table, x: column.x, top: y, bottom: y, rank: column.rank };
      column.tables.push(table);
    }
    node.x = column.x;
    node.y = y + node.height / 2;
    node.width = width;
    table.bottom = y + node.height;
    y += node.height + GAP_Y;
  }
  column.bottom = Math.max(0, y - GAP_Y);
}
