// Requests on the items of a container: point operations, patches, queries, feeds and batches.
import { needsClient, prepare, run } from '../sql/run.mjs';
import { SqlError } from '../sql/parse.mjs';
import { queryPlan } from '../sql/plan.mjs';
import { Refusal, badRequest, errorBody, precondition } from './answers.mjs';
import { queryCharge, readCharge } from './charge.mjs';
import { flag } from './kinds.mjs';
import { patched } from './patch.mjs';

const BATCH_LIMIT = 100;
const PAGE = 100;
const OPTIONAL_KEY = 'PartitionKey value must be supplied for this operation.';

function partitionOf(container, headers) {
  const header = headers['x-ms-documentdb-partitionkey'];
  if (header === undefined) throw badRequest(OPTIONAL_KEY);
  return container.partitionFromHeader(header);
}

function answer({ status, item, charge }, minimal = false) {
  const headers = item ? { etag: item.doc._etag } : {};
  const body = item && status !== 304 && !(minimal && status < 300) ? item.json : undefined;
  return { status, headers, body, charge };
}

const conditionsOf = (headers) => ({ ifMatch: headers['if-match'], ifNoneMatch: headers['if-none-match'] });
const minimalOf = (headers) => headers.prefer === 'return=minimal';

function object(body) {
  if (body === null || typeof body !== 'object' || Array.isArray(body)) throw badRequest('The request body is not a JSON object.');
  return body;
}

export function readItem(container, id, { headers }) {
  return answer(container.read(partitionOf(container, headers), id, conditionsOf(headers)));
}

export function createItem(container, { headers, body }) {
  return answer(container.create(partitionOf(container, headers), object(body)), minimalOf(headers));
}

export function upsertItem(container, { headers, body }) {
  return answer(container.upsert(partitionOf(container, headers), object(body), conditionsOf(headers)), minimalOf(headers));
}

export function replaceItem(container, id, { headers, body }) {
  return answer(container.replace(partitionOf(container, headers), id, object(body), conditionsOf(headers)), minimalOf(headers));
}

export function deleteItem(container, id, { headers }) {
  return answer(container.delete(partitionOf(container, headers), id, conditionsOf(headers)));
}

function patchIn(container, partition, id, { operations, condition }, conditions) {
  const { item } = container.read(partition, id);
  if (condition) {
    const text = /^\s*select\b/i.test(condition) ? condition : `SELECT * ${condition}`;
    const { results } = run(prepare(text), text, {
      items: { owner: container, since: () => [item] }, parameters: new Map(), maxItems: 1,
    });
    if (!results.length) throw precondition(readCharge(item.size));
  }
  return container.replace(partition, id, patched(item.doc, operations), conditions);
}

export function patchItem(container, id, { headers, body }) {
  const patch = Array.isArray(body) ? { operations: body } : object(body);
  return answer(patchIn(container, partitionOf(container, headers), id, patch, conditionsOf(headers)), minimalOf(headers));
}

function pageSize(headers) {
  const asked = Number.parseInt(headers['x-ms-max-item-count'] ?? PAGE, 10);
  if (asked === -1) return Infinity;
  if (!(asked > 0)) throw badRequest(`Invalid page size ${headers['x-ms-max-item-count']}.`);
  return asked;
}

function tokenFrom(headers) {
  const text = headers['x-ms-continuation'];
  if (!text) return {};
  try {
    return JSON.parse(Buffer.from(JSON.parse(text).token, 'base64').toString());
  } catch {
    throw badRequest('Invalid Continuation Token');
  }
}

function feed(container, { results, bytes, next }) {
  const headers = { 'x-ms-item-count': String(results.length) };
  if (next) {
    const token = Buffer.from(JSON.stringify(next)).toString('base64');
    headers['x-ms-continuation'] = JSON.stringify({ token, range: { min: '', max: 'FF' } });
  }
  const body = { _rid: container.rid, Documents: results, _count: results.length };
  return { status: 200, headers, body, charge: queryCharge(results.length, bytes) };
}

function parametersOf(body) {
  return new Map((body.parameters ?? []).map(({ name, value }) => [name, value]));
}

// Ordering by several properties needs a composite index; ordering by one needs that the path is indexed.
function checkIndexes(query, { indexingPolicy }) {
  const pathOf = (node) => (node.kind === 'member' ? `${pathOf(node.object)}/${node.key.value}` : '');
  const wanted = query.orderBy.map(({ by, descending }) => ({ path: pathOf(by), order: descending ? 'descending' : 'ascending' }));
  if (wanted.some(({ path }) => !path)) throw badRequest("Unsupported ORDER BY clause. ORDER BY item expression could not be mapped to a document path.");
  if (wanted.length > 1) {
    const fits = (index, flip) => index.length === wanted.length && index.every(({ path, order = 'ascending' }, i) => path === wanted[i].path && (order === wanted[i].order) !== flip);
    if (!(indexingPolicy.compositeIndexes ?? []).some((index) => fits(index, false) || fits(index, true))) {
      throw badRequest('The order by query does not have a corresponding composite index that it can be served from.');
    }
    return;
  }
  for (const { path } of wanted) {
    if (path === '/_ts' || path === '/id') continue;
    const depth = ({ path: rule }) => {
      const prefix = rule.replace(/\/[*?]$/, '').replaceAll('"', '');
      const covers = rule.endsWith('/*') ? `${path}/`.startsWith(`${prefix}/`) : path === prefix;
      return covers ? prefix.length + (rule.endsWith('/?') ? 1 : 0) : -1;
    };
    const best = (rules) => Math.max(-1, ...(rules ?? []).map(depth));
    if (indexingPolicy.indexingMode === 'none' || best(indexingPolicy.includedPaths) < best(indexingPolicy.excludedPaths)) {
      throw badRequest('The index path corresponding to the specified order-by item is excluded.');
    }
  }
}

