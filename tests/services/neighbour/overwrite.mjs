// A worker that overwrites: reads a run's context item, waits, changes one key and upserts the whole item as it was read.
//   node overwrite.mjs RUN --key K --value JSON [--delay MS | --hold]    --hold waits until stdin closes
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Services } from './services.mjs';
import { log, print, settings, usage } from './settings.mjs';

const { config, values, positionals } = settings({
  key: { type: 'string' },
  value: { type: 'string' },
  delay: { type: 'string', default: '0' },
  hold: { type: 'boolean' },
});
const [runId] = positionals;
if (!runId || values.key === undefined || values.value === undefined) usage('overwrite.mjs RUN --key K --value JSON [--delay MS]');

const services = new Services(config);
const { resource } = await services.contexts.item(runId, runId).read();
const outputs = Object.keys(resource ?? {}).filter((key) => key.startsWith('_outputs.')).length;
log('read', { runId, etag: resource?._etag, outputs });
if (values.hold) {
  process.stdin.resume();
  await once(process.stdin, 'end');
} else await sleep(Number(values.delay));
const item = { ...(resource ?? { id: runId, runId }), [values.key]: JSON.parse(values.value) };
const { etag } = await services.contexts.items.upsert(item);
print({ runId, read: resource?._etag ?? null, wrote: etag });
services.close();
process.exit(0);
