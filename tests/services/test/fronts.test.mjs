// What the fronts count, and each fault as the official clients meet it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, describe, test } from 'node:test';
import { CosmosClient } from '@azure/cosmos';
import { QueueServiceClient } from '@azure/storage-queue';
import { Cluster, Redis } from 'ioredis';
import { signed, started } from './started.mjs';

let running;
let queue;
let container;
const opened = [];

before(async () => {
  running = await started('--redis-cluster', '--redis-tls');
  const { services } = running;
  queue = QueueServiceClient.fromConnectionString(services.queue.connectionString, { retryOptions: { maxTries: 1 } }).getQueueClient('front');
  await queue.create();
  const client = new CosmosClient({ endpoint: services.cosmos.endpoint, key: services.cosmos.key, connectionPolicy: { retryOptions: { maxRetryAttemptsOnThrottledRequests: 0 } } });
  const { database } = await client.databases.create({ id: 'd' });
  ({ container } = await database.containers.create({ id: 'c', partitionKey: { paths: ['/runId'] } }));
  await container.items.create({ id: 'a', runId: 'a', n: 0 });
});
afterEach(() => running.clearFaults());
after(async () => {
  for (const client of opened) client.disconnect();
  await running.stop();
});

// Commands fail instead of waiting for a connection.
function redis(options = {}) {
  const client = new Redis(running.services.redis.url, { maxRetriesPerRequest: 0, retryStrategy: () => null, reconnectOnError: () => false, ...options });
  client.on('error', () => {});
  opened.push(client);
  return client;
}

const raw = (method, path, headers = {}, body) => signed(running.services.cosmos, method, path, { headers: { 'x-ms-documentdb-partitionkey': '["a"]', ...headers }, body });

describe('counts', () => {
  test('queue requests by kind', async () => {
    await running.resetCounts();
    await queue.sendMessage('one');
    await queue.sendMessage('two');
    await queue.peekMessages();
    const { receivedMessageItems: [first, second] } = await queue.receiveMessages({ numberOfMessages: 2 });
    await queue.updateMessage(second.messageId, second.popReceipt, 'two', 60);
    await queue.deleteMessage(first.messageId, first.popReceipt);
    assert.equal((await queue.getProperties()).approximateMessagesCount, 1);
    const { kinds, requests } = (await running.counts()).queue;
    assert.deepEqual(kinds, { send: 2, receive: 1, peek: 1, delete: 1, update: 1, properties: 1, other: 0 });
    assert.equal(requests, 7);
  });

  test('Cosmos DB requests by kind, with request units', async () => {
    await running.resetCounts();
    await container.items.create({ id: 'k', runId: 'a' });
    await container.item('k', 'a').read();
    await container.item('k', 'a').replace({ id: 'k', runId: 'a' });
    await container.items.upsert({ id: 'k', runId: 'a' });
    await container.item('k', 'a').patch([{ op: 'set', path: '/n', value: 1 }]);
    await container.items.batch([{ operationType: 'Read', id: 'k' }], 'a');
    await container.items.query('SELECT * FROM c WHERE c.id = "k"', { partitionKey: 'a' }).fetchAll();
    await container.item('k', 'a').delete();
    const { kinds, requestUnits, statuses, bytesOut } = (await running.counts()).cosmos;
    const { metadata, ...rest } = kinds;
    assert.deepEqual(rest, { create: 1, read: 1, replace: 1, upsert: 1, delete: 1, query: 1, patch: 1, batch: 1 });
    assert.ok(requestUnits > 5 * 5 + 2 + 3 && requestUnits < 5 * 5 + 2 + 3.5 + metadata, String(requestUnits));
    assert.equal(statuses[204], 1);
    assert.ok(bytesOut > 500);
  });

  test('Redis commands, each of a pipeline too', async () => {
    const client = redis();
    await client.ping();
    await running.resetCounts();
    await client.set('a', 'line\r\nline', 'EX', 10);
    await client.pipeline().incr('n').incr('n').get('a').exec();
    await client.eval('return redis.call("GET", KEYS[1])', 1, 'a');
    const { kinds, requests } = (await running.counts()).redis;
    assert.deepEqual(kinds, { SET: 1, INCR: 2, GET: 1, EVAL: 1 });
    assert.equal(requests, 5);
    const big = 'x'.repeat(300_000);
    await client.set('big', big);
    assert.equal(await client.get('big'), big);
  });

  test('nothing is counted of what goes direct', async () => {
    await running.resetCounts();
    await signed(running.services.direct.cosmos, 'GET', '/dbs/d');
    assert.equal((await running.counts()).cosmos.requests, 0);
  });
});

