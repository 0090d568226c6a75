// Runs a parsed query over the items of a container, one page at a time.
import { compile, hasAggregate, objectOf } from './evaluate.mjs';
import { SqlError, parse } from './parse.mjs';
import { deepEqual, order } from './values.mjs';

// A page ends at this many bytes, however many items were asked for.
const PAGE_BYTES = 4 * 1024 * 1024;
const parsed = new Map();

export function prepare(text) {
  let query = parsed.get(text);
  if (!query) {
    query = parse(text);
    query.aggregates = hasAggregate(query.select);
    if (parsed.size >= 200) parsed.delete(parsed.keys().next().value);
    parsed.set(text, query);
  }
  return query;
}

// What a gateway cannot answer by asking the partitions one after the other.
export function needsClient(query) {
  return Boolean(query.top || query.offset || query.distinct || query.aggregates || query.groupBy.length || query.orderBy.length);
}

function sources(from, scope) {
  let expand = null;
  for (const source of from) {
    const { path, each } = source;
    if (path === null) {
      scope.aliases.push(source.alias);
      continue;
    }
    // Names inside the first source's path mean the container: `FROM c.children`.
    const first = scope.aliases.length === 0;
    const value = compile(path, first ? { ...scope, aliases: [rootOf(path)] } : { ...scope, aliases: [...scope.aliases] });
    const before = expand ?? ((row) => [row]);
    expand = (row) => before(row).flatMap((outer) => {
      const got = value(outer);
      const list = each ? (Array.isArray(got) ? got : []) : got === undefined ? [] : [got];
      return list.map((item) => (first ? [item] : [...outer, item]));
    });
    scope.aliases.push(source.alias);
  }
  return expand;
}

function rootOf(path) {
  return path.kind === 'name' ? path.name : rootOf(path.object);
}

function projection(query, scope) {
  const { select } = query;
  if (select.kind === 'all') {
    if (scope.aliases.length !== 1) throw new SqlError("'SELECT *' is only valid with a single input set.");
    return (row) => row[0];
  }
  if (select.kind === 'value') return compile(select.value, scope);
  const members = select.properties.map(({ name, value }) => [name, compile(value, scope)]);
  return (row) => objectOf(members, row);
}

function amount(node, scope) {
  if (!node) return null;
  const value = compile(node, scope)([]);
  if (!Number.isInteger(value) || value < 0) throw new SqlError('TOP, OFFSET and LIMIT take a whole number that is not negative.');
  return value;
}

// Offset, limit and where, ready to run.
function plan(query, parameters) {
  const scope = { aliases: [], parameters };
  const expand = query.from ? sources(query.from, scope) : null;
  const where = query.where ? compile(query.where, scope) : null;
  const top = amount(query.top, scope);
  return {
    scope,
    expand,
    matches: where ? (row) => where(row) === true : () => true,
    offset: amount(query.offset, scope) ?? 0,
    limit: top ?? amount(query.limit, scope) ?? Infinity,
    project: projection(query, scope),
    group: query.groupBy.map((by) => compile(by, scope)),
    keys: query.orderBy.map(({ by, descending }) => ({ value: compile(by, scope), descending })),
  };
}

function* rowsOf(items, steps) {
  for (const item of items) {
    if (!steps.expand) {
      const row = [item.doc];
      if (steps.matches(row)) yield { row, item };
    } else {
      for (const row of steps.expand([item.doc])) if (steps.matches(row)) yield { row, item };
    }
  }
}

class Page {
  constructor(maxItems) {
    this.results = [];
    this.left = maxItems;
    this.bytes = 0;
  }

  // False when the page was full before this value.
  add(value, bytes) {
    if (this.left <= 0 || (this.results.length && this.bytes + bytes > PAGE_BYTES)) return false;
    this.results.push(value);
    this.bytes += bytes;
    this.left -= 1;
    return true;
  }
}

const sizeOf = (value, item) => (value === item?.doc ? item.size : Buffer.byteLength(JSON.stringify(value)));

function streamed(items, steps, page, token) {
  let { skipped = 0, taken = 0 } = token;
  let last = token.after ?? 0;
  for (const { row, item } of rowsOf(items.since(last), steps)) {
    if (taken >= steps.limit) return null;
    const value = steps.project(row);
    if (value === undefined) continue;
    if (skipped < steps.offset) {
      skipped += 1;
    } else {
      if (!page.add(value, sizeOf(value, item))) return { after: last, skipped, taken };
      taken += 1;
    }
    last = item.seq;
  }
  return null;
}

