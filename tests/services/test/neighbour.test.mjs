// The JavaScript neighbour alone on the servers: it does what it should, and wrong what it does wrong.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DIAMOND } from '../neighbour/blueprints.mjs';
import { Services } from '../neighbour/services.mjs';
import { HERE, started } from './started.mjs';

let running;
let folder;
let services;
const NAMES = { queue: 'flowcraft-jobs', database: 'flowcraft-db', contexts: 'contexts', statuses: 'statuses' };

before(async () => {
  running = await started();
  folder = mkdtempSync(join(tmpdir(), 'flowcraft-blueprints-'));
  const versioned = { id: 'versioned', metadata: { version: '2' }, nodes: [{ id: 'a', uses: 'const', params: { value: 1 } }], edges: [] };
  const slow = { id: 'slow', nodes: [{ id: 'a', uses: 'const', params: { value: 1, delayMs: 700 } }, { id: 'b', uses: 'add' }], edges: [{ source: 'a', target: 'b' }] };
  const failing = { id: 'failing', nodes: [{ id: 'a', uses: 'fail' }, { id: 'b', uses: 'echo' }], edges: [{ source: 'a', target: 'b' }] };
  // Apart in time: the two would else undo each other's writes, as they do in the bench.
  const diamond = structuredClone(DIAMOND);
  diamond.nodes[2].params.delayMs = 400;
  for (const blueprint of [diamond, versioned, slow, failing]) writeFileSync(join(folder, `${blueprint.id}.json`), JSON.stringify(blueprint));
  const { queue, cosmos, redis } = running.services;
  services = new Services({ ...NAMES, storageConnection: queue.connectionString, cosmosConnection: cosmos.connectionString, redisConnection: redis.url });
  await services.provision();
});
after(async () => {
  services.close();
  rmSync(folder, { recursive: true });
  await running.stop();
});

function begin(program, ...args) {
  const env = { ...process.env, FLOWCRAFT_TEST_SERVICES: JSON.stringify(running.services) };
  const child = spawn(process.execPath, [join(HERE, 'neighbour', program), ...args, '--blueprints', folder], { env, stdio: ['pipe', 'pipe', 'pipe'] });
  let out = '';
  let log = '';
  child.stdout.on('data', (chunk) => { out += chunk; });
  child.stderr.on('data', (chunk) => { log += chunk; });
  const done = new Promise((resolve) => {
    child.on('exit', (code) => resolve({ code, log, result: out ? JSON.parse(out.trim().split('\n').at(-1)) : null }));
  });
  return { child, done };
}

const program = async (...args) => {
  const answer = await begin(...args).done;
  assert.equal(answer.code, 0, answer.log);
  return answer.result;
};
const work = (seconds = 1) => program('worker.mjs', '--once-idle', String(seconds));
const result = (run) => program('client.mjs', 'result', run);

test('a diamond, with the items and keys that others read', async () => {
  assert.deepEqual(await program('client.mjs', 'start', 'diamond', 'run-1', '--input', '{"name":"x"}'), { runId: 'run-1', blueprintId: 'diamond', startNodeIds: ['a'] });
  const { jobs, executed } = await work();
  assert.equal(jobs, 4);
  assert.deepEqual(Object.fromEntries(executed.map(({ uses, count }) => [uses, count])), { const: 1, add: 2, sum: 1 });
  const { status, context } = await result('run-1');
  assert.equal(status.status, 'completed');
  assert.ok(Number.isInteger(status.lastUpdated));
  assert.deepEqual(status.finalStatus.payload.context['_outputs.a'], 1);
  assert.deepEqual([context.name, context.blueprintId, context.blueprintVersion, context['_outputs.d']], ['x', 'diamond', null, 5]);
  assert.equal(context['_inputs.b'], 1);
  const item = (await services.contexts.item('run-1', 'run-1').read()).resource;
  assert.deepEqual([item.id, item.runId], ['run-1', 'run-1']);
});

