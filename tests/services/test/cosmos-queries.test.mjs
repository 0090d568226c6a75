// Queries: semantics, paging, plans for queries over all partitions, and agreement with an engine written by others.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { CosmosClient } from '@azure/cosmos';
import { prepare, run } from '../sql/run.mjs';
import { signed, started } from './started.mjs';

const DOCS = '/dbs/d/colls/c/docs';
let running;
let container;
let database;

const ITEMS = [
  { id: 'n', runId: 'n', status: 'running', lastUpdated: 5, tags: ['a', 'b'], depth: { x: 1 } },
  { id: 's', runId: 's', status: 'running', lastUpdated: '2026-01-01T00:00:00Z', tags: ['b'] },
  { id: 'm', runId: 'm', status: 'running' },
  { id: 'z', runId: 'z', status: 'completed', lastUpdated: null, text: 'Grüße 😀' },
  { id: 'b', runId: 'b', status: 'failed', lastUpdated: true, '_outputs.a': 1 },
  { id: 'o', status: 'running', lastUpdated: 9 },
];

before(async () => {
  running = await started();
  const client = new CosmosClient(running.services.cosmos.connectionString);
  ({ database } = await client.databases.create({ id: 'd' }));
  ({ container } = await database.containers.create({ id: 'c', partitionKey: { paths: ['/runId'] } }));
  for (const item of ITEMS) await container.items.create(item);
});
after(() => running.stop());

const all = async (query, parameters = {}, options) => {
  const spec = { query, parameters: Object.entries(parameters).map(([name, value]) => ({ name, value })) };
  return (await container.items.query(spec, options).fetchAll()).resources;
};
const ids = async (where, parameters) => (await all(`SELECT c.id FROM c WHERE ${where}`, parameters)).map(({ id }) => id).join('');

describe('filters', () => {
  const cases = [
    ['c.lastUpdated < 6', 'n'],
    ['c.lastUpdated < "3000"', 's'],
    ['c.lastUpdated >= false', 'b'],
    ['c.lastUpdated > 0 AND c.status = "running"', 'no'],
    ['NOT (c.lastUpdated < 6)', 'o'],
    ['IS_NUMBER(c.lastUpdated)', 'no'],
    ['IS_STRING(c.lastUpdated)', 's'],
    ['IS_NULL(c.lastUpdated)', 'z'],
    ['IS_DEFINED(c.lastUpdated)', 'nszbo'],
    ['NOT IS_DEFINED(c.lastUpdated)', 'm'],
    ['NOT IS_DEFINED(c.runId)', 'o'],
    ['c.lastUpdated = null', 'z'],
    ['c.lastUpdated != null', 'nsbo'],
    ['c.status IN ("failed", "completed")', 'zb'],
    ['c.status NOT IN ("failed", "completed")', 'nsmo'],
    ['c.lastUpdated BETWEEN 5 AND 8', 'n'],
    ['c["_outputs.a"] = 1', 'b'],
    ['c.depth = {"x": 1}', 'n'],
    ['ARRAY_CONTAINS(c.tags, "b")', 'ns'],
    ['STARTSWITH(c.text, "gr", true)', 'z'],
    ['CONTAINS(c.text, "😀")', 'z'],
    ['c.text LIKE "Gr%"', 'z'],
    ['LENGTH(c.id) = 1 AND c.status != "running"', 'zb'],
    ['(c.missing ?? "x") = "x" AND c.status = "failed"', 'b'],
    ['c._ts > 0 AND c.id = "m"', 'm'],
  ];
  for (const [where, expected] of cases) test(where, async () => assert.equal(await ids(where), expected));

  test('parameters', async () => {
    assert.equal(await ids('c.status = @s AND c.lastUpdated < @t', { '@s': 'running', '@t': 7 }), 'n');
    assert.equal(await ids('ARRAY_CONTAINS(@list, c.id)', { '@list': ['m', 'z'] }), 'mz');
  });

  test('a syntax error is 400', async () => {
    const options = { partitionKey: 'n' };
    await assert.rejects(all('SELEC * FROM c', {}, options), { code: 400 });
    await assert.rejects(all('SELECT * FROM c WHERE NOPE(c.id)', {}, options), { code: 400 });
    await assert.rejects(all('SELECT * FROM c WHERE d.id = 1', {}, options), { code: 400 });
  });
});

