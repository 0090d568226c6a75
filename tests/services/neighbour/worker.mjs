// A JavaScript worker: node worker.mjs --blueprints FOLDER [--name N] [--once-idle SECONDS] [--provision] [--verbose]
//   [--at-once N] jobs in hand together, 10 unless told otherwise; [--pause MS] after an empty answer, none unless told otherwise;
//   [--marked] runs only nodes whose params say by: "js", and puts the messages of others back.
// Ends on SIGTERM, when stdin closes (not with --ignore-stdin), or after being idle; prints {"worker","jobs","executed"} then.
import { setTimeout as sleep } from 'node:timers/promises';
import { QueueAdapter } from './adapter.mjs';
import { loadBlueprints } from './blueprints.mjs';
import { Services } from './services.mjs';
import { log, print, settings, usage } from './settings.mjs';

const { config, values } = settings({
  name: { type: 'string', default: 'js' },
  'once-idle': { type: 'string' },
  provision: { type: 'boolean' },
  verbose: { type: 'boolean' },
  'at-once': { type: 'string', default: '10' },
  pause: { type: 'string', default: '0' },
  marked: { type: 'boolean' },
  'ignore-stdin': { type: 'boolean' },
});
if (!config.blueprints) usage('worker.mjs --blueprints FOLDER [--name N] [--once-idle SECONDS]');

const services = new Services(config);
if (values.provision) await services.provision();
const adapter = new QueueAdapter(services, loadBlueprints(config.blueprints), {
  name: values.name,
  verbose: values.verbose,
  atOnce: Number(values['at-once']),
  pause: Number(values.pause),
  marked: values.marked,
});
let over = false;
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => { over = true; });
if (!values['ignore-stdin']) {
  process.stdin.resume();
  for (const event of ['end', 'close', 'error']) process.stdin.on(event, () => { over = true; });
}
adapter.start();
log('started', { worker: values.name, pid: process.pid });
const idleMs = values['once-idle'] === undefined ? Infinity : Number(values['once-idle']) * 1000;
while (!over && Date.now() - adapter.lastJobAt < idleMs) await sleep(25);
await adapter.stop();
print({ worker: values.name, jobs: adapter.jobs, executed: Object.entries(Object.fromEntries(adapter.executed)).map(([uses, count]) => ({ uses, count })) });
services.close();
process.exit(0);