test('a blueprint version that is absent or differs: dropped without a word', async () => {
  await program('client.mjs', 'start', 'versioned', 'v-none', '--no-version');
  await program('client.mjs', 'start', 'versioned', 'v-right');
  await work();
  assert.equal((await result('v-none')).status.status, 'running');
  assert.equal((await result('v-right')).status.status, 'completed');
  assert.equal((await services.queue.getProperties()).approximateMessagesCount, 0);
});

test('the client of the README: messages that cannot be read, items without runId, dates as text', async () => {
  await program('client.mjs', 'start', 'diamond', 'readme', '--readme-style');
  const { receivedMessageItems: [message] } = await services.queue.receiveMessages({ visibilityTimeout: 1 });
  assert.deepEqual(JSON.parse(message.messageText), { runId: 'readme', blueprintId: 'diamond', nodeId: 'a' });
  assert.equal((await services.contexts.item('readme', 'readme').read()).statusCode, 404);
  const { status } = await result('readme');
  assert.deepEqual([status.runId, typeof status.lastUpdated], [undefined, 'string']);
  await sleep(1100);
  await work();
  assert.equal((await result('readme')).status.status, 'running');
  assert.equal((await services.queue.getProperties()).approximateMessagesCount, 1);
  await services.queue.clearMessages();
});

test('a failing node fails the run and poisons its successor', async () => {
  await program('client.mjs', 'start', 'failing', 'fails');
  await work();
  const { status } = await result('fails');
  assert.equal(status.status, 'failed');
  assert.match(status.finalStatus.reason, /Node 'a' execution failed/);
  assert.equal(await services.redis.get('flowcraft:fanin:poison:fails:b'), 'poisoned');
  assert.ok((await services.redis.ttl('flowcraft:fanin:poison:fails:b')) > 3500);
});

test('the reconciler finds runs with a numeric lastUpdated, and no others', async () => {
  await program('client.mjs', 'start', 'diamond', 'stalled');
  await program('client.mjs', 'start', 'diamond', 'iso', '--iso-dates');
  await services.queue.clearMessages();
  await sleep(2100);
  const stats = await program('reconciler.mjs', '--threshold', '1', '--once');
  const found = Object.fromEntries(stats.runs.map(({ runId, enqueued }) => [runId, enqueued]));
  assert.deepEqual(found.stalled, ['a']);
  assert.ok(!('iso' in found));
  assert.equal(await services.redis.get('flowcraft:nodelock:stalled:a'), 'locked');
  await work();
  assert.equal((await result('stalled')).status.status, 'completed');
});

test('a worker that overwrites undoes what was written in between', async () => {
  await services.contexts.items.upsert({ id: 'over', runId: 'over', kept: 1 });
  const { child, done } = begin('overwrite.mjs', 'over', '--key', 'mine', '--value', '{"x":1}', '--delay', '700');
  await new Promise((resolve) => child.stderr.once('data', resolve));
  await services.contexts.items.upsert({ id: 'over', runId: 'over', kept: 1, lost: 2 });
  await done;
  const { context } = await result('over');
  assert.deepEqual(context, { kept: 1, mine: { x: 1 } });
});

test('delayMs, and a worker that ends on SIGTERM after the job in hand', async () => {
  await program('client.mjs', 'start', 'slow', 'slow-1');
  const { child, done } = begin('worker.mjs', '--name', 'w1');
  await new Promise((resolve) => {
    child.stderr.on('data', (chunk) => chunk.toString().includes('"job"') && resolve());
  });
  child.kill('SIGTERM');
  const { code, result: printed } = await done;
  assert.deepEqual([code, printed.worker, printed.executed.find(({ uses }) => uses === 'const').count], [0, 'w1', 1]);
  assert.equal((await result('slow-1')).context['_outputs.a'], 1);
  await services.queue.clearMessages();
});

test('the bench: all runs complete, at the price of more than twelve requests a job', async () => {
  const { runs, jobs, completed, correct, cosmosPerJob } = await program('bench.mjs', '--runs', '10', '--seconds', '30');
  assert.equal(runs, 10);
  assert.ok(jobs <= 40 && completed <= 10 && correct <= 10);
  if (completed === 10) assert.ok(cosmosPerJob > 12 && cosmosPerJob < 16, String(cosmosPerJob));
});
