// A JavaScript reconciler: node reconciler.mjs --blueprints FOLDER [--threshold SECONDS] [--once] [--interval SECONDS]
// Looks for running runs with a numeric lastUpdated that is older than the threshold and reconciles each; prints its figures for each pass.
import { setTimeout as sleep } from 'node:timers/promises';
import { QueueAdapter, nowSeconds } from './adapter.mjs';
import { loadBlueprints } from './blueprints.mjs';
import { Services } from './services.mjs';
import { log, print, settings, usage } from './settings.mjs';

const { config, values } = settings({
  threshold: { type: 'string', default: '300' },
  interval: { type: 'string', default: '10' },
  once: { type: 'boolean' },
});
if (!config.blueprints) usage('reconciler.mjs --blueprints FOLDER [--threshold SECONDS] [--once]');

const services = new Services(config);
const adapter = new QueueAdapter(services, loadBlueprints(config.blueprints), { name: 'js-reconciler' });

async function pass() {
  const { resources: stalled } = await services.statuses.items.query({
    query: 'SELECT * FROM c WHERE c.status = @status AND c.lastUpdated < @before',
    parameters: [{ name: '@status', value: 'running' }, { name: '@before', value: nowSeconds() - Number(values.threshold) }],
  }).fetchAll();
  const stats = { stalledRuns: stalled.length, reconciledRuns: 0, failedRuns: 0, runs: [] };
  for (const { runId } of stalled) {
    try {
      const enqueued = [...(await adapter.reconcile(runId))];
      if (enqueued.length) stats.reconciledRuns += 1;
      stats.runs.push({ runId, enqueued });
    } catch (error) {
      stats.failedRuns += 1;
      stats.runs.push({ runId, enqueued: [], error: error.message });
      log('not reconciled', { runId, message: error.message });
    }
  }
  print(stats);
}

let over = false;
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => { over = true; });
do {
  await pass();
  for (const until = Date.now() + Number(values.interval) * 1000; !values.once && !over && Date.now() < until;) await sleep(50);
} while (!values.once && !over);
services.close();
process.exit(0);
