// The nodes of the conformance cases, as their table says. Every one takes `params.delayMs` as well.
import { setTimeout as sleep } from 'node:timers/promises';
import { FlowcraftError } from 'flowcraft';

const isNumber = (value) => typeof value === 'number';
const orNull = (value) => (value === undefined ? null : value);
const isObject = (value) => value !== null && typeof value === 'object';
const number = (value) => (isNumber(value) ? value : 0);

function text(value) {
  if (value === null || value === undefined) return '';
  return typeof value === 'object' ? '?' : String(value);
}

// Array items in order; member values of an object by ascending name.
function members(value, sorted) {
  if (Array.isArray(value)) return value;
  if (!isObject(value)) return [];
  const names = Object.keys(value);
  return (sorted ? names.sort() : names).map((name) => value[name]);
}

async function count(context, key, by = 1) {
  const value = ((await context.get(key)) ?? 0) + by;
  await context.set(key, value);
  return value;
}

const NODES = {
  const: ({ params }) => ({ output: params.value }),
  echo: ({ input }) => ({ output: orNull(input) }),
  noop: () => ({}),
  add: ({ input, params }) => ({ output: number(input) + (params.n ?? 1) }),
  double: ({ input }) => ({ output: number(input) * 2 }),
  upper: ({ input }) => {
    if (typeof input !== 'string') throw new Error('upper: input is not a string');
    return { output: input.replace(/[a-z]/g, (letter) => letter.toUpperCase()) };
  },
  sum: ({ input }) => ({ output: members(input).filter(isNumber).reduce((total, value) => total + value, 0) }),
  concat: ({ input, params }) => ({ output: members(input, true).map(text).join(params.sep ?? '') }),
  'emit-action': async ({ input, params, context }) => ({
    output: orNull(input),
    action: params.actionKey ? await context.get(params.actionKey) : params.action,
  }),
  'fail-n-times': async ({ params, context }) => {
    const key = `fails_${params.key}`;
    const before = (await context.get(key)) ?? 0;
    if (before >= params.n) return { output: params.value === undefined ? 'ok' : params.value };
    await context.set(key, before + 1);
    throw new Error(`planned failure ${before + 1}`);
  },
  fail: ({ params }) => {
    throw new Error(params.message ?? 'boom');
  },
  'fail-fatal': ({ params }) => {
    throw new FlowcraftError(params.message ?? 'fatal boom', { isFatal: true });
  },
  'fail-if': ({ input, params }) => {
    if (input === (params.value ?? 'bad')) throw new Error('bad item');
    return { output: orNull(input) };
  },
  'set-ctx': async ({ input, params, context }) => {
    const value = 'value' in params ? params.value : orNull(input);
    await context.set(params.key, value);
    return { output: value };
  },
  'get-ctx': async ({ params, context }) => ({ output: orNull(await context.get(params.key)) }),
  'delete-ctx': async ({ params, context }) => {
    const existed = await context.has(params.key);
    if (existed) await context.delete(params.key);
    return { output: existed };
  },
  incr: async ({ params, context }) => ({ output: await count(context, params.key, params.by ?? 1) }),
  'incr-check': async ({ params, context }) => {
    const value = await count(context, params.key);
    await context.set(params.flag, value < params.limit);
    return { output: value };
  },
  compare: ({ input, params }) => {
    const value = number(input);
    return { output: { value, lt: value < params.n, ge: value >= params.n } };
  },
  range: ({ params }) => ({ output: Array.from({ length: Math.max(0, params.to - params.from) }, (_, i) => params.from + i) }),
  pick: ({ input, params }) => ({ output: isObject(input) && Object.hasOwn(input, params.path) ? orNull(input[params.path]) : null }),
};

// `started(uses, context)` is told of every execution.
export function registry(started = () => {}) {
  return Object.fromEntries(Object.entries(NODES).map(([uses, run]) => [uses, async (context) => {
    started(uses, context);
    if (context.params.delayMs) await sleep(context.params.delayMs);
    return run(context);
  }]));
}
