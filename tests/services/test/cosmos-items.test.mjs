// Point operations, partitions, preconditions, limits, patches and batches.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CosmosClient } from '@azure/cosmos';
import { signed, started } from './started.mjs';

const KEY = 'x-ms-documentdb-partitionkey';
const DOCS = '/dbs/d/colls/c/docs';
let running;
let client;
let container;
let raw;

before(async () => {
  running = await started();
  client = new CosmosClient(running.services.cosmos.connectionString);
  const { database } = await client.databases.create({ id: 'd' });
  ({ container } = await database.containers.create({ id: 'c', partitionKey: { paths: ['/runId'] } }));
  raw = (method, path, options = {}) => signed(running.services.cosmos, method, path, options);
});
after(() => running.stop());

const keyed = (value, more = {}) => ({ [KEY]: JSON.stringify([value]), ...more });

describe('account', () => {
  test('its endpoints are those of the front it was asked through', async () => {
    for (const { endpoint, key } of [running.services.cosmos, running.services.direct.cosmos]) {
      const { body } = await signed({ endpoint, key }, 'GET', '/');
      assert.equal(body.writableLocations[0].databaseAccountEndpoint, endpoint);
      assert.equal(body.readableLocations[0].databaseAccountEndpoint, endpoint);
    }
  });

  test('partition key ranges have ids that are strings and end when nothing changed', async () => {
    const { body, headers } = await raw('GET', '/dbs/d/colls/c/pkranges', { headers: { 'a-im': 'Incremental feed' } });
    assert.deepEqual(body.PartitionKeyRanges.map(({ id, minInclusive, maxExclusive }) => [id, minInclusive, maxExclusive]), [['0', '', 'FF']]);
    const again = await raw('GET', '/dbs/d/colls/c/pkranges', { headers: { 'a-im': 'Incremental feed', 'if-none-match': headers.get('etag') } });
    assert.equal(again.status, 304);
  });

  test('a wrong key is 401, a date that is off is 403, no signature is 401', async () => {
    const wrong = Buffer.alloc(64, 7).toString('base64');
    assert.equal((await raw('GET', '/dbs/d', { signingKey: wrong })).status, 401);
    assert.equal((await raw('GET', '/dbs/d', { date: new Date(Date.now() - 20 * 60_000).toUTCString() })).status, 403);
    assert.equal((await raw('GET', '/dbs/d', { date: new Date(Date.now() - 10 * 60_000).toUTCString() })).status, 200);
    assert.equal((await fetch(new URL('/dbs/d', running.services.cosmos.endpoint))).status, 401);
    await assert.rejects(new CosmosClient({ endpoint: running.services.cosmos.endpoint, key: wrong }).database('d').read(), { code: 401 });
  });

  test('an indexing policy is kept and returned', async () => {
    const policy = { indexingMode: 'consistent', includedPaths: [{ path: '/status/?' }], excludedPaths: [{ path: '/*' }] };
    await client.database('d').containers.create({ id: 'indexed', partitionKey: { paths: ['/runId'] }, indexingPolicy: policy });
    const { resource } = await client.database('d').container('indexed').read();
    assert.deepEqual(resource.indexingPolicy.includedPaths, policy.includedPaths);
    assert.deepEqual(resource.indexingPolicy.excludedPaths, [{ path: '/*' }, { path: '/"_etag"/?' }]);
    assert.deepEqual(resource.partitionKey.paths, ['/runId']);
    await assert.rejects(client.database('d').containers.create({ id: 'indexed', partitionKey: { paths: ['/runId'] } }), { code: 409 });
  });

  test('what is missing says whether it is the item or its owner', async () => {
    const item = await raw('GET', `${DOCS}/nothing`, { headers: keyed('nothing') });
    assert.deepEqual([item.status, item.headers.get('x-ms-substatus'), item.body.code], [404, '0', 'NotFound']);
    for (const path of ['/dbs/d/colls/none/docs/x', '/dbs/none/colls/c/docs/x']) {
      const owner = await raw('GET', path, { headers: keyed('x') });
      assert.deepEqual([owner.status, owner.headers.get('x-ms-substatus')], [404, '1003']);
      assert.match(owner.body.message, /Owner resource does not exist/);
    }
    assert.equal((await raw('GET', '/dbs/d/colls/none')).headers.get('x-ms-substatus'), '0');
  });
});