describe('shapes', () => {
  test('projections', async () => {
    assert.deepEqual(await all('SELECT c.id, c.lastUpdated AS at, c.depth.x FROM c WHERE c.id = "n"'), [{ id: 'n', at: 5, x: 1 }]);
    assert.deepEqual(await all('SELECT VALUE {"i": c.id, "m": c.missing} FROM c WHERE c.id = "n"'), [{ i: 'n' }]);
    assert.deepEqual(await all('SELECT VALUE c.lastUpdated FROM c WHERE IS_NUMBER(c.lastUpdated)'), [5, 9]);
    assert.deepEqual(await all('SELECT VALUE t FROM c JOIN t IN c.tags WHERE c.id = "n"'), ['a', 'b']);
    assert.deepEqual(await all('SELECT r.id FROM root r WHERE r.id = "m"'), [{ id: 'm' }]);
  });

  test('TOP, OFFSET LIMIT, ORDER BY, over all partitions and in one', async () => {
    const names = async (query, parameters) => (await all(query, parameters)).map(({ id }) => id).join('');
    assert.equal(await names('SELECT TOP 2 c.id FROM c'), 'ns');
    assert.equal(await names('SELECT c.id FROM c OFFSET 1 LIMIT 3'), 'smz');
    assert.equal(await names('SELECT c.id FROM c ORDER BY c.id'), 'bmnosz');
    assert.equal(await names('SELECT TOP 3 c.id FROM c ORDER BY c.id DESC'), 'zso');
    assert.equal(await names('SELECT c.id FROM c WHERE c.status = @s ORDER BY c.id OFFSET 1 LIMIT 2', { '@s': 'running' }), 'no');
    assert.deepEqual(await all('SELECT TOP 1 * FROM c ORDER BY c.id', {}, { partitionKey: 'm' }).then((found) => found.map(({ id }) => id)), ['m']);
  });

  test('items without the ORDER BY property come first, then by type', async () => {
    const options = { forceQueryPlan: true };
    assert.deepEqual((await all('SELECT c.id FROM c ORDER BY c.lastUpdated', {}, options)).map(({ id }) => id).join(''), 'mzbnos');
    assert.deepEqual((await all('SELECT c.id FROM c ORDER BY c.lastUpdated DESC', {}, options)).map(({ id }) => id).join(''), 'sonbzm');
  });

  test('several ORDER BY properties need a composite index', async () => {
    await assert.rejects(all('SELECT * FROM c ORDER BY c.status, c.id'), { code: 400 });
    const { container: composite } = await database.containers.create({
      id: 'composite', partitionKey: { paths: ['/runId'] },
      indexingPolicy: { compositeIndexes: [[{ path: '/status', order: 'ascending' }, { path: '/id', order: 'descending' }]] },
    });
    for (const item of ITEMS) await composite.items.create(item);
    const { resources } = await composite.items.query('SELECT c.id FROM c ORDER BY c.status, c.id DESC').fetchAll();
    assert.equal(resources.map(({ id }) => id).join(''), 'zbsonm');
  });

  test('ordering by a path that is not indexed is refused, by _ts it is not', async () => {
    const { container: narrow } = await database.containers.create({
      id: 'narrow', partitionKey: { paths: ['/runId'] },
      indexingPolicy: { includedPaths: [{ path: '/status/?' }], excludedPaths: [{ path: '/*' }] },
    });
    await narrow.items.create(ITEMS[0]);
    for (const [path, fine] of [['c._ts', true], ['c.status', true], ['c.lastUpdated', false]]) {
      const asked = narrow.items.query(`SELECT * FROM c ORDER BY ${path}`).fetchAll();
      if (fine) assert.equal((await asked).resources.length, 1);
      else await assert.rejects(asked, { code: 400 });
    }
  });

  test('aggregates, groups and distinct values', async () => {
    assert.deepEqual(await all('SELECT VALUE COUNT(1) FROM c'), [6]);
    assert.deepEqual(await all('SELECT VALUE SUM(c.lastUpdated) FROM c WHERE IS_NUMBER(c.lastUpdated)'), [14]);
    assert.deepEqual(await all('SELECT COUNT(1) AS n, MAX(c.lastUpdated) AS m FROM c WHERE IS_NUMBER(c.lastUpdated)'), [{ n: 2, m: 9 }]);
    const groups = await all('SELECT c.status, COUNT(1) AS n FROM c GROUP BY c.status');
    assert.deepEqual(groups.sort((a, b) => b.n - a.n)[0], { status: 'running', n: 4 });
    assert.deepEqual((await all('SELECT DISTINCT VALUE c.status FROM c')).sort(), ['completed', 'failed', 'running']);
  });
});

