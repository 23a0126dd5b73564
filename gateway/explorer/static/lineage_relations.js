/** What a column is made of, and what is made of it. Pure.
 *
 *  Every table has a node for its rows (column `*`). What decides about the rows is behind each column of the table, and
 *  each column is ahead of it.
 */

export const ROWS = "*";

export const isRows = (node) => node.column === ROWS || node.column.endsWith(`.${ROWS}`);

/** `{up, down}`: ids behind and ahead of a node, itself included. */
export function related(id, nodes, edges) {
  const rows = new Map(nodes.filter(isRows).map((node) => [place(node), node.id]));
  const members = new Map();
  for (const node of nodes) if (!isRows(node)) add(members, rows.get(place(node)), node.id);
  const into = new Map();
  const outOf = new Map();
  for (const edge of edges) {
    add(into, edge.to, edge.from);
    add(outOf, edge.from, edge.to);
  }
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const rowsOf = (one) => (byId.has(one) && rows.has(place(byId.get(one))) ? [rows.get(place(byId.get(one)))] : []);
  return {
    up: reached(id, (one) => [...(into.get(one) ?? []), ...rowsOf(one)]),
    down: reached(id, (one) => [...(outOf.get(one) ?? []), ...(members.get(one) ?? [])]),
  };
}

/** The table, and in one that holds several types' fields the type. */
function place(node) {
  return `${node.table}#${node.object_type ?? ""}`;
}

function add(lists, key, value) {
  if (!lists.has(key)) lists.set(key, []);
  lists.get(key).push(value);
}

function reached(start, following) {
  const found = new Set([start]);
  const waiting = [start];
  while (waiting.length > 0) {
    for (const id of following(waiting.pop())) {
      if (!found.has(id)) waiting.push(id);
      found.add(id);
    }
  }
  return found;
}
