/** Places for the cards of a graph: springs along links, repulsion between all, then cards that overlap are moved apart.
 *
 *  The same nodes and links in the same order always give the same places: no clock, no random number. Springs work for a
 *  fixed number of rounds. Distances downwards count half as much again, since cards are wide and low.
 */

const ROUNDS = 160;
const LENGTH = 150;
const STRETCH = 1.55;
const GOLDEN = Math.PI * (3 - Math.sqrt(5));
const GAP_X = 18;
const GAP_Y = 14;
const APART_ROUNDS = 120;
const WIDEN = 1.12;

/** `nodes`: `{key, width, height, x?, y?, from?}`, given places where there are none yet; those that have one yield less. */
export function arrange(nodes, edges) {
  const at = new Map(nodes.map((node, index) => [node.key, index]));
  const pairs = edges.map((edge) => [at.get(edge.from), at.get(edge.to)]).filter(([a, b]) => a !== undefined && b !== undefined && a !== b);
  const settled = nodes.map((node) => node.x !== undefined);
  seed(nodes, at);
  const xs = nodes.map((node) => node.x);
  const ys = nodes.map((node) => node.y * STRETCH);
  for (let round = 0; round < ROUNDS; round += 1) step(xs, ys, pairs, settled, 60 * (1 - round / ROUNDS) ** 1.5 + 0.5);
  nodes.forEach((node, index) => {
    node.x = xs[index];
    node.y = ys[index] / STRETCH;
  });
  // Where cards are too crowded to find room among the others, all of them get more.
  while (!movedApart(nodes)) {
    for (const node of nodes) {
      node.x *= WIDEN;
      node.y *= WIDEN;
    }
  }
}

/** New nodes start around the one that they hang on, on a spiral, away from the middle of what is there. */
function seed(nodes, at) {
  const started = new Map();
  for (const node of nodes) {
    if (node.x !== undefined) continue;
    const parent = nodes[at.get(node.from)];
    const turn = started.get(node.from) ?? 0;
    started.set(node.from, turn + 1);
    const [x, y] = parent?.x === undefined ? [0, 0] : [parent.x, parent.y];
    const outward = Math.atan2(y, x);
    const radius = parent === undefined ? 0 : LENGTH * (0.6 + 0.12 * Math.sqrt(turn));
    node.x = x + radius * Math.cos(outward + turn * GOLDEN) + (x === 0 ? 0 : Math.sign(x) * LENGTH * 0.4);
    node.y = y + (radius * Math.sin(outward + turn * GOLDEN)) / STRETCH;
  }
}

function step(xs, ys, pairs, settled, heat) {
  const size = xs.length;
  const fx = new Float64Array(size);
  const fy = new Float64Array(size);
  for (let a = 0; a < size; a += 1) {
    for (let b = a + 1; b < size; b += 1) {
      let dx = xs[a] - xs[b];
      let dy = ys[a] - ys[b];
      if (dx === 0 && dy === 0) [dx, dy] = [0.1 * (a - b), 0.1];
      const push = (LENGTH * LENGTH) / (dx * dx + dy * dy);
      fx[a] += dx * push;
      fy[a] += dy * push;
      fx[b] -= dx * push;
      fy[b] -= dy * push;
    }
  }
  for (const [a, b] of pairs) {
    const [dx, dy] = [xs[a] - xs[b], ys[a] - ys[b]];
    const pull = Math.hypot(dx, dy) / LENGTH;
    fx[a] -= dx * pull;
    fy[a] -= dy * pull;
    fx[b] += dx * pull;
    fy[b] += dy * pull;
  }
  for (let a = 0; a < size; a += 1) {
    fx[a] -= xs[a] * 0.06;
    fy[a] -= ys[a] * 0.06;
    const force = Math.hypot(fx[a], fy[a]) || 1;
    const most = Math.min(force, heat) * (settled[a] ? 0.3 : 1);
    xs[a] += (fx[a] / force) * most;
    ys[a] += (fy[a] / force) * most;
  }
}

/** True once no card is over another, false if that takes too many rounds. */
function movedApart(nodes) {
  for (let round = 0; round < APART_ROUNDS; round += 1) {
    let moved = false;
    for (let a = 0; a < nodes.length; a += 1) {
      for (let b = a + 1; b < nodes.length; b += 1) {
        const [one, other] = [nodes[a], nodes[b]];
        const overX = (one.width + other.width) / 2 + GAP_X - Math.abs(one.x - other.x);
        const overY = (one.height + other.height) / 2 + GAP_Y - Math.abs(one.y - other.y);
        if (overX <= 0 || overY <= 0) continue;
        moved = true;
        if (overY <= overX) {
          const way = (one.y < other.y || (one.y === other.y && a < b) ? -1 : 1) * (overY / 2 + 0.5);
          one.y += way;
          other.y -= way;
        } else {
          const way = (one.x < other.x || (one.x === other.x && a < b) ? -1 : 1) * (overX / 2 + 0.5);
          one.x += way;
          other.x -= way;
        }
      }
    }
    if (!moved) return true;
  }
  return false;
}
