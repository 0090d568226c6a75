// From a request to the code that answers it.
import { SqlError } from '../sql/parse.mjs';
import { prepare, run } from '../sql/run.mjs';
import { Refusal, badRequest } from './answers.mjs';
import * as documents from './documents.mjs';
import { flag, isQuery } from './kinds.mjs';

function listed(name, rid, values) {
  return { status: 200, headers: { 'x-ms-item-count': String(values.length) }, body: { _rid: rid, [name]: values, _count: values.length }, charge: 1 };
}

// Queries over databases or containers: the same engine, over their documents.
function queried(name, rid, values, { body }) {
  const items = values.map((doc, i) => ({ doc, seq: i + 1, size: JSON.stringify(doc).length }));
  const owner = { version: 0 };
  const parameters = new Map((body?.parameters ?? []).map(({ name: key, value }) => [key, value]));
  try {
    const { results } = run(prepare(body.query), body.query, { items: { owner, since: () => items }, parameters, maxItems: Infinity });
    return listed(name, rid, results);
  } catch (error) {
    if (error instanceof SqlError) throw badRequest(error.message);
    throw error;
  }
}

const made = (document) => ({ status: 201, headers: { etag: document._etag }, body: document, charge: 5 });
const shown = (document) => ({ status: 200, headers: document._etag ? { etag: document._etag } : {}, body: document, charge: 1 });
const gone = () => ({ status: 204, charge: 5 });

function feedOf(name, rid, values, request) {
  return request.method === 'POST' ? queried(name, rid, values, request) : listed(name, rid, values);
}

function databases(account, request) {
  if (request.method === 'POST' && !isQuery(request)) return made(account.createDatabase(request.body));
  return feedOf('Databases', '', [...account.databases.values()].map(({ document }) => document), request);
}

function database(account, request, id) {
  if (request.method === 'GET') return shown(account.readDatabase(id));
  if (request.method === 'DELETE') return gone(account.deleteDatabase(id));
  return null;
}

function containers(account, request, databaseId) {
  if (request.method === 'POST' && !isQuery(request)) return made(account.createContainer(databaseId, request.body));
  const { document: owner, containers: all } = account.owner(databaseId);
  return feedOf('DocumentCollections', owner._rid, [...all.values()].map(({ document }) => document), request);
}

function container(account, request, databaseId, id) {
  if (request.method === 'GET') return shown(account.containerOf(databaseId, id).document);
  if (request.method === 'PUT') return shown(account.replaceContainer(databaseId, id, request.body));
  if (request.method === 'DELETE') return gone(account.deleteContainer(databaseId, id));
  return null;
}

function ranges(account, request, databaseId, id) {
  const found = account.container(databaseId, id);
  const etag = found.document._etag;
  // Clients follow this feed until it says that nothing changed.
  if (request.headers['a-im'] && request.headers['if-none-match'] === etag) return { status: 304, headers: { etag }, charge: 1 };
  const answer = listed('PartitionKeyRanges', found.rid, account.ranges(found));
  answer.headers.etag = etag;
  return answer;
}

function items(account, request, databaseId, containerId) {
  const found = account.container(databaseId, containerId);
  if (request.method === 'GET') return documents.readFeed(found, request);
  if (request.method !== 'POST') return null;
  if (isQuery(request)) return documents.queryItems(found, request);
  if (flag(request.headers, 'x-ms-cosmos-is-batch-request')) return documents.batch(found, request);
  return flag(request.headers, 'x-ms-documentdb-is-upsert') ? documents.upsertItem(found, request) : documents.createItem(found, request);
}

function item(account, request, databaseId, containerId, id) {
  const found = account.container(databaseId, containerId);
  const run = { GET: documents.readItem, PUT: documents.replaceItem, PATCH: documents.patchItem, DELETE: documents.deleteItem }[request.method];
  return run ? run(found, id, request) : null;
}

// `request`: {method, headers, body, segments, endpoint}. Returns {status, headers?, body?, charge}.
export function respond(account, request) {
  const segments = request.segments.map(decodeURIComponent);
  const [dbs, databaseId, colls, containerId, below, id] = segments;
  let answer = null;
  if (!segments.length && request.method === 'GET') answer = shown(account.document(request.endpoint));
  else if (dbs === 'offers') answer = listed('Offers', '', []);
  else if (dbs === 'dbs' && segments.length === 1) answer = databases(account, request);
  else if (dbs === 'dbs' && segments.length === 2) answer = database(account, request, databaseId);
  else if (dbs === 'dbs' && colls === 'colls' && segments.length === 3) answer = containers(account, request, databaseId);
  else if (dbs === 'dbs' && colls === 'colls' && segments.length === 4) answer = container(account, request, databaseId, containerId);
  else if (below === 'pkranges' && segments.length === 5) answer = ranges(account, request, databaseId, containerId);
  else if (below === 'docs' && segments.length === 5) answer = items(account, request, databaseId, containerId);
  else if (below === 'docs' && segments.length === 6) answer = item(account, request, databaseId, containerId, id);
  else throw badRequest(`This server does not offer ${request.method} on this resource.`);
  if (!answer) throw new Refusal(405, 'The requested verb is not supported.');
  return answer;
}
