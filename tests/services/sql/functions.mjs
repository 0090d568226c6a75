// The built-in functions of the service's SQL that clients use. Wrong argument types give undefined, as there.
import { deepEqual, typeOf } from './values.mjs';

const texts = (run) => (...args) => (args.every((arg) => typeof arg === 'string') ? run(...args) : undefined);
const numbers = (run) => (...args) => (args.every((arg) => typeof arg === 'number') ? run(...args) : undefined);
const search = (run) => (text, part, ignoreCase) => {
  if (typeof text !== 'string' || typeof part !== 'string') return undefined;
  return ignoreCase === true ? run(text.toLowerCase(), part.toLowerCase()) : run(text, part);
};
const isType = (...types) => (value) => types.includes(typeOf(value));

function contains(item, part) {
  if (typeOf(part) !== 'object' || typeOf(item) !== 'object') return deepEqual(item, part);
  return Object.keys(part).every((key) => Object.hasOwn(item, key) && deepEqual(item[key], part[key]));
}

export const FUNCTIONS = {
  IS_DEFINED: (value) => value !== undefined,
  IS_NULL: isType('null'),
  IS_BOOL: isType('boolean'),
  IS_NUMBER: isType('number'),
  IS_INTEGER: (value) => Number.isInteger(value),
  IS_STRING: isType('string'),
  IS_ARRAY: isType('array'),
  IS_OBJECT: isType('object'),
  IS_PRIMITIVE: isType('null', 'boolean', 'number', 'string'),
  CONTAINS: search((text, part) => text.includes(part)),
  STARTSWITH: search((text, part) => text.startsWith(part)),
  ENDSWITH: search((text, part) => text.endsWith(part)),
  STRINGEQUALS: search((text, part) => text === part),
  INDEX_OF: texts((text, part) => text.indexOf(part)),
  LENGTH: texts((text) => [...text].length),
  LOWER: texts((text) => text.toLowerCase()),
  UPPER: texts((text) => text.toUpperCase()),
  TRIM: texts((text) => text.trim()),
  LTRIM: texts((text) => text.trimStart()),
  RTRIM: texts((text) => text.trimEnd()),
  CONCAT: texts((...all) => all.join('')),
  REPLACE: texts((text, from, to) => text.replaceAll(from, () => to)),
  SUBSTRING: (text, from, length) => {
    if (typeof text !== 'string' || typeof from !== 'number' || typeof length !== 'number') return undefined;
    return text.slice(from, from + Math.max(length, 0));
  },
  LEFT: (text, length) => (typeof text === 'string' && typeof length === 'number' ? text.slice(0, Math.max(length, 0)) : undefined),
  RIGHT: (text, length) => {
    if (typeof text !== 'string' || typeof length !== 'number') return undefined;
    return length > 0 ? text.slice(-length) : '';
  },
  REGEXMATCH: texts((text, pattern, flags = '') => new RegExp(pattern, flags.replace(/[^imsu]/g, '')).test(text)),
  TOSTRING: (value) => (value === undefined ? undefined : typeof value === 'string' ? value : JSON.stringify(value)),
  STRINGTONUMBER: texts((text) => (text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : undefined)),
  ABS: numbers(Math.abs),
  CEILING: numbers(Math.ceil),
  FLOOR: numbers(Math.floor),
  ROUND: numbers((value) => Math.sign(value) * Math.round(Math.abs(value))),
  ARRAY_LENGTH: (value) => (Array.isArray(value) ? value.length : undefined),
  ARRAY_CONTAINS: (list, part, partial) => {
    if (!Array.isArray(list)) return undefined;
    return list.some((item) => (partial === true ? contains(item, part) : deepEqual(item, part)));
  },
  GETCURRENTTIMESTAMP: () => Date.now(),
};

export const AGGREGATES = {
  COUNT: (values) => values.filter((value) => value !== undefined).length,
  SUM: (values) => {
    const defined = values.filter((value) => value !== undefined);
    return defined.every((value) => typeof value === 'number') ? defined.reduce((sum, value) => sum + value, 0) : undefined;
  },
  AVG: (values) => {
    const defined = values.filter((value) => value !== undefined);
    if (!defined.length || !defined.every((value) => typeof value === 'number')) return undefined;
    return defined.reduce((sum, value) => sum + value, 0) / defined.length;
  },
};
