// Starts a queue, a Cosmos DB server and Redis on free ports of 127.0.0.1, each behind a front that counts and can spoil requests.
//
//   node start.mjs [OPTIONS]                 prints one line of JSON when all answer; ends when stdin closes or on SIGTERM
//   node start.mjs [OPTIONS] -- COMMAND ...  runs COMMAND with that JSON in FLOWCRAFT_TEST_SERVICES, ends with its exit code
//
// Options: --redis-cluster (three primaries as well), --redis-tls (one with a password and TLS as well),
// --cosmos own|package (whose store and query engine: ours, which is faithful and fast, or those of an npm package, which
// others wrote), --ignore-stdin (end on a signal only), --variables (COMMAND also finds the three connection strings where
// workers look for them).
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { accessSync, constants, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { request as get } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Control } from './control.mjs';
import { pause } from './front/faults.mjs';
import { queueFront } from './front/queue-front.mjs';
import { Peer } from './processes/calls.mjs';
import * as redis from './redis.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const ACCOUNT = 'devstoreaccount1';
// Published with the storage emulators: it opens nothing else.
const ACCOUNT_KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';
const FLAGS = ['--redis-cluster', '--redis-tls', '--ignore-stdin', '--variables'];
const COSMOS = ['own', 'package'];

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

// A map from the options to their values.
function parse(words) {
  const options = new Map([['--cosmos', 'own']]);
  for (let i = 0; i < words.length; i += 1) {
    if (words[i] === '--cosmos') {
      i += 1;
      if (!COSMOS.includes(words[i])) fail(`--cosmos takes one of ${COSMOS.join(', ')}`);
      options.set('--cosmos', words[i]);
    } else if (FLAGS.includes(words[i])) options.set(words[i], true);
    else fail(`unknown option ${words[i]}; there are ${[...FLAGS, '--cosmos'].join(', ')}`);
  }
  return options;
}

function onPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function checkNeeds(options) {
  if (!existsSync(join(HERE, 'node_modules', 'azurite'))) fail(`the packages of the test services are missing: run \`npm ci\` in ${HERE}`);
  if (!onPath('redis-server')) fail('redis-server is missing: install it, on Debian and Ubuntu with `apt-get install redis-server`');
  if (options.has('--redis-cluster') && !onPath('redis-cli')) fail('redis-cli is missing: install it, on Debian and Ubuntu with `apt-get install redis-tools`');
  if (options.has('--redis-tls') && !onPath('openssl')) fail('openssl is missing: install it, on Debian and Ubuntu with `apt-get install openssl`');
}

const queueSettings = (port) => {
  const endpoint = `http://127.0.0.1:${port}/${ACCOUNT}`;
  return {
    endpoint, account: ACCOUNT, key: ACCOUNT_KEY,
    connectionString: `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${ACCOUNT_KEY};QueueEndpoint=${endpoint};`,
  };
};

const cosmosSettings = (endpoint, key) => ({ endpoint, key, connectionString: `AccountEndpoint=${endpoint};AccountKey=${key};` });

const answers = (port) => new Promise((resolve) => {
  const request = get({ host: '127.0.0.1', port, path: '/' }, (response) => {
    response.resume();
    // Not whoever took the port in the meantime.
    resolve(Boolean(response.headers.server?.startsWith('Azurite')));
  });
  request.on('error', () => resolve(false));
  request.end();
});

class Services {
  constructor(options) {
    this.options = options;
    this.temporary = mkdtempSync(join(tmpdir(), 'flowcraft-services-'));
    this.peers = [];
    this.closing = [];
  }