describe('without the SDK', () => {
  const query = (text, headers = {}, parameters = []) => signed(running.services.cosmos, 'POST', DOCS, {
    headers: { 'content-type': 'application/query+json', 'x-ms-documentdb-isquery': 'True', ...headers }, body: { query: text, parameters },
  });
  const CROSS = { 'x-ms-documentdb-query-enablecrosspartition': 'True' };

  test('a query over all partitions must say so', async () => {
    assert.equal((await query('SELECT * FROM c')).status, 400);
    assert.equal((await query('SELECT * FROM c', CROSS)).body._count, 6);
  });

  test('what the gateway cannot merge is refused with the plan', async () => {
    const { status, headers, body } = await query('SELECT TOP 5 * FROM c WHERE c.status = "running" ORDER BY c._ts DESC', CROSS);
    assert.deepEqual([status, headers.get('x-ms-substatus')], [400, '1004']);
    const { queryInfo } = JSON.parse(body.additionalErrorInfo);
    assert.deepEqual([queryInfo.top, queryInfo.orderBy, queryInfo.orderByExpressions], [5, ['Descending'], ['c._ts']]);
    assert.equal((await query('SELECT * FROM c ORDER BY c._ts', { ...CROSS, 'x-ms-documentdb-partitionkeyrangeid': '0' })).status, 200);
  });

  test('pages and continuation tokens', async () => {
    for (const text of ['SELECT c.id FROM c', 'SELECT c.id FROM c ORDER BY c.id', 'SELECT TOP 5 c.id FROM c ORDER BY c.id', 'SELECT c.id FROM c OFFSET 1 LIMIT 4', 'SELECT DISTINCT c.id FROM c']) {
      const pages = [];
      let token;
      do {
        const headers = { ...CROSS, 'x-ms-documentdb-partitionkeyrangeid': '0', 'x-ms-max-item-count': '2', ...(token && { 'x-ms-continuation': token }) };
        const answer = await query(text, headers);
        assert.equal(answer.headers.get('x-ms-item-count'), String(answer.body.Documents.length));
        pages.push(answer.body.Documents.map(({ id }) => id));
        token = answer.headers.get('x-ms-continuation');
      } while (token);
      const whole = (await query(text, { ...CROSS, 'x-ms-documentdb-partitionkeyrangeid': '0' })).body.Documents.map(({ id }) => id);
      assert.deepEqual(pages.flat(), whole, text);
      assert.ok(pages.slice(0, -1).every((page) => page.length === 2), text);
    }
  });

  test('items written between two pages are neither lost nor repeated', async () => {
    const headers = { ...CROSS, 'x-ms-documentdb-partitionkeyrangeid': '0', 'x-ms-max-item-count': '3' };
    const first = await query('SELECT c.id FROM c ORDER BY c.id', headers);
    await container.items.create({ id: 'aa', runId: 'aa' });
    await container.item('n', 'n').patch([{ op: 'set', path: '/touched', value: true }]);
    const second = await query('SELECT c.id FROM c ORDER BY c.id', { ...headers, 'x-ms-continuation': first.headers.get('x-ms-continuation') });
    assert.equal([...first.body.Documents, ...second.body.Documents].map(({ id }) => id).join(''), 'bmnosz');
    await container.item('aa', 'aa').delete();
  });

  test('without a page size a page has 100 items, with -1 up to 4 MB', async () => {
    const { container: many } = await database.containers.create({ id: 'many', partitionKey: { paths: ['/runId'] } });
    await Promise.all(Array.from({ length: 250 }, (_, i) => many.items.create({ id: `i${i}`, runId: 'one', text: 'x'.repeat(30_000) })));
    const ask = (headers) => signed(running.services.cosmos, 'POST', '/dbs/d/colls/many/docs', {
      headers: { 'content-type': 'application/query+json', 'x-ms-documentdb-partitionkey': '["one"]', ...headers }, body: { query: 'SELECT * FROM c' },
    });
    assert.equal((await ask({})).body._count, 100);
    const { body, headers } = await ask({ 'x-ms-max-item-count': '-1' });
    assert.ok(body._count > 130 && body._count < 140, String(body._count));
    assert.ok(headers.get('x-ms-continuation'));
  });
});

