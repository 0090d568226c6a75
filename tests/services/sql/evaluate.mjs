// Expressions of the tree as closures over a row: `row` is the array of the values of the FROM aliases.
import { AGGREGATES, FUNCTIONS } from './functions.mjs';
import { SqlError } from './parse.mjs';
import { compare, equal, order, typeOf } from './values.mjs';

const ARITHMETIC = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
  '|': (a, b) => a | b,
  '&': (a, b) => a & b,
  '^': (a, b) => a ^ b,
  '<<': (a, b) => a << b,
  '>>': (a, b) => a >> b,
  '>>>': (a, b) => a >>> b,
};

export function isAggregate(node) {
  return node.kind === 'call' && (Object.hasOwn(AGGREGATES, node.name) || node.name === 'MIN' || node.name === 'MAX');
}

export function hasAggregate(node) {
  if (!node || typeof node !== 'object') return false;
  if (isAggregate(node)) return true;
  return Object.values(node).some((child) => (Array.isArray(child) ? child.some(hasAggregate) : hasAggregate(child)));
}

function extreme(values, sign) {
  const defined = values.filter((value) => value !== undefined);
  if (!defined.length || defined.some((value) => typeOf(value) === 'array' || typeOf(value) === 'object')) return undefined;
  return defined.reduce((best, value) => (order(value, best) * sign > 0 ? value : best));
}

function likePattern(pattern, escape) {
  let source = '';
  for (let i = 0; i < pattern.length; i += 1) {
    const char = pattern[i];
    if (char === escape && i + 1 < pattern.length) {
      i += 1;
      source += pattern[i].replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
    } else if (char === '%') source += '[^]*';
    else if (char === '_') source += '[^]';
    else if (char === '[' && pattern.indexOf(']', i) > i) {
      const end = pattern.indexOf(']', i);
      source += `[${pattern.slice(i + 1, end).replace(/[\\\]]/g, '\\$&')}]`;
      i = end;
    } else source += char.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  }
  return new RegExp(`^${source}$`);
}

function binary(operator, left, right) {
  switch (operator) {
    case 'AND':
      return (row) => {
        const a = left(row);
        if (a === false) return false;
        const b = right(row);
        if (b === false) return false;
        return a === true && b === true ? true : undefined;
      };
    case 'OR':
      return (row) => {
        const a = left(row);
        if (a === true) return true;
        const b = right(row);
        if (b === true) return true;
        return a === false && b === false ? false : undefined;
      };
    case '=':
      return (row) => equal(left(row), right(row));
    case '!=':
      return (row) => {
        const same = equal(left(row), right(row));
        return same === undefined ? undefined : !same;
      };
    case '<':
    case '<=':
    case '>':
    case '>=':
      return (row) => compare(operator, left(row), right(row));
    case '??':
      // For what is undefined; null is a value.
      return (row) => {
        const value = left(row);
        return value === undefined ? right(row) : value;
      };
    case '||':
      return (row) => {
        const a = left(row);
        const b = right(row);
        return typeof a === 'string' && typeof b === 'string' ? a + b : undefined;
      };
    default: {
      const run = ARITHMETIC[operator];
      return (row) => {
        const a = left(row);
        const b = right(row);
        return typeof a === 'number' && typeof b === 'number' ? run(a, b) : undefined;
      };
    }
  }
}

// `scope`: aliases in the order of the row, parameter values by name, and `rows` when inside an aggregate query.
export function compile(node, scope) {
  const inner = (child) => compile(child, scope);
  switch (node.kind) {
    case 'constant':
      return () => node.value;
    case 'parameter': {
      if (!scope.parameters.has(node.name)) throw new SqlError(`Parameter ${node.name} was not given.`);
      const value = scope.parameters.get(node.name);
      return () => value;
    }
    case 'name': {
      const index = scope.aliases.indexOf(node.name);
      if (index < 0) throw new SqlError(`Identifier '${node.name}' could not be resolved.`);
      return (row) => row[index];
    }
    case 'member': {
      const object = inner(node.object);
      const key = inner(node.key);
      return (row) => {
        const value = object(row);
        if (value === null || typeof value !== 'object') return undefined;
        const name = key(row);
        const fits = Array.isArray(value) ? typeof name === 'number' : typeof name === 'string';
        return fits && Object.hasOwn(value, name) ? value[name] : undefined;
      };
    }
    case 'unary': {
      const value = inner(node.value);
      if (node.operator === 'NOT') {
        return (row) => {
          const result = value(row);
          return typeof result === 'boolean' ? !result : undefined;
        };
      }
      const run = { '-': (n) => -n, '+': (n) => n, '~': (n) => ~n }[node.operator];
      return (row) => {
        const result = value(row);
        return typeof result === 'number' ? run(result) : undefined;
      };
    }
    case 'binary':
      return binary(node.operator, inner(node.left), inner(node.right));
    case 'between': {
      const parts = [node.value, node.low, node.high].map(inner);
      const above = binary('>=', parts[0], parts[1]);
      return binary('AND', above, binary('<=', parts[0], parts[2]));
    }
    case 'in': {
      const value = inner(node.value);
      const list = node.list.map(inner);
      return (row) => {
        const wanted = value(row);
        if (wanted === undefined) return undefined;
        return list.some((item) => equal(wanted, item(row)) === true);
      };
    }
    case 'like': {
      const value = inner(node.value);
      const pattern = inner(node.pattern)([]);
      const expression = typeof pattern === 'string' ? likePattern(pattern, node.escape?.value) : null;
      return (row) => {
        const text = value(row);
        return expression && typeof text === 'string' ? expression.test(text) : undefined;
      };
    }
    case 'conditional': {
      const [test, yes, no] = [node.test, node.yes, node.no].map(inner);
      return (row) => (test(row) === true ? yes(row) : no(row));
    }
    case 'array': {
      const items = node.items.map(inner);
      return (row) => items.map((item) => item(row)).filter((item) => item !== undefined);
    }
    case 'object': {
      const members = node.members.map(({ name, value }) => [name, inner(value)]);
      return (row) => objectOf(members, row);
    }
    case 'call':
      return isAggregate(node) ? aggregate(node, scope) : call(node, inner);
    default:
      throw new SqlError(`Unknown expression '${node.kind}'.`);
  }
}

export function objectOf(members, row) {
  const result = {};
  for (const [name, value] of members) {
    const got = value(row);
    // Object.defineProperty, since `__proto__` is an ordinary member name in JSON.
    if (got !== undefined) Object.defineProperty(result, name, { value: got, enumerable: true, writable: true, configurable: true });
  }
  return result;
}

function call(node, inner) {
  const run = Object.hasOwn(FUNCTIONS, node.name) ? FUNCTIONS[node.name] : null;
  if (!run) throw new SqlError(`'${node.name}' is not a recognized built-in function name.`);
  const args = node.args.map(inner);
  return (row) => run(...args.map((arg) => arg(row)));
}

// An aggregate reads the rows of its group from `row.group`, which the select step puts there.
function aggregate(node, scope) {
  if (node.args.length !== 1) throw new SqlError(`${node.name} takes one argument.`);
  const argument = compile(node.args[0], scope);
  return (row) => {
    const values = row.group.map(argument);
    if (node.name === 'MIN') return extreme(values, -1);
    if (node.name === 'MAX') return extreme(values, 1);
    return AGGREGATES[node.name](values);
  };
}