describe('faults of Cosmos DB and the queue', () => {
  test('a status, as often as asked, after those let through', async () => {
    await running.fault({ service: 'cosmos', match: { kind: 'read' }, fault: { status: 429, headers: { 'x-ms-retry-after-ms': '7' } }, skip: 1, count: 2 });
    const statuses = [];
    for (let i = 0; i < 4; i += 1) statuses.push((await raw('GET', '/dbs/d/colls/c/docs/a')).status);
    assert.deepEqual(statuses, [200, 429, 429, 200]);
    await running.fault({ service: 'cosmos', match: { method: 'PUT', pathIncludes: '/docs/a' }, fault: { status: 449, substatus: 1234, body: { code: 'x' } } });
    const { status, headers, body } = await raw('PUT', '/dbs/d/colls/c/docs/a', {}, { id: 'a', runId: 'a', n: 9 });
    assert.deepEqual([status, headers.get('x-ms-substatus'), body], [449, '1234', { code: 'x' }]);
    assert.equal((await container.item('a', 'a').read()).resource.n, 0);
    assert.equal((await running.counts()).cosmos.faulted, 3);
  });

  test('a lost answer: the write took effect', async () => {
    await running.fault({ service: 'cosmos', match: { kind: 'replace' }, fault: 'reset-after', count: 1 });
    await assert.rejects(raw('PUT', '/dbs/d/colls/c/docs/a', {}, { id: 'a', runId: 'a', n: 1 }));
    assert.equal((await container.item('a', 'a').read()).resource.n, 1);
  });

  test('a reset: the write did not take effect', async () => {
    await running.fault({ service: 'cosmos', match: { kind: 'replace' }, fault: 'reset', count: 1 });
    await assert.rejects(raw('PUT', '/dbs/d/colls/c/docs/a', {}, { id: 'a', runId: 'a', n: 2 }));
    assert.equal((await container.item('a', 'a').read()).resource.n, 1);
  });

  test('delay, timeout and refusal', async () => {
    const delay = await running.fault({ service: 'cosmos', fault: { delayMs: 150 } });
    const from = Date.now();
    await raw('GET', '/dbs/d');
    assert.ok(Date.now() - from >= 145);
    await running.control('DELETE', `/faults/${delay}`);
    await running.fault({ service: 'cosmos', fault: 'timeout' });
    let answered = false;
    const hanging = raw('GET', '/dbs/d').then(() => { answered = true; }, () => {});
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(answered, false);
    await running.clearFaults();
    await hanging;
    assert.equal(answered, false);
    await running.fault({ service: 'cosmos', fault: 'refuse' });
    const socket = connect(new URL(running.services.cosmos.endpoint).port, '127.0.0.1');
    const [error] = await once(socket, 'error');
    assert.equal(error.code, 'ECONNREFUSED');
    await running.clearFaults();
    assert.equal((await raw('GET', '/dbs/d')).status, 200);
  });

  test('probability', async () => {
    await running.fault({ service: 'cosmos', fault: { status: 503 }, probability: 0.3 });
    let failed = 0;
    for (let i = 0; i < 300; i += 1) failed += (await raw('GET', '/dbs/d')).status === 503 ? 1 : 0;
    assert.ok(failed > 50 && failed < 140, String(failed));
  });

  test('of the queue: busy, a lost answer to a send, a refusal', async () => {
    await queue.clearMessages();
    await running.fault({ service: 'queue', match: { kind: 'send' }, fault: { status: 503 }, count: 1 });
    await assert.rejects(queue.sendMessage('x'), { statusCode: 503, code: 'ServerBusy' });
    await running.fault({ service: 'queue', match: { kind: 'send' }, fault: 'reset-after', count: 1 });
    await assert.rejects(queue.sendMessage('x'));
    assert.equal((await queue.getProperties()).approximateMessagesCount, 1);
    await running.fault({ service: 'queue', fault: 'refuse' });
    await assert.rejects(queue.getProperties());
    await running.clearFaults();
    assert.equal((await queue.getProperties()).approximateMessagesCount, 1);
  });

  test('a wrong rule is refused', async () => {
    for (const rule of [{ service: 'nothing', fault: 'reset' }, { service: 'cosmos', fault: 'explode' }, { service: 'cosmos', fault: 'reset', probability: 2 }, { service: 'cosmos', fault: { reply: '-X' } }, { service: 'cosmos', fault: 'reset', match: { path: 'x' } }]) {
      assert.equal((await running.control('POST', '/faults', rule)).status, 400);
    }
    assert.equal((await running.control('DELETE', '/faults/99')).status, 404);
  });
});

