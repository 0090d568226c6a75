// How the service compares values: undefined is contagious, types are ordered, nothing is converted.

const ORDER = { undefined: 0, null: 1, boolean: 2, number: 3, string: 4, array: 5, object: 6 };

export function typeOf(value) {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

export function deepEqual(a, b) {
  if (a === b) return true;
  const type = typeOf(a);
  if (type !== typeOf(b)) return false;
  if (type === 'array') return a.length === b.length && a.every((item, i) => deepEqual(item, b[i]));
  if (type !== 'object') return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && deepEqual(a[key], b[key]));
}

export function equal(a, b) {
  if (a === undefined || b === undefined) return undefined;
  return deepEqual(a, b);
}

// Strings are ordered by code point, as UTF-8 bytes are; JavaScript's own order differs beyond the basic plane.
function compareText(a, b) {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) {
      const xHigh = x >= 0xd800 && x < 0xe000;
      const yHigh = y >= 0xd800 && y < 0xe000;
      if (xHigh !== yHigh) return xHigh ? (y >= 0xe000 ? 1 : x < y ? -1 : 1) : x >= 0xe000 ? -1 : x < y ? -1 : 1;
      return x < y ? -1 : 1;
    }
  }
  return a.length < b.length ? -1 : 1;
}

// Order among values of any type, for ORDER BY: by type first.
export function order(a, b) {
  if (a === b) return 0;
  if (typeof a === 'number' && typeof b === 'number') return a < b ? -1 : 1;
  const type = typeOf(a);
  const other = typeOf(b);
  if (type !== other) return ORDER[type] - ORDER[other];
  if (type === 'string') return compareText(a, b);
  if (type === 'boolean') return a ? 1 : -1;
  return 0;
}

const SCALAR = new Set(['null', 'boolean', 'number', 'string']);

// `<` and its like: undefined unless both are scalars of one type.
export function compare(operator, a, b) {
  const type = typeOf(a);
  if (type !== typeOf(b) || !SCALAR.has(type)) return undefined;
  const result = order(a, b);
  if (operator === '<') return result < 0;
  if (operator === '<=') return result <= 0;
  if (operator === '>') return result > 0;
  return result >= 0;
}