function grouped(items, query, steps) {
  const groups = new Map();
  for (const { row } of rowsOf(items.since(0), steps)) {
    const key = JSON.stringify(steps.group.map((by) => by(row) ?? { undefined: true }));
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  if (!query.groupBy.length && !groups.size) groups.set('', []);
  return [...groups.values()].map((group) => {
    const row = [...(group[0] ?? [])];
    row.group = group;
    return steps.project(row);
  }).filter((value) => value !== undefined);
}

function comparator(keys) {
  return (a, b) => {
    for (let i = 0; i < keys.length; i += 1) {
      const result = order(a.key[i], b.key[i]);
      if (result) return keys[i].descending ? -result : result;
    }
    return a.seq - b.seq;
  };
}

function sorted(items, steps) {
  const list = [];
  for (const { row, item } of rowsOf(items.since(0), steps)) {
    list.push({ row, item, seq: item.seq, key: steps.keys.map(({ value }) => value(row)) });
  }
  return list.sort(comparator(steps.keys));
}

function distinct(values) {
  const seen = new Map();
  return values.filter((value) => {
    const hash = typeof value === 'object' && value ? Object.keys(value).length : value;
    const same = seen.get(hash);
    if (!same) return seen.set(hash, [value]);
    if (same.some((other) => deepEqual(other, value))) return false;
    return same.push(value);
  });
}

// Sorted rows of the last few ordered queries, so that paging through one does not sort for every page.
const recent = [];

function sortedCached(items, steps, key) {
  const found = recent.find((entry) => entry.key === key && entry.owner === items.owner && entry.version === items.owner.version);
  if (found) return found.list;
  const list = sorted(items, steps);
  recent.unshift({ key, owner: items.owner, version: items.owner.version, list });
  recent.length = Math.min(recent.length, 4);
  return list;
}

// Resumes behind the row that the token names, so rows added meanwhile are seen or not as their place says.
function ordered(items, steps, page, token, key) {
  const list = sortedCached(items, steps, key);
  let at = 0;
  if (token.key) {
    const compareRows = comparator(steps.keys);
    const mark = { key: token.key.map((part) => part[0]), seq: token.after };
    let high = list.length;
    while (at < high) {
      const middle = (at + high) >> 1;
      if (compareRows(list[middle], mark) <= 0) at = middle + 1;
      else high = middle;
    }
  }
  let { skipped = 0, taken = 0 } = token;
  let last = null;
  for (; at < list.length; at += 1) {
    if (taken >= steps.limit) return null;
    const entry = list[at];
    const value = steps.project(entry.row);
    if (value === undefined) continue;
    if (skipped < steps.offset) {
      skipped += 1;
    } else {
      if (!page.add(value, sizeOf(value, entry.item))) {
        const mark = last ?? entry;
        return { key: mark.key.map((part) => (part === undefined ? [] : [part])), after: mark.seq, skipped, taken };
      }
      taken += 1;
    }
    last = entry;
  }
  return null;
}

// The rest has no order that survives a write: pages are cut by position.
function positioned(values, steps, page, token) {
  const list = values.slice(steps.offset, steps.offset + steps.limit);
  for (let at = token.position ?? 0; at < list.length; at += 1) {
    if (!page.add(list[at], sizeOf(list[at]))) return { position: at };
  }
  return null;
}

// `items`: {owner, since(seq)} of one partition or of all. Returns the results and the next token, if there is more.
export function run(query, text, { items, parameters, maxItems, token = {} }) {
  const steps = plan(query, parameters);
  const page = new Page(maxItems);
  let next;
  if (!query.from) {
    const value = query.aggregates ? grouped({ since: () => [] }, query, steps)[0] : steps.project([]);
    next = positioned([value].filter((got) => got !== undefined), steps, page, token);
  } else if (query.aggregates || query.groupBy.length) {
    if (query.orderBy.length) throw new SqlError("'ORDER BY' is not supported together with 'GROUP BY' or aggregates.");
    const values = grouped(items, query, steps);
    next = positioned(query.distinct ? distinct(values) : values, steps, page, token);
  } else if (query.distinct || steps.expand) {
    const rows = query.orderBy.length ? sorted(items, steps) : [...rowsOf(items.since(0), steps)];
    const values = rows.map(({ row }) => steps.project(row)).filter((value) => value !== undefined);
    next = positioned(query.distinct ? distinct(values) : values, steps, page, token);
  } else if (query.orderBy.length) {
    const key = JSON.stringify([text, [...parameters], items.partition]);
    next = ordered(items, steps, page, token, key);
  } else {
    next = streamed(items, steps, page, token);
  }
  return { results: page.results, bytes: page.bytes, next };
}
