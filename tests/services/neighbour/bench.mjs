// How fast JavaScript workers are: node bench.mjs [--blueprint ID --blueprints FOLDER] [--runs 50] [--workers 1] [--seconds 120]
// Starts the runs, works on them in this process, and prints {"seconds","jobsPerSecond","runs","jobs","completed","correct"},
// with the control API also {"cosmosPerJob","requestUnitsPerJob"}: requests and request units of the jobs alone.
import { setTimeout as sleep } from 'node:timers/promises';
import { FlowRuntime, analyzeBlueprint } from 'flowcraft';
import { QueueAdapter, encode, nowSeconds } from './adapter.mjs';
import { DIAMOND, loadBlueprints } from './blueprints.mjs';
import { registry } from './registry.mjs';
import { Services } from './services.mjs';
import { print, settings, usage } from './settings.mjs';

const { config, values } = settings({
  blueprint: { type: 'string', default: 'diamond' },
  runs: { type: 'string', default: '50' },
  workers: { type: 'string', default: '1' },
  seconds: { type: 'string', default: '120' },
});
const blueprints = () => ({ [DIAMOND.id]: structuredClone(DIAMOND), ...(config.blueprints ? loadBlueprints(config.blueprints) : {}) });
const blueprint = blueprints()[values.blueprint];
if (!blueprint) usage('bench.mjs [--blueprint ID --blueprints FOLDER] [--runs N] [--workers N]');

const outputs = (context) => JSON.stringify(blueprint.nodes.map(({ id }) => context[`_outputs.${id}`]));
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const expected = outputs((await new FlowRuntime({ registry: registry(), logger: silent }).run(structuredClone(blueprint), {})).context);

const services = new Services(config);
await services.provision();
const prefix = `bench-${process.pid}-${Date.now()}`;
const runs = Array.from({ length: Number(values.runs) }, (_, i) => `${prefix}-${i}`);
for (const runId of runs) {
  await services.contexts.items.upsert({ id: runId, runId, blueprintId: blueprint.id, blueprintVersion: blueprint.metadata?.version || null });
  await services.statuses.items.upsert({ id: runId, runId, status: 'running', lastUpdated: nowSeconds() });
  for (const nodeId of analyzeBlueprint(blueprint).startNodeIds) await services.queue.sendMessage(encode({ runId, blueprintId: blueprint.id, nodeId }));
}
const control = process.env.FLOWCRAFT_TEST_SERVICES && JSON.parse(process.env.FLOWCRAFT_TEST_SERVICES).control;
const counted = async () => (control ? (await (await fetch(`${control}/counts`)).json()).cosmos : null);
// Starting a run is no part of a job.
const before = await counted();

const workers = Array.from({ length: Number(values.workers) }, (_, i) => new QueueAdapter(services, blueprints(), { name: `js-${i}` }));
const started = performance.now();
for (const worker of workers) worker.start();
const final = new Map();
for (const worker of workers) {
  const publish = worker.publishFinalResult.bind(worker);
  worker.publishFinalResult = async (runId, result) => {
    await publish(runId, result);
    final.set(runId, result.status);
  };
}
const deadline = started + Number(values.seconds) * 1000;
while (final.size < runs.length && performance.now() < deadline) await sleep(5);
const seconds = (performance.now() - started) / 1000;
await Promise.all(workers.map((worker) => worker.stop()));
const after = await counted();

const jobs = workers.reduce((sum, worker) => sum + worker.jobs, 0);
const perJob = (what) => Math.round(((after[what] - before[what]) / jobs) * 100) / 100;
let correct = 0;
for (const runId of runs) correct += outputs((await services.contexts.item(runId, runId).read()).resource) === expected ? 1 : 0;
print({
  seconds: Math.round(seconds * 1000) / 1000,
  jobsPerSecond: Math.round((jobs / seconds) * 10) / 10,
  runs: runs.length,
  jobs,
  completed: [...final.values()].filter((status) => status === 'completed').length,
  correct,
  ...(after && { cosmosPerJob: perJob('requests'), requestUnitsPerJob: perJob('requestUnits') }),
});
services.close();
process.exit(0);
