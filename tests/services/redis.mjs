// Redis servers on free ports: a single one, a cluster of three primaries, and one with a password and TLS.
import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pause } from './front/faults.mjs';
import { RedisFront } from './front/redis-front.mjs';

const run = promisify(execFile);
const TRIES = 5;
const PLAIN = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--daemonize', 'no', '--databases', '256'];

export async function freePort() {
  const server = createServer();
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// True as soon as something accepts connections; `alive` says whether it is worth waiting for.
export async function accepting(port, alive, ms = 20_000) {
  for (const end = Date.now() + ms; Date.now() < end; await pause(20)) {
    const open = await new Promise((resolve) => {
      const socket = createConnection(port, '127.0.0.1', () => resolve(true));
      socket.on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    // Whoever took the port in the meantime accepts as well; then ours ends at once.
    if (open) await pause(30);
    if (!(await alive())) return false;
    if (open) return true;
  }
  return false;
}

async function startServer(keeper, name, port, folder, args) {
  mkdirSync(folder, { recursive: true });
  await keeper.call('start', name, 'redis-server', [...PLAIN, '--dir', folder, ...args(port)], folder);
  return accepting(port, () => keeper.call('running', name));
}

// A port that was free can be taken the next moment: then another one.
async function onFreePort(start) {
  for (let i = 0; i < TRIES; i += 1) {
    const port = await freePort();
    if (await start(port)) return port;
  }
  throw new Error('redis-server does not start');
}

const stopping = (keeper, name, front) => async () => {
  await keeper.call('kill', name);
  front.drop();
};

function service(front, more = {}) {
  return {
    counts: () => front.counts.toJSON(),
    resetCounts: () => front.counts.reset(),
    addFault: (rule) => front.faults.add(rule),
    removeFault: (id) => front.faults.remove(id),
    close: () => front.close(),
    ...more,
  };
}

export async function single(keeper, temporary) {
  const folder = join(temporary, 'redis');
  const args = (port) => ['--port', String(port)];
  const port = await onFreePort((free) => startServer(keeper, 'redis', free, folder, args));
  const front = new RedisFront(port);
  await front.listen();
  return {
    settings: { url: `redis://127.0.0.1:${front.port}` },
    direct: { url: `redis://127.0.0.1:${port}` },
    service: service(front, {
      stop: stopping(keeper, 'redis', front),
      start: async () => {
        if (await keeper.call('running', 'redis')) return;
        if (!(await startServer(keeper, 'redis', port, folder, args))) throw new Error('redis-server does not start again');
      },
    }),
  };
}

// The nodes announce the ports of their fronts, so that clients are sent from front to front.
export async function cluster(keeper, temporary) {
  const nodes = [];
  for (let i = 0; i < 3; i += 1) {
    const front = new RedisFront(0);
    await front.listen();
    const folder = join(temporary, `redis-cluster-${i}`);
    const bus = await freePort();
    const port = await onFreePort((free) => startServer(keeper, `redis-cluster-${i}`, free, folder, () => [
      '--port', String(free), '--cluster-enabled', 'yes', '--cluster-port', String(bus), '--cluster-node-timeout', '5000',
      '--cluster-announce-ip', '127.0.0.1', '--cluster-announce-port', String(front.port), '--cluster-announce-bus-port', String(bus),
    ]));
    front.target = port;
    nodes.push({ front, port, bus });
  }
  // The announced addresses are what the nodes tell each other, so it is them that the cluster is made from.
  for (const { port } of nodes.slice(1)) await run('redis-cli', ['-p', String(nodes[0].port), 'cluster', 'meet', '127.0.0.1', String(port), String(nodes.find((node) => node.port === port).bus)]);
  const bounds = [0, 5461, 10923, 16384];
  for (const [i, { port }] of nodes.entries()) await run('redis-cli', ['-p', String(port), 'cluster', 'addslotsrange', String(bounds[i]), String(bounds[i + 1] - 1)]);
  for (const { port } of nodes) {
    for (let ok = false, end = Date.now() + 20_000; !ok; await pause(50)) {
      const { stdout } = await run('redis-cli', ['-p', String(port), 'cluster', 'info']);
      ok = stdout.includes('cluster_state:ok') && stdout.includes('cluster_known_nodes:3');
      if (!ok && Date.now() > end) throw new Error('the Redis Cluster does not come up');
    }
  }
  const fronts = nodes.map(({ front }) => front);
  const sum = () => {
    const all = fronts.map(({ counts }) => counts.toJSON());
    const total = { requests: 0, kinds: {}, bytes: 0, faulted: 0, connections: 0 };
    for (const counts of all) {
      for (const key of ['requests', 'bytes', 'faulted', 'connections']) total[key] += counts[key];
      for (const [kind, n] of Object.entries(counts.kinds)) total.kinds[kind] = (total.kinds[kind] ?? 0) + n;
    }
    return total;
  };
  return {
    settings: { urls: fronts.map(({ port }) => `redis://127.0.0.1:${port}`), url: `redis://127.0.0.1:${fronts[0].port}` },
    direct: { urls: nodes.map(({ port }) => `redis://127.0.0.1:${port}`) },
    service: {
      counts: sum,
      resetCounts: () => fronts.forEach(({ counts }) => counts.reset()),
      addFault: (rule) => Promise.all(fronts.map(({ faults }) => faults.add(rule))),
      removeFault: (id) => Promise.all(fronts.map(({ faults }) => faults.remove(id))),
      close: () => fronts.forEach((front) => front.close()),
    },
  };
}

async function certificates(folder) {
  mkdirSync(folder, { recursive: true });
  const openssl = (...args) => run('openssl', args, { cwd: folder });
  await openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=test authority', '-keyout', 'ca.key', '-out', 'ca.crt');
  await openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', 'redis.key', '-out', 'redis.csr');
  await openssl('x509', '-req', '-in', 'redis.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-copy_extensions', 'copy', '-out', 'redis.crt');
  return { ca: join(folder, 'ca.crt'), key: join(folder, 'redis.key'), certificate: join(folder, 'redis.crt') };
}

export async function encrypted(keeper, temporary, password) {
  const folder = join(temporary, 'redis-tls');
  const files = await certificates(folder);
  const port = await onFreePort((free) => startServer(keeper, 'redis-tls', free, folder, () => [
    '--port', '0', '--tls-port', String(free), '--tls-cert-file', files.certificate, '--tls-key-file', files.key,
    '--tls-ca-cert-file', files.ca, '--tls-auth-clients', 'no', '--requirepass', password,
  ]));
  const front = new RedisFront(port, { encrypted: true });
  await front.listen();
  const settings = (where) => ({ url: `rediss://:${password}@127.0.0.1:${where}`, host: '127.0.0.1', port: where, password, caFile: files.ca });
  return { settings: settings(front.port), direct: settings(port), service: service(front) };
}