describe('items', () => {
  test('create, read, replace, upsert and delete', async () => {
    const before = Math.floor(Date.now() / 1000);
    const created = await container.items.create({ id: 'a', runId: 'a', '_outputs.x': 1, _ledger: { rev: 1 } });
    assert.equal(created.statusCode, 201);
    const { resource, etag, headers } = await container.item('a', 'a').read();
    assert.equal(resource._etag, etag);
    assert.match(etag, /^"[^"]+"$/);
    assert.ok(Number.isInteger(resource._ts) && resource._ts >= before && resource._ts <= before + 5);
    assert.ok(!Number.isNaN(Date.parse(headers.date)));
    assert.deepEqual(resource._ledger, { rev: 1 });
    await assert.rejects(container.items.create({ id: 'a', runId: 'a' }), { code: 409 });
    const replaced = await container.item('a', 'a').replace({ id: 'a', runId: 'a', n: 2 });
    assert.notEqual(replaced.etag, etag);
    assert.equal(replaced.resource['_outputs.x'], undefined);
    assert.equal(replaced.resource._rid, resource._rid);
    assert.equal((await container.items.upsert({ id: 'a', runId: 'a', n: 3 })).statusCode, 200);
    assert.equal((await container.items.upsert({ id: 'a2', runId: 'a', n: 3 })).statusCode, 201);
    assert.equal((await container.item('a', 'a').delete()).statusCode, 204);
    assert.equal((await container.item('a', 'a').read()).statusCode, 404);
    await assert.rejects(container.item('a', 'a').delete(), { code: 404 });
  });

  test('another partition key does not find the item', async () => {
    await container.items.create({ id: 'here', runId: 'one' });
    assert.equal((await container.item('here', 'two').read()).statusCode, 404);
    await assert.rejects(container.item('here', 'two').delete(), { code: 404 });
    const { status } = await raw('PUT', `${DOCS}/here`, { headers: keyed('two'), body: { id: 'here', runId: 'two' } });
    assert.equal(status, 404);
    await container.items.create({ id: 'here', runId: 'two', other: true });
    assert.equal((await container.item('here', 'one').read()).resource.other, undefined);
    const mismatch = await raw('POST', DOCS, { headers: keyed('three'), body: { id: 'x', runId: 'four' } });
    assert.deepEqual([mismatch.status, mismatch.headers.get('x-ms-substatus')], [400, '1001']);
    assert.equal((await raw('GET', `${DOCS}/here`)).status, 400);
  });

  test('items without the key share the partition of the undefined key, not one by id', async () => {
    await container.items.create({ id: 'lost', status: 'running' });
    assert.equal((await container.item('lost', 'lost').read()).statusCode, 404);
    assert.equal((await raw('GET', `${DOCS}/lost`, { headers: { [KEY]: '[{}]' } })).status, 200);
    assert.equal((await container.item('lost', undefined).read()).resource.status, 'running');
    await assert.rejects(container.items.create({ id: 'lost', status: 'again' }), { code: 409 });
    await container.items.create({ id: 'lost', runId: 'lost' });
    assert.equal((await raw('GET', `${DOCS}/lost`, { headers: keyed(null) })).status, 404);
  });

  test('preconditions', async () => {
    const { etag } = await container.items.create({ id: 'p', runId: 'p' });
    const match = (condition) => ({ accessCondition: { type: 'IfMatch', condition } });
    const second = await container.item('p', 'p').replace({ id: 'p', runId: 'p', n: 1 }, match(etag));
    await assert.rejects(container.item('p', 'p').replace({ id: 'p', runId: 'p', n: 2 }, match(etag)), { code: 412 });
    await assert.rejects(container.items.upsert({ id: 'p', runId: 'p', n: 2 }, match(etag)), { code: 412 });
    await assert.rejects(container.item('p', 'p').delete(match(etag)), { code: 412 });
    await assert.rejects(container.item('p', 'p').patch([{ op: 'set', path: '/n', value: 5 }], match(etag)), { code: 412 });
    assert.equal((await container.items.upsert({ id: 'new', runId: 'p' }, match('"none"'))).statusCode, 201);
    await assert.rejects(container.items.upsert({ id: 'p', runId: 'p' }, { accessCondition: { type: 'IfNoneMatch', condition: '*' } }), { code: 412 });
    const unchanged = await raw('GET', `${DOCS}/p`, { headers: keyed('p', { 'if-none-match': second.etag }) });
    assert.equal(unchanged.status, 304);
    assert.equal((await container.item('p', 'p').read()).resource.n, 1);
  });

  test('an answer without a body when asked', async () => {
    const { status, body, headers } = await raw('POST', DOCS, { headers: keyed('m', { prefer: 'return=minimal' }), body: { id: 'm', runId: 'm' } });
    assert.deepEqual([status, body], [201, undefined]);
    assert.ok(headers.get('etag'));
  });

  test('413 above 2 MB, and the item before it stays', async () => {
    const text = (bytes) => 'x'.repeat(bytes);
    await container.items.create({ id: 'big', runId: 'big', text: text(1.9 * 1024 * 1024) });
    await assert.rejects(container.item('big', 'big').replace({ id: 'big', runId: 'big', text: text(2 * 1024 * 1024) }), { code: 413 });
    await assert.rejects(container.items.upsert({ id: 'big2', runId: 'big', text: 'é'.repeat(1024 * 1024) }), { code: 413 });
    assert.equal((await container.item('big', 'big').read()).resource.text.length, text(1.9 * 1024 * 1024).length);
  });

  test('ids', async () => {
    for (const id of ['with space', 'ünï', 'a.b~c', "it's", '%41']) {
      await container.items.create({ id, runId: id });
      assert.equal((await container.item(id, id).read()).resource?.id, id, id);
    }
    for (const id of ['a/b', 'a\\b', 'a?b', 'a#b', '']) {
      assert.equal((await raw('POST', DOCS, { headers: keyed('i'), body: { id, runId: 'i' } })).status, 400, id);
    }
    assert.equal((await raw('POST', DOCS, { headers: keyed('i'), body: { runId: 'i' } })).status, 400);
    assert.equal((await raw('POST', DOCS, { headers: keyed('i'), body: '{"id":' })).status, 400);
  });

  test('request charges follow the price list', async () => {
    const of = (bytes, id) => {
      const doc = { id, runId: 'charge', text: '' };
      return container.items.create({ ...doc, text: 'x'.repeat(Math.max(0, bytes - 300)) });
    };
    const small = await of(0, 'small');
    assert.equal(small.requestCharge, 5);
    assert.equal((await container.item('small', 'charge').read()).requestCharge, 1);
    const large = await of(64 * 1024, 'large');
    assert.ok(Math.abs(large.requestCharge - 22.7) < 0.2, String(large.requestCharge));
    assert.ok(Math.abs((await container.item('large', 'charge').read()).requestCharge - 4.8) < 0.1);
    const { requestCharge } = await container.items.query('SELECT * FROM c', { partitionKey: 'charge' }).fetchAll();
    assert.ok(requestCharge > 2.5 + 0.5 * 2 + 0.3 * 63 && requestCharge < 2.5 + 1 + 0.3 * 67, String(requestCharge));
  });
});

