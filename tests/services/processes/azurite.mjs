// Azurite's queue server in a process of its own, which ends with the launcher.
import { createRequire } from 'node:module';
import { answerCalls } from './calls.mjs';

const [port] = process.argv.slice(2);
process.argv = [
  process.argv[0], 'azurite-queue', '--inMemoryPersistence', '--silent', '--skipApiVersionCheck', '--disableTelemetry',
  '--queueHost', '127.0.0.1', '--queuePort', port,
];
answerCalls({});
createRequire(import.meta.url)('azurite/dist/src/queue/main.js');