describe('faults of Redis', () => {
  test('an error in place of the answer', async () => {
    const client = redis();
    await client.set('kept', '1');
    await running.fault({ service: 'redis', fault: { reply: '-READONLY You can\'t write against a read only replica.' } });
    await assert.rejects(client.set('kept', '2'), /READONLY/);
    await running.clearFaults();
    assert.equal(await client.get('kept'), '1');
  });

  test('all connections dropped, and new ones', async () => {
    const client = redis();
    await client.ping();
    // It may have ended by the time that the rule is known to be set.
    const ended = new Promise((resolve) => { client.once('end', resolve); });
    await running.fault({ service: 'redis', fault: 'reset' });
    await ended;
    await assert.rejects(redis().ping());
    await running.clearFaults();
    assert.equal(await redis().ping(), 'PONG');
  });

  test('a lost answer to one command', async () => {
    const client = redis();
    await client.set('n', '0');
    await running.fault({ service: 'redis', match: { kind: 'INCR' }, fault: 'reset-after', count: 1 });
    await assert.rejects(client.incr('n'));
    assert.equal(await redis().get('n'), '1');
  });

  test('silence, delay, refusal', async () => {
    const client = redis({ commandTimeout: 200 });
    await client.ping();
    await running.fault({ service: 'redis', fault: 'timeout' });
    await assert.rejects(client.ping(), /timed out/);
    await running.clearFaults();
    await running.fault({ service: 'redis', match: { kind: 'ECHO' }, fault: { delayMs: 120 } });
    const other = redis();
    await other.ping();
    const from = Date.now();
    const [echo, pong] = await Promise.all([other.echo('x'), other.ping()]);
    assert.deepEqual([echo, pong], ['x', 'PONG']);
    assert.ok(Date.now() - from >= 115);
    await running.clearFaults();
    await running.fault({ service: 'redis', fault: 'refuse' });
    await assert.rejects(redis().ping());
    await running.clearFaults();
    assert.equal(await redis().ping(), 'PONG');
  });

  test('stopped and started again: empty', async () => {
    const client = redis();
    await client.set('lost', '1');
    await running.control('POST', '/services/redis/stop');
    await assert.rejects(redis().ping());
    assert.equal((await running.control('POST', '/services/redis/start')).status, 200);
    assert.equal(await redis().get('lost'), null);
  });
});

describe('more of Redis', () => {
  test('a cluster of three primaries, reached through its fronts', async () => {
    await running.resetCounts();
    const cluster = new Cluster(running.services.redisCluster.urls.slice(0, 1).map((url) => ({ host: '127.0.0.1', port: Number(new URL(url).port) })));
    opened.push(cluster);
    for (let i = 0; i < 60; i += 1) await cluster.set(`key${i}`, String(i));
    for (let i = 0; i < 60; i += 1) assert.equal(await cluster.get(`key${i}`), String(i));
    assert.equal(cluster.nodes('master').length, 3);
    assert.equal((await running.counts()).redisCluster.kinds.SET, 60);
  });

  test('with a password and TLS', async () => {
    const { url, caFile, port } = running.services.redisTls;
    const client = new Redis(url, { tls: { ca: readFileSync(caFile) } });
    opened.push(client);
    assert.equal(await client.ping(), 'PONG');
    const wrong = new Redis(url.replace(/:[^:@]+@/, ':wrong@'), { tls: { ca: readFileSync(caFile) }, retryStrategy: () => null, maxRetriesPerRequest: 0 });
    wrong.on('error', () => {});
    opened.push(wrong);
    await assert.rejects(wrong.ping());
    const distrusting = new Redis(port, '127.0.0.1', { tls: {}, retryStrategy: () => null, maxRetriesPerRequest: 0 });
    distrusting.on('error', () => {});
    opened.push(distrusting);
    await assert.rejects(distrusting.ping());
  });
});