export function queryItems(container, { headers, body }) {
  const { query: text } = object(body);
  if (typeof text !== 'string') throw badRequest('The query is missing.');
  const parameters = parametersOf(body);
  const query = prepared(text);
  if (flag(headers, 'x-ms-cosmos-is-query-plan-request')) return { status: 200, body: queryPlan(query, text, parameters), charge: 1 };
  const key = headers['x-ms-documentdb-partitionkey'];
  const partition = key === undefined ? undefined : container.partitionFromHeader(key);
  if (partition === undefined && headers['x-ms-documentdb-partitionkeyrangeid'] === undefined) {
    if (!flag(headers, 'x-ms-documentdb-query-enablecrosspartition')) {
      throw badRequest('Cross partition query is required but disabled. Please set x-ms-documentdb-query-enablecrosspartition to true, specify x-ms-documentdb-partitionkey, or revise your query to avoid this exception.');
    }
    if (needsClient(query)) {
      throw new Refusal(400, 'The provided cross partition query can not be directly served by the gateway.', {
        substatus: 1004, extra: { additionalErrorInfo: JSON.stringify(queryPlan(query, text, parameters)) },
      });
    }
  }
  checkIndexes(query, container.document);
  const view = container.view(partition);
  try {
    return feed(container, run(query, text, { items: view, parameters, maxItems: pageSize(headers), token: tokenFrom(headers) }));
  } catch (error) {
    if (error instanceof SqlError) throw badRequest(error.message);
    throw error;
  }
}

function prepared(text) {
  try {
    return prepare(text);
  } catch (error) {
    if (error instanceof SqlError) throw badRequest(error.message);
    throw error;
  }
}

export function readFeed(container, { headers }) {
  if (headers['a-im']) throw badRequest('The change feed is not offered by this server.');
  const key = headers['x-ms-documentdb-partitionkey'];
  const view = container.view(key === undefined ? undefined : container.partitionFromHeader(key));
  const text = 'SELECT * FROM c';
  return feed(container, run(prepare(text), text, { items: view, parameters: new Map(), maxItems: pageSize(headers), token: tokenFrom(headers) }));
}

function batchOperation(container, partition, { operationType, id, resourceBody, ifMatch, ifNoneMatch }) {
  const conditions = { ifMatch, ifNoneMatch };
  switch (operationType) {
    case 'Create':
      return container.create(partition, object(resourceBody));
    case 'Upsert':
      return container.upsert(partition, object(resourceBody), conditions);
    case 'Read':
      return container.read(partition, id, conditions);
    case 'Replace':
      return container.replace(partition, id, object(resourceBody), conditions);
    case 'Delete':
      return container.delete(partition, id, conditions);
    case 'Patch':
      return patchIn(container, partition, id, object(resourceBody), conditions);
    default:
      throw badRequest(`Operation type '${operationType}' is not supported in a batch.`);
  }
}

// Atomic: all or none. Otherwise (bulk) each for itself, with its own partition key.
export function batch(container, { headers, body }) {
  if (!Array.isArray(body) || !body.length) throw badRequest('The batch has no operations.');
  if (body.length > BATCH_LIMIT) throw badRequest(`A batch may have at most ${BATCH_LIMIT} operations.`);
  const atomic = flag(headers, 'x-ms-cosmos-batch-atomic');
  const partition = atomic ? partitionOf(container, headers) : undefined;
  const undo = atomic ? container.remember(partition) : null;
  let failed = -1;
  let charge = 0;
  const results = [];
  for (const [i, operation] of body.entries()) {
    try {
      const own = partition ?? container.partitionFromHeader(operation.partitionKey ?? headers['x-ms-documentdb-partitionkey'] ?? '');
      const { status, item, charge: units } = batchOperation(container, own, operation);
      charge += units;
      results.push({ statusCode: status, requestCharge: units, eTag: item?.doc._etag, resourceBody: item?.doc });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      charge += error.charge;
      results.push({ statusCode: error.status, subStatusCode: error.substatus, requestCharge: error.charge, resourceBody: errorBody(error.status, error.message) });
      if (atomic) {
        failed = i;
        break;
      }
    }
  }
  if (failed < 0) return { status: results.every(({ statusCode }) => statusCode < 400) ? 200 : 207, body: results, charge };
  container.restore(undo);
  const dependency = { statusCode: 424, requestCharge: 0 };
  return { status: 207, body: body.map((_, i) => (i === failed ? results[i] : dependency)), charge };
}