describe('against another engine', () => {
  const require = createRequire(import.meta.url);
  const engine = createRequire(require.resolve('@vercel/cosmosdb-server'))('@zeit/cosmosdb-query').default;
  const values = [undefined, null, true, false, 0, 1, -1.5, 7, '', 'a', 'b', '10', [], [1, 'a'], { x: 1 }, { x: { y: 2 } }];
  const docs = Array.from({ length: 300 }, (_, i) => {
    const doc = { id: `i${i}`, _rid: String(i).padStart(4, '0'), p: values[i % 16], q: values[(i * 7 + (i >> 4)) % 16], r: { s: values[(i * 5 + 3) % 16] }, n: (i * 37) % 101 };
    return JSON.parse(JSON.stringify(doc));
  });
  const items = docs.map((doc, i) => ({ doc, seq: i + 1, size: 1 }));
  const owner = { version: 1 };
  const ours = (text) => run(prepare(text), text, {
    items: { owner, since: (seq) => items.slice(seq) }, parameters: new Map([['@p', 1]]), maxItems: Infinity,
  }).results;
  const theirs = (text) => engine(text).exec(docs, { parameters: [{ name: '@p', value: 1 }] }).result;

  const conditions = [
    'c.p = c.q', 'c.p != c.q', 'c.p < c.q', 'c.p >= c.q', 'NOT (c.p = c.q)', 'NOT (c.p > c.r.s)', 'c.p = @p OR c.q = @p', 'c.p AND c.q', 'c.p OR c.q', 'NOT c.p',
    'c.p IN (1, "a", null)', 'c.n BETWEEN 10 AND 30', 'IS_DEFINED(c.p) AND NOT IS_DEFINED(c.q)', 'IS_NUMBER(c.p)', 'IS_STRING(c.r.s)', 'IS_NULL(c.p)', 'IS_BOOL(c.p)', 'IS_ARRAY(c.q)', 'IS_OBJECT(c.q)',
    'c.n + 1 > 50', 'c.n % 2 = 1', '-c.n < -50', 'c.p.x = 1', 'c["p"]["x"]["y"] = 2', 'c.q[0] = 1', 'STARTSWITH(c.p, "a")', 'CONTAINS(c.p, "1")', 'LENGTH(c.p) > 0',
    '(c.p ?? 1) = 1', 'c.p || "x" = "ax"', 'c.p = {"x": 1}', 'c.q = [1, "a"]', 'ARRAY_CONTAINS(c.q, "a")', 'c.n > 50 AND (c.p = 1 OR NOT IS_DEFINED(c.p)) AND c.q != "a"',
  ];
  for (const condition of conditions) {
    test(condition, () => {
      const text = `SELECT c.id, c.p, c.r.s FROM c WHERE ${condition}`;
      assert.deepEqual(ours(text), theirs(text));
    });
  }
  test('orders and shapes', () => {
    for (const text of ['SELECT VALUE c.n FROM c ORDER BY c.n', 'SELECT TOP 7 c.id, c.n FROM c WHERE c.n > 3 ORDER BY c.n DESC', 'SELECT VALUE {"a": c.p, "b": [c.n, c.q]} FROM c', 'SELECT COUNT(c.p) AS k, SUM(c.n) AS s FROM c']) {
      assert.deepEqual(ours(text), theirs(text), text);
    }
  });
});