  #peer(name, args = []) {
    const peer = new Peer(join(HERE, 'processes', name), { cwd: this.temporary, args });
    this.peers.push(peer);
    return peer;
  }

  async #queue() {
    for (let i = 0; i < 5; i += 1) {
      const port = await redis.freePort();
      const peer = this.#peer('azurite.mjs', [String(port)]);
      for (const end = Date.now() + 60_000; !peer.ended && Date.now() < end; await pause(30)) {
        if (!(await answers(port))) continue;
        const front = queueFront(port);
        await front.listen();
        const service = {
          counts: () => front.counts.toJSON(),
          resetCounts: () => front.counts.reset(),
          addFault: (rule) => front.faults.add(rule),
          removeFault: (id) => front.faults.remove(id),
          close: () => {
            front.close();
            front.endAgent();
          },
        };
        return { settings: queueSettings(front.port), direct: queueSettings(port), service };
      }
      if (!peer.ended) break;
    }
    throw new Error(`the queue server does not start: ${this.peers.at(-1).stderr.trim()}`);
  }

  async #cosmos() {
    const peer = this.#peer('cosmos.mjs');
    const key = randomBytes(64).toString('base64');
    const { endpoint, direct } = await peer.call('start', key, this.options.get('--cosmos'));
    const service = Object.fromEntries(['counts', 'resetCounts', 'addFault', 'removeFault'].map((name) => [name, (...args) => peer.call(name, ...args)]));
    return { settings: cosmosSettings(endpoint, key), direct: cosmosSettings(direct, key), service };
  }

  // Resolves to what the tests are told.
  async start() {
    const keeper = this.#peer('keeper.mjs');
    await keeper.call('removeAtEnd', this.temporary);
    const parts = { queue: this.#queue(), cosmos: this.#cosmos(), redis: redis.single(keeper, this.temporary) };
    if (this.options.has('--redis-cluster')) parts.redisCluster = redis.cluster(keeper, this.temporary);
    if (this.options.has('--redis-tls')) parts.redisTls = redis.encrypted(keeper, this.temporary, randomBytes(12).toString('hex'));
    const names = Object.keys(parts);
    const started = await Promise.all(Object.values(parts));
    const services = Object.fromEntries(names.map((name, i) => [name, started[i].service]));
    const control = new Control(services);
    this.closing = [...Object.values(services).filter(({ close }) => close), control];
    const told = Object.fromEntries(names.map((name, i) => [name, started[i].settings]));
    told.control = await control.listen();
    told.direct = Object.fromEntries(names.map((name, i) => [name, started[i].direct]));
    return told;
  }

  async stop() {
    for (const part of this.closing) part.close();
    await Promise.all(this.peers.map((peer) => peer.end()));
    rmSync(this.temporary, { recursive: true, force: true });
  }
}

function variables(told, options) {
  const connections = options.has('--variables') && {
    AZURE_STORAGE_CONNECTION_STRING: told.queue.connectionString,
    COSMOS_DB_CONNECTION_STRING: told.cosmos.connectionString,
    REDIS_CONNECTION_STRING: told.redis.url,
  };
  return { FLOWCRAFT_TEST_SERVICES: JSON.stringify(told), ...connections };
}

// The command's exit code, or 128 and the signal's number as shells do.
function run([command, ...args], env) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, ...env } });
    for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
    // The terminal sends Ctrl-C to the command as well.
    process.on('SIGINT', () => {});
    child.on('error', (error) => {
      process.stderr.write(`${command} does not start: ${error.message}\n`);
      resolve(127);
    });
    child.on('exit', (code, signal) => resolve(code ?? 128 + ({ SIGINT: 2, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 }[signal] ?? 1)));
  });
}

function asked(options) {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, resolve);
    if (options.has('--ignore-stdin')) return;
    process.stdin.resume();
    for (const event of ['end', 'close', 'error']) process.stdin.on(event, resolve);
  });
}

async function main() {
  const dashes = process.argv.indexOf('--');
  const options = parse(process.argv.slice(2, dashes < 0 ? undefined : dashes));
  const command = dashes < 0 ? [] : process.argv.slice(dashes + 1);
  if (dashes >= 0 && !command.length) fail('after -- comes the command to run');
  checkNeeds(options);
  const services = new Services(options);
  const over = command.length ? null : asked(options);
  let code = 0;
  try {
    const started = services.start();
    const told = await (over ? Promise.race([started, over.then(() => null)]) : started);
    if (told && command.length) code = await run(command, variables(told, options));
    else if (told) {
      process.stdout.write(`${JSON.stringify(told)}\n`);
      await over;
    }
  } catch (error) {
    process.stderr.write(`the test services do not start: ${error.message}\n`);
    code = 1;
  }
  await services.stop();
  process.exit(code);
}

await main();