describe('patch', () => {
  const patch = (operations, id = 'patched') => container.item(id, 'patched').patch(operations);
  before(() => container.items.create({ id: 'patched', runId: 'patched', list: [1, 2], child: { n: 1 }, '_outputs.a': 1 }));

  test('sets, adds, increments, moves and removes', async () => {
    const { resource } = await patch([
      { op: 'set', path: '/_outputs.b', value: { v: 1 } }, { op: 'add', path: '/list/1', value: 9 }, { op: 'add', path: '/list/-', value: 3 },
      { op: 'incr', path: '/child/n', value: 4 }, { op: 'incr', path: '/fresh', value: 2 }, { op: 'remove', path: '/_outputs.a' },
      { op: 'set', path: '/a~1b~0c', value: 1 }, { op: 'replace', path: '/list/0', value: 0 }, { op: 'move', from: '/fresh', path: '/moved' },
    ]);
    assert.deepEqual(resource['_outputs.b'], { v: 1 });
    assert.deepEqual(resource.list, [0, 9, 2, 3]);
    assert.deepEqual([resource.child.n, resource.moved, resource.fresh, resource['a/b~c']], [5, 2, undefined, 1]);
    assert.ok(!('_outputs.a' in resource));
  });

  test('refuses what the service refuses, and then changes nothing', async () => {
    const before = (await container.item('patched', 'patched').read()).resource;
    const refused = [
      Array.from({ length: 11 }, (_, i) => ({ op: 'set', path: `/k${i}`, value: i })),
      [{ op: 'set', path: '/ok', value: 1 }, { op: 'set', path: '/_ts', value: 1 }],
      [{ op: 'set', path: '/_etag', value: 1 }],
      [{ op: 'set', path: '/no/parent', value: 1 }],
      [{ op: 'add', path: '/no/parent', value: 1 }],
      [{ op: 'remove', path: '/absent' }],
      [{ op: 'replace', path: '/absent', value: 1 }],
      [{ op: 'add', path: '/list/99', value: 1 }],
      [{ op: 'incr', path: '/child', value: 1 }],
      [{ op: 'set', path: '/id', value: 'other' }],
      [{ op: 'set', path: '/runId', value: 'other' }],
    ];
    for (const operations of refused) await assert.rejects(patch(operations), { code: 400 }, JSON.stringify(operations));
    assert.deepEqual((await container.item('patched', 'patched').read()).resource, before);
    await assert.rejects(patch([{ op: 'set', path: '/a', value: 1 }], 'absent'), { code: 404 });
  });

  test('conditions', async () => {
    const operations = [{ op: 'set', path: '/seen', value: true }];
    await assert.rejects(container.item('patched', 'patched').patch({ condition: 'FROM c WHERE c.child.n = 99', operations }), { code: 412 });
    const { resource } = await container.item('patched', 'patched').patch({ condition: 'FROM c WHERE IS_DEFINED(c.child)', operations });
    assert.equal(resource.seen, true);
  });
});

