// What both stand-ins for Cosmos DB must do alike: our own store and engine, and the npm package with its corrections.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CosmosClient } from '@azure/cosmos';
import { signed, started } from './started.mjs';

const KEY = 'x-ms-documentdb-partitionkey';
const DOCS = '/dbs/d/colls/c/docs';

for (const standIn of ['own', 'package']) {
  describe(standIn, () => {
    let running;
    let client;
    let container;
    const raw = (method, path, options) => signed(running.services.cosmos, method, path, options);
    const keyed = (value, more = {}) => ({ [KEY]: JSON.stringify([value]), ...more });
    const match = (condition) => ({ accessCondition: { type: 'IfMatch', condition } });

    before(async () => {
      running = await started('--cosmos', standIn);
      client = new CosmosClient(running.services.cosmos.connectionString);
      const { database } = await client.databases.create({ id: 'd' });
      ({ container } = await database.containers.create({ id: 'c', partitionKey: { paths: ['/runId'] } }));
    });
    after(() => running.stop());

    test('the account names the front it was asked through, partition key ranges have texts as ids', async () => {
      for (const { endpoint, key } of [running.services.cosmos, running.services.direct.cosmos]) {
        const { body } = await signed({ endpoint, key }, 'GET', '/');
        assert.deepEqual([body.writableLocations, body.readableLocations].map(([{ databaseAccountEndpoint }]) => databaseAccountEndpoint), [endpoint, endpoint]);
      }
      const feed = { 'a-im': 'Incremental feed' };
      const { body, headers } = await raw('GET', '/dbs/d/colls/c/pkranges', { headers: feed });
      assert.deepEqual(body.PartitionKeyRanges.map(({ id, minInclusive, maxExclusive }) => [id, minInclusive, maxExclusive]), [['0', '', 'FF']]);
      assert.equal((await raw('GET', '/dbs/d/colls/c/pkranges', { headers: { ...feed, 'if-none-match': headers.get('etag') } })).status, 304);
    });

    test('keys and dates are checked', async () => {
      assert.equal((await raw('GET', '/dbs/d', { signingKey: Buffer.alloc(64, 7).toString('base64') })).status, 401);
      assert.equal((await raw('GET', '/dbs/d', { date: new Date(Date.now() - 20 * 60_000).toUTCString() })).status, 403);
    });

    test('containers take an indexing policy, and are created once', async () => {
      const indexingPolicy = { indexingMode: 'consistent', includedPaths: [{ path: '/status/?' }], excludedPaths: [{ path: '/*' }] };
      const definition = { id: 'indexed', partitionKey: { paths: ['/runId'] }, indexingPolicy };
      await client.database('d').containers.create(definition);
      const { resource } = await client.database('d').container('indexed').read();
      assert.deepEqual([resource.indexingPolicy.includedPaths, resource.partitionKey.paths], [[{ path: '/status/?' }], ['/runId']]);
      await assert.rejects(client.database('d').containers.create(definition), { code: 409 });
    });

    test('resource ids never break a path, however many databases there are', async () => {
      for (let i = 0; i < 66; i += 1) {
        const { resource } = await client.databases.create({ id: `d${i}` });
        assert.doesNotMatch(resource._rid, /\//);
      }
    });

    test('a missing item is told from a missing container or database', async () => {
      const of = async (path) => {
        const { status, headers } = await raw('GET', path, { headers: keyed('x') });
        return [status, headers.get('x-ms-substatus') ?? '0'];
      };
      assert.deepEqual(await of(`${DOCS}/x`), [404, '0']);
      assert.deepEqual(await of('/dbs/d/colls/none/docs/x'), [404, '1003']);
      assert.deepEqual(await of('/dbs/none/colls/c/docs/x'), [404, '1003']);
      assert.deepEqual(await of('/dbs/d/colls/none'), [404, '0']);
      const created = await raw('POST', '/dbs/d/colls/none/docs', { headers: keyed('x'), body: { id: 'x', runId: 'x' } });
      assert.deepEqual([created.status, created.headers.get('x-ms-substatus')], [404, '1003']);
    });

    test('create, read, replace, upsert and delete', async () => {
      const earliest = Math.floor(Date.now() / 1000);
      const created = await container.items.create({ id: 'a', runId: 'a', '_outputs.x': 1, _ledger: { rev: 1 } });
      assert.equal(created.statusCode, 201);
      const { resource, etag } = await container.item('a', 'a').read();
      assert.equal(resource._etag, etag);
      assert.ok(Number.isInteger(resource._ts) && resource._ts >= earliest && resource._ts <= earliest + 5, String(resource._ts));
      assert.deepEqual([resource['_outputs.x'], resource._ledger], [1, { rev: 1 }]);
      await assert.rejects(container.items.create({ id: 'a', runId: 'a' }), { code: 409 });
      const replaced = await container.item('a', 'a').replace({ id: 'a', runId: 'a', n: 2 });
      assert.notEqual(replaced.etag, etag);
      assert.equal(replaced.resource['_outputs.x'], undefined);
      assert.equal((await container.items.upsert({ id: 'a', runId: 'a', n: 3 })).statusCode, 200);
      assert.equal((await container.items.upsert({ id: 'a2', runId: 'a', n: 3 })).statusCode, 201);
      assert.equal((await container.item('a', 'a').delete()).statusCode, 204);
      assert.equal((await container.item('a', 'a').read()).statusCode, 404);
      await assert.rejects(container.item('a', 'a').delete(), { code: 404 });
      await assert.rejects(container.item('a', 'a').replace({ id: 'a', runId: 'a' }), { code: 404 });
    });

    test('an item is found under its partition key only', async () => {
      for (const [i, runId] of ['one', 'two', 1, '1', null].entries()) await container.items.create({ id: 'here', runId, i });
      for (const [i, runId] of ['one', 'two', 1, '1', null].entries()) {
        assert.equal((await raw('GET', `${DOCS}/here`, { headers: keyed(runId) })).body.i, i);
      }
      assert.equal((await container.item('here', 'three').read()).statusCode, 404);
      assert.equal((await raw('PUT', `${DOCS}/here`, { headers: keyed('three'), body: { id: 'here', runId: 'three' } })).status, 404);
      for (const upsert of ['False', 'True']) {
        const { status, headers } = await raw('POST', DOCS, { headers: keyed('three', { 'x-ms-documentdb-is-upsert': upsert }), body: { id: 'x', runId: 'four' } });
        assert.deepEqual([status, headers.get('x-ms-substatus')], [400, '1001']);
      }
      assert.equal((await raw('GET', `${DOCS}/here`)).status, 400);
    });

    test('items without the key lie in the partition of the undefined key', async () => {
      const undefinedKey = { [KEY]: '[{}]' };
      await container.items.create({ id: 'lost', status: 'running' });
      assert.equal((await container.item('lost', 'lost').read()).statusCode, 404);
      assert.equal((await raw('GET', `${DOCS}/lost`, { headers: keyed(null) })).status, 404);
      assert.equal((await raw('GET', `${DOCS}/lost`, { headers: undefinedKey })).body.status, 'running');
      await assert.rejects(container.items.create({ id: 'lost' }), { code: 409 });
      await container.items.create({ id: 'lost', runId: 'lost' });
      assert.equal((await raw('DELETE', `${DOCS}/lost`, { headers: undefinedKey })).status, 204);
      assert.equal((await container.item('lost', 'lost').read()).statusCode, 200);
    });

    test('preconditions, and reads of what has not changed', async () => {
      const { etag } = await container.items.create({ id: 'p', runId: 'p' });
      const second = await container.item('p', 'p').replace({ id: 'p', runId: 'p', n: 1 }, match(etag));
      await assert.rejects(container.item('p', 'p').replace({ id: 'p', runId: 'p', n: 2 }, match(etag)), { code: 412 });
      await assert.rejects(container.items.upsert({ id: 'p', runId: 'p', n: 2 }, match(etag)), { code: 412 });
      await assert.rejects(container.item('p', 'p').delete(match(etag)), { code: 412 });
      const read = (known) => raw('GET', `${DOCS}/p`, { headers: keyed('p', { 'if-none-match': known }) });
      const unchanged = await read(second.etag);
      assert.deepEqual([unchanged.status, unchanged.body, unchanged.headers.get('etag')], [304, undefined, second.etag]);
      assert.deepEqual([(await read(etag)).status, (await read(etag)).body.n], [200, 1]);
    });

    test('an answer without a body when asked', async () => {
      const { status, body, headers } = await raw('POST', DOCS, { headers: keyed('m', { prefer: 'return=minimal' }), body: { id: 'm', runId: 'm' } });
      assert.deepEqual([status, body], [201, undefined]);
      assert.equal(headers.get('etag'), (await container.item('m', 'm').read()).etag);
    });

    test('413 above 2 MB, and the item before it stays', async () => {
      const text = 'x'.repeat(1.9 * 1024 * 1024);
      await container.items.create({ id: 'big', runId: 'big', text });
      await assert.rejects(container.item('big', 'big').replace({ id: 'big', runId: 'big', text: text + text }), { code: 413 });
      await assert.rejects(container.items.create({ id: 'big2', runId: 'big', text: 'é'.repeat(1024 * 1024) }), { code: 413 });
      assert.equal((await container.item('big', 'big').read()).resource.text.length, text.length);
    });

    test('patches: names with an underscore, parents that must be there, system properties', async () => {
      await container.items.create({ id: 'patched', runId: 'patched', child: { n: 1 }, '_outputs.a': 1 });
      const patch = (operations) => container.item('patched', 'patched').patch(operations);
      const { resource } = await patch([
        { op: 'set', path: '/_outputs.b', value: { v: 1 } }, { op: 'remove', path: '/_outputs.a' }, { op: 'incr', path: '/child/n', value: 4 },
        { op: 'add', path: '/made', value: {} }, { op: 'set', path: '/made/inside', value: 1 }, { op: 'move', from: '/_outputs.b', path: '/_moved' },
      ]);
      assert.deepEqual([resource._moved, resource['_outputs.a'], resource.child.n, resource.made], [{ v: 1 }, undefined, 5, { inside: 1 }]);
      const before = (await container.item('patched', 'patched').read()).resource;
      for (const operations of [
        [{ op: 'set', path: '/no/parent', value: 1 }],
        [{ op: 'add', path: '/child/no/parent', value: 1 }],
        [{ op: 'set', path: '/ok', value: 1 }, { op: 'set', path: '/_ts', value: 1 }],
        [{ op: 'set', path: '/_etag', value: 1 }],
        [{ op: 'remove', path: '/absent' }],
        [{ op: 'set', path: '/runId', value: 'other' }],
        Array.from({ length: 11 }, (_, i) => ({ op: 'set', path: `/k${i}`, value: i })),
      ]) await assert.rejects(patch(operations), { code: 400 }, JSON.stringify(operations));
      assert.deepEqual((await container.item('patched', 'patched').read()).resource, before);
    });

    test('request charges follow the price list', async () => {
      const { requestCharge } = await container.items.create({ id: 'small', runId: 'charge' });
      assert.equal(requestCharge, 5);
      assert.equal((await container.item('small', 'charge').read()).requestCharge, 1);
      const large = await container.items.create({ id: 'large', runId: 'charge', text: 'x'.repeat(64 * 1024 - 300) });
      assert.ok(Math.abs(large.requestCharge - 22.7) < 0.2, String(large.requestCharge));
      assert.ok(Math.abs((await container.item('large', 'charge').read()).requestCharge - 4.8) < 0.1);
      assert.ok(Math.abs((await container.item('large', 'charge').delete()).requestCharge - 22.7) < 0.2);
      await running.resetCounts();
      await assert.rejects(container.items.create({ id: 'small', runId: 'charge' }), { code: 409 });
      await container.items.query('SELECT * FROM c', { partitionKey: 'charge' }).fetchAll();
      const { kinds, requestUnits, statuses } = (await running.counts()).cosmos;
      assert.deepEqual([kinds.create, kinds.query, statuses[409]], [1, 1, 1]);
      assert.ok(requestUnits > 1 + 3 && requestUnits < 1 + 3.2 + kinds.metadata, String(requestUnits));
    });

    describe('queries', () => {
      const ITEMS = [
        { id: 'n', runId: 'n', status: 'running', at: 5, depth: { x: 1 } },
        { id: 's', runId: 's', status: 'running', at: '7' },
        { id: 'm', runId: 'm', status: 'running' },
        { id: 'z', runId: 'z', status: 'completed', at: null },
        { id: 'b', runId: 'b', status: 'failed', at: true },
        { id: 'o', at: 9 },
      ];
      let items;
      before(async () => {
        ({ container: { items } } = await client.database('d').containers.create({ id: 'q', partitionKey: { paths: ['/runId'] } }));
        for (const item of ITEMS) await items.create(item);
      });
      const ids = async (query, parameters = {}, options) => {
        const spec = { query, parameters: Object.entries(parameters).map(([name, value]) => ({ name, value })) };
        return (await items.query(spec, options).fetchAll()).resources.map(({ id }) => id).join('');
      };
      const sorted = async (...args) => [...await ids(...args)].sort().join('');

      const conditions = [
        ['c.at < 6', 'n'], ['c.at < "8"', 's'], ['c.at >= false', 'b'], ['NOT (c.at < 6)', 'o'], ['c.at = null', 'z'], ['c.at != null', 'bnos'],
        ['c.at BETWEEN 4 AND 9', 'no'], ['NOT (c.at BETWEEN 4 AND 6)', 'o'], ['c.status IN ("failed", "completed")', 'bz'], ['NOT (c.status IN ("failed", "completed"))', 'mns'],
        ['IS_NUMBER(c.at)', 'no'], ['NOT IS_NUMBER(c.at)', 'bmsz'], ['(c.at < 6 OR NOT IS_NUMBER(c.at))', 'bmnsz'], ['NOT IS_DEFINED(c.runId)', 'o'],
        ['c["depth"]["x"] = 1', 'n'], ['c._ts > 0 AND c.id = "m"', 'm'],
      ];
      for (const [condition, expected] of conditions) test(condition, async () => assert.equal(await sorted(`SELECT c.id FROM c WHERE ${condition}`), expected));

      test('parameters, TOP, ORDER BY', async () => {
        assert.equal(await ids('SELECT c.id FROM c WHERE c.status = @s AND c.at < @t', { '@s': 'running', '@t': 7 }), 'n');
        assert.equal(await ids('SELECT TOP 2 c.id FROM c WHERE c.status = @s ORDER BY c.id DESC', { '@s': 'running' }), 'sn');
        assert.equal(await ids('SELECT TOP 1 c.id FROM c WHERE IS_NUMBER(c.at) ORDER BY c.at DESC'), 'o');
        assert.equal(await ids('SELECT c.id FROM c ORDER BY c.id ASC'), 'bmnosz');
      });

      test('one partition, and its feed', async () => {
        assert.equal(await ids('SELECT * FROM c', {}, { partitionKey: 'm' }), 'm');
        assert.equal(await ids('SELECT * FROM c WHERE c.at = 9', {}, { partitionKey: 'm' }), '');
        const feed = await raw('GET', '/dbs/d/colls/q/docs', { headers: { [KEY]: '[{}]' } });
        assert.deepEqual(feed.body.Documents.map(({ id }) => id), ['o']);
      });

      test('pages', async () => {
        const pages = [];
        const query = items.query('SELECT c.id FROM c', { maxItemCount: 4 });
        while (query.hasMoreResults()) pages.push((await query.fetchNext()).resources.map(({ id }) => id));
        assert.deepEqual(pages.map(({ length }) => length), [4, 2]);
        assert.equal(pages.flat().sort().join(''), 'bmnosz');
      });

      test('a query that is wrong, a request that is not JSON', async () => {
        for (const query of ['SELEC * FROM c', 'SELECT * FROM c WHERE NOPE(c.id)', 'SELECT * FROM c WHERE d.id = 1']) {
          await assert.rejects(ids(query, {}, { partitionKey: 'n' }), { code: 400 }, query);
        }
        assert.equal((await raw('POST', DOCS, { headers: keyed('i'), body: '{"id":' })).status, 400);
      });
    });
  });
}
