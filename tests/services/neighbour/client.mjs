// A JavaScript client.
//   node client.mjs start BLUEPRINT RUN... --blueprints FOLDER [--input JSON] and, each on its own, what clients get wrong:
//     --readme-style (all of: plain JSON messages, items without runId, ISO dates, no blueprintVersion), --plain-json,
//     --no-version, --iso-dates, --status-without-run-id, --context-without-run-id
//   node client.mjs result RUN...    prints {"runId","status","context"}
import { analyzeBlueprint } from 'flowcraft';
import { encode, nowSeconds } from './adapter.mjs';
import { loadBlueprints } from './blueprints.mjs';
import { ItemContext } from './context.mjs';
import { Services } from './services.mjs';
import { log, print, settings, usage } from './settings.mjs';

const { config, values, positionals } = settings({
  input: { type: 'string', default: '{}' },
  'readme-style': { type: 'boolean' },
  'plain-json': { type: 'boolean' },
  'no-version': { type: 'boolean' },
  'iso-dates': { type: 'boolean' },
  'status-without-run-id': { type: 'boolean' },
  'context-without-run-id': { type: 'boolean' },
});
const readme = values['readme-style'];

async function start(services, blueprintId, runId) {
  const blueprint = loadBlueprints(config.blueprints)[blueprintId];
  if (!blueprint) usage(`there is no blueprint ${blueprintId} in ${config.blueprints}`);
  const version = readme || values['no-version'] ? {} : { blueprintVersion: blueprint.metadata?.version || null };
  const contextId = readme || values['context-without-run-id'] ? {} : { runId };
  const statusId = readme || values['status-without-run-id'] ? {} : { runId };
  const lastUpdated = readme || values['iso-dates'] ? new Date().toISOString() : nowSeconds();
  await services.contexts.items.upsert({ id: runId, ...contextId, ...JSON.parse(values.input), blueprintId, ...version });
  await services.statuses.items.upsert({ id: runId, ...statusId, status: 'running', lastUpdated });
  const { startNodeIds } = analyzeBlueprint(blueprint);
  // The README's client sends every node without predecessors, unused fallbacks too.
  for (const nodeId of startNodeIds) {
    const job = { runId, blueprintId, nodeId };
    await services.queue.sendMessage(readme || values['plain-json'] ? JSON.stringify(job) : encode(job));
  }
  log('started', { runId, blueprintId, startNodeIds });
  print({ runId, blueprintId, startNodeIds });
}

async function byId(container, runId) {
  const own = (await container.item(runId, runId).read()).resource;
  if (own) return own;
  // Items that were written without runId lie elsewhere.
  const { resources } = await container.items.query({ query: 'SELECT * FROM c WHERE c.id = @id', parameters: [{ name: '@id', value: runId }] }).fetchAll();
  return resources[0] ?? null;
}

async function result(services, runId) {
  const status = await byId(services.statuses, runId);
  const context = await new ItemContext(services.contexts, runId).toJSON();
  print({ runId, status, context });
}

const [command, ...rest] = positionals;
const services = new Services(config);
const [blueprintId, ...started] = rest;
if (command === 'start' && started.length && config.blueprints) {
  await services.provision();
  for (const runId of started) await start(services, blueprintId, runId);
} else if (command === 'result' && rest.length) {
  for (const runId of rest) await result(services, runId);
} else usage('client.mjs start BLUEPRINT RUN... --blueprints FOLDER [OPTIONS] | client.mjs result RUN...');
services.close();
process.exit(0);
