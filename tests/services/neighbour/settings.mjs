// What every program here is told: the services, the names of queue, database and containers, and its own options.
import { parseArgs } from 'node:util';

const NAMES = { queue: 'flowcraft-jobs', database: 'flowcraft-db', contexts: 'contexts', statuses: 'statuses' };

const COMMON = {
  config: { type: 'string' },
  blueprints: { type: 'string' },
  queue: { type: 'string' },
  database: { type: 'string' },
  contexts: { type: 'string' },
  statuses: { type: 'string' },
};

// Later sources win: the test services, the connection strings of the environment, --config, the options.
export function settings(options = {}) {
  const { values, positionals } = parseArgs({ options: { ...COMMON, ...options }, allowPositionals: true });
  const services = JSON.parse(process.env.FLOWCRAFT_TEST_SERVICES ?? '{}');
  const { env } = process;
  const config = {
    ...NAMES,
    storageConnection: env.AZURE_STORAGE_CONNECTION_STRING ?? services.queue?.connectionString,
    cosmosConnection: env.COSMOS_DB_CONNECTION_STRING ?? services.cosmos?.connectionString,
    redisConnection: env.REDIS_CONNECTION_STRING ?? services.redis?.url,
    ...JSON.parse(values.config ?? '{}'),
  };
  for (const name of [...Object.keys(NAMES), 'blueprints']) config[name] = values[name] ?? config[name];
  return { config, values, positionals };
}

export function usage(text) {
  process.stderr.write(`usage: ${text}\n`);
  process.exit(2);
}

export function log(event, fields = {}) {
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), event, ...fields })}\n`);
}

export function print(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