describe('batch', () => {
  test('all or nothing', async () => {
    await container.items.create({ id: 'one', runId: 'batch', n: 1 });
    const failed = await container.items.batch([
      { operationType: 'Create', resourceBody: { id: 'two', runId: 'batch' } },
      { operationType: 'Upsert', resourceBody: { id: 'one', runId: 'batch', n: 2 } },
      { operationType: 'Delete', id: 'absent' },
    ], 'batch');
    assert.deepEqual(failed.result.map(({ statusCode }) => statusCode), [424, 424, 404]);
    assert.equal((await container.item('two', 'batch').read()).statusCode, 404);
    assert.equal((await container.item('one', 'batch').read()).resource.n, 1);
    const { result } = await container.items.batch([
      { operationType: 'Create', resourceBody: { id: 'two', runId: 'batch' } },
      { operationType: 'Replace', id: 'one', resourceBody: { id: 'one', runId: 'batch', n: 2 } },
      { operationType: 'Read', id: 'one' },
      { operationType: 'Patch', id: 'one', resourceBody: { operations: [{ op: 'incr', path: '/n', value: 1 }] } },
      { operationType: 'Delete', id: 'two' },
    ], 'batch');
    assert.deepEqual(result.map(({ statusCode }) => statusCode), [201, 200, 200, 200, 204]);
    assert.equal((await container.item('one', 'batch').read()).resource.n, 3);
    const { resources } = await container.items.query('SELECT VALUE c.id FROM c', { partitionKey: 'batch' }).fetchAll();
    assert.deepEqual(resources, ['one']);
  });
});
