// Partial updates: paths are JSON pointers, parents must exist, ten operations at most.
import { badRequest } from './answers.mjs';

const SYSTEM = new Set(['_rid', '_self', '_etag', '_attachments', '_ts']);
const LIMIT = 10;

function pointer(path, name = 'path') {
  if (typeof path !== 'string' || !path.startsWith('/') || path.length < 2) throw badRequest(`The patch ${name} '${path}' is not a valid path.`);
  const keys = path.slice(1).split('/').map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (SYSTEM.has(keys[0])) throw badRequest(`Cannot patch system property ${keys[0]}.`);
  return keys;
}

const isContainer = (value) => value !== null && typeof value === 'object';

function parentOf(doc, keys) {
  let parent = doc;
  for (const key of keys.slice(0, -1)) {
    if (!isContainer(parent) || !Object.hasOwn(parent, key)) throw badRequest('Add Operation can only create a child object of an existing node (array or object) and cannot create path recursively, no path found beyond the missing parent.');
    parent = parent[key];
  }
  if (!isContainer(parent)) throw badRequest('The parent of the patched path is neither an object nor an array.');
  return parent;
}

function index(parent, key, length) {
  if (!/^(0|[1-9]\d*)$/.test(key) || Number(key) > length) throw badRequest(`The array index '${key}' is out of range.`);
  return Number(key);
}

function put(parent, key, value) {
  Object.defineProperty(parent, key, { value, enumerable: true, writable: true, configurable: true });
}

function absent(parent, key, verb) {
  if (!Object.hasOwn(parent, key) || (Array.isArray(parent) && key === 'length')) throw badRequest(`Node to be ${verb} is absent.`);
}

function add(doc, keys, value, replaceInArrays) {
  const parent = parentOf(doc, keys);
  const key = keys.at(-1);
  if (!Array.isArray(parent)) put(parent, key, value);
  else if (key === '-') parent.push(value);
  else {
    const at = index(parent, key, parent.length);
    parent.splice(at, replaceInArrays && at < parent.length ? 1 : 0, value);
  }
}

function remove(doc, keys) {
  const parent = parentOf(doc, keys);
  const key = keys.at(-1);
  absent(parent, key, 'removed');
  if (Array.isArray(parent)) return parent.splice(index(parent, key, parent.length - 1), 1)[0];
  const value = parent[key];
  delete parent[key];
  return value;
}

function apply(doc, { op, path, value, from }) {
  const keys = pointer(path);
  if (value === undefined && op !== 'remove' && op !== 'move') throw badRequest(`The operation ${op} needs a value.`);
  switch (op) {
    case 'add':
      return add(doc, keys, value, false);
    case 'set':
      return add(doc, keys, value, true);
    case 'replace': {
      const parent = parentOf(doc, keys);
      absent(parent, keys.at(-1), 'replaced');
      return put(parent, keys.at(-1), value);
    }
    case 'remove':
      return remove(doc, keys);
    case 'incr':
    case 'increment': {
      const parent = parentOf(doc, keys);
      const before = Object.hasOwn(parent, keys.at(-1)) ? parent[keys.at(-1)] : 0;
      if (typeof before !== 'number' || typeof value !== 'number') throw badRequest('Increment takes a number on a number.');
      return put(parent, keys.at(-1), before + value);
    }
    case 'move': {
      const source = pointer(from, 'from');
      if (`${path}/`.startsWith(`${from}/`)) throw badRequest("The 'path' of a move must not be the 'from' or a child of it.");
      return add(doc, keys, remove(doc, source), true);
    }
    default:
      throw badRequest(`Unsupported patch operation '${op}'.`);
  }
}

// A changed copy of `doc`; nothing is changed when one operation is refused.
export function patched(doc, operations) {
  if (!Array.isArray(operations) || !operations.length) throw badRequest('A patch needs at least one operation.');
  if (operations.length > LIMIT) throw badRequest("The number of patch operations can't exceed 10.");
  const copy = structuredClone(doc);
  operations.forEach((operation, i) => {
    try {
      apply(copy, operation ?? {});
    } catch (error) {
      error.message = `For Operation(${i + 1}): ${error.message}`;
      throw error;
    }
  });
  return copy;
}
