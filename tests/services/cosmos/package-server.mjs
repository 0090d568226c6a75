// Cosmos DB by @vercel/cosmosdb-server: a store and a query engine that others wrote. Corrected, at load time, is where it
// departs from the documented service in what our clients meet. Left as they are: batches (not atomic), NOT IN, LIKE, DISTINCT,
// GROUP BY and OFFSET (400), ORDER BY (leaves out items without the property), conditions of patches (put in lower case),
// pages (as long as asked), a replaced container (loses its items), If-Match: * and If-None-Match on writes, query plans.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { compileFunction } from 'node:vm';
import { bodyOf } from '../front/http-front.mjs';
import { Onward } from '../front/onward.mjs';
import { Refusal, badRequest, errorBody, ownerMissing, tooLarge } from './answers.mjs';
import { queryCharge, readCharge, writeCharge } from './charge.mjs';
import { classify, isQuery } from './kinds.mjs';

const NAME = '@vercel/cosmosdb-server';
const KEY = 'x-ms-documentdb-partitionkey';
// The package says 1 to every request, after its handlers ran.
const CHARGE = 'x-charge-by-price-list';
const ITEM_LIMIT = 2 * 1024 * 1024;
const WRITES = new Set(['create', 'upsert', 'replace', 'patch']);

const require = createRequire(import.meta.url);
const part = (path) => require(`${NAME}/lib/${path}`);
const engine = (path) => createRequire(require.resolve(NAME))(`@zeit/cosmosdb-query/lib/${path}`);
const sizeOf = (value) => Buffer.byteLength(JSON.stringify(value));

// A module of the package with other text in some places.
function edited(path, changes) {
  const file = require.resolve(`${NAME}/lib/${path}`);
  let source = readFileSync(file, 'utf8');
  for (const [from, to] of changes) {
    if (!source.includes(from)) throw new Error(`${NAME}: ${path} is not as in version 1.0.1`);
    source = source.replaceAll(from, to);
  }
  const module = { exports: {} };
  compileFunction(source, ['exports', 'require', 'module'], { filename: file })(module.exports, createRequire(file), module);
  return module.exports;
}

// The header's `[{}]` stands for the undefined key, which the package takes for the item's id.
function partitionOf(header) {
  let components;
  try {
    components = JSON.parse(header);
  } catch {
    throw badRequest(`Invalid value in the header ${KEY}: ${header}`);
  }
  if (!Array.isArray(components) || components.length !== 1) throw badRequest(`The header ${KEY} has another number of components than the container's key.`);
  const [value] = components;
  return value !== null && typeof value === 'object' ? undefined : value;
}

function correctStore() {
  // Undefined, null, 0, 1 and "1" are keys of their own, and none of them is the item's id.
  part('account/items').default.prototype._getId = (path, id, partition) => JSON.stringify([path, id, partition === undefined ? {} : partition]);
  part('utils/get-partition-from-header').parsePartitionKey = partitionOf;
  const documents = part('account/documents').default.prototype;
  for (const name of ['create', 'replace']) {
    const write = documents[name];
    documents[name] = function limited(data, ...rest) {
      if (sizeOf(data) > ITEM_LIMIT) throw tooLarge();
      return write.call(this, data, ...rest);
    };
  }
  // Resource ids are parts of paths: '-' stands for '/' in them.
  Object.assign(part('account/resource-id').default, {
    toBase64String: (bytes) => bytes.toString('base64').replaceAll('/', '-'),
    fromBase64String: (text) => Buffer.from(text.replaceAll('-', '/'), 'base64'),
  });
  const ranges = part('account/partition-key-ranges').default.prototype;
  const { create } = ranges;
  ranges.create = function named(data) {
    return create.call(this, { ...data, id: String(data.id) });
  };
}

function correctPatches() {
  const system = '/^\\/_(rid|self|etag|attachments|ts)(\\/|$)/';
  Object.assign(part('handler/_patch-operations'), edited('handler/_patch-operations', [
    ['path.startsWith("/_")', `${system}.test(path)`],
    ['from.startsWith("/_")', `${system}.test(from)`],
    // The last part of a parent's path must be there as well.
    ['if (i === pathSegments.length - 1) {', 'if (false) {'],
  ]));
}

// BETWEEN and IN by the engine's own comparisons, which convert nothing and leave undefined what cannot be compared.
function correctQueries() {
  const parser = engine('parser');
  const { parse } = parser;
  const binary = (operator, left, right) => ({ type: 'scalar_binary_expression', operator, left, right });
  const rewritten = (_, node) => {
    if (node?.type === 'scalar_between_expression') return binary('AND', binary('>=', node.value, node.begin), binary('<=', node.value, node.end));
    if (node?.type === 'scalar_in_expression') return node.list.map((item) => binary('=', node.value, item)).reduce((left, right) => binary('OR', left, right));
    return node;
  };
  parser.parse = (...args) => JSON.parse(JSON.stringify(parse(...args)), rewritten);
}

// An account in which the items of one partition are all there is, for the package's queries to look at.
function narrowed(collection, partition) {
  const documents = Object.create(collection.documents);
  documents._data = new Map([...documents._data].filter(([, item]) => documents._getPartition(item.read()) === partition));
  return { database: () => ({ collection: () => ({ read: () => collection.read(), documents }) }) };
}

function checkOwners(account, { dbId, collId }, depth) {
  const missing = (depth > 2 && !account.database(dbId).read()) || (depth > 4 && !account.database(dbId).collection(collId).read());
  if (missing) throw ownerMissing();
}

function chargeOf(kind, status, body, before) {
  if (kind === 'query') return status === 200 ? queryCharge(body._count, sizeOf(body.Documents)) : 1;
  if (kind === 'read') return status === 200 ? readCharge(sizeOf(body)) : 1;
  if (kind === 'batch') return status === 200 ? body.reduce((sum, { requestCharge }) => sum + requestCharge, 0) : 1;
  if (kind === 'delete' && status === 204) return writeCharge(sizeOf(before));
  if (status === 409 || status === 412) return before ? readCharge(sizeOf(before)) : 1;
  return status < 300 ? writeCharge(sizeOf(body)) : 1;
}

// An operation on items, with what the package's handlers leave out.
async function onItems(kind, handler, account, request, response, params) {
  const { headers } = request;
  const collection = account.database(params.dbId).collection(params.collId);
  const partition = headers[KEY] === undefined ? undefined : partitionOf(headers[KEY]);
  let before;
  let source = account;
  if (kind === 'query') {
    if (headers[KEY] !== undefined) source = narrowed(collection, partition);
    if (headers[KEY] !== undefined || headers['x-ms-documentdb-partitionkeyrangeid'] !== undefined) headers['x-ms-documentdb-query-enablecrosspartition'] = 'true';
  } else if (headers[KEY] === undefined) {
    throw badRequest('PartitionKey value must be supplied for this operation.');
  } else if (kind !== 'batch') {
    // Here it only means that the handler does not compare keys once more, which fails where there is no item or no key.
    if (kind === 'read') headers['x-ms-documentdb-query-enablecrosspartition'] = 'true';
    if ((kind === 'create' || kind === 'upsert') && collection.documents._getPartition(request.json) !== partition) {
      throw badRequest("PartitionKey extracted from document doesn't match the one specified in the header", 1001);
    }
    before = collection.document(params.docId ?? request.json?.id, partition).read();
  }
  const body = await handler(source, request, response, params);
  const status = response.statusCode;
  response.setHeader(CHARGE, String(chargeOf(kind, status, body, before)));
  if (kind === 'read' && status === 200 && headers['if-none-match'] === body._etag) response.statusCode = 304;
  if (WRITES.has(kind) && status < 300 && headers.prefer === 'return=minimal') {
    response.setHeader('etag', body._etag);
    return undefined;
  }
  return body;
}

async function onRest(handler, account, request, response, params) {
  const body = await handler(account, request, response, params);
  response.setHeader(CHARGE, request.method === 'GET' || isQuery(request) ? '1' : '5');
  if (params.dbId || !body.writableLocations) return body;
  // The address by which the front was asked, not that of this server behind it.
  const locations = [{ name: 'Test Region', databaseAccountEndpoint: `http://${request.headers.host}/` }];
  return { ...body, writableLocations: locations, readableLocations: locations };
}

function correctRoutes() {
  const routes = part('routes');
  const find = routes.default;
  part('json').default = async ({ json }) => json;
  routes.default = (asked) => {
    const route = find(asked);
    if (!route) return route;
    const [params, handler] = route;
    const corrected = async (account, request, response) => {
      try {
        const sent = await bodyOf(request);
        if (sent.length) request.json = JSON.parse(sent);
        const { kind, segments } = classify(request);
        checkOwners(account, params, segments.length);
        if (kind === 'metadata') return await onRest(handler, account, request, response, params);
        return await onItems(kind, handler, account, request, response, params);
      } catch (error) {
        if (error instanceof SyntaxError) error = new Refusal(400, 'The request is malformed.');
        if (!(error instanceof Refusal)) throw error;
        response.statusCode = error.status;
        response.setHeader('x-ms-substatus', String(error.substatus));
        response.setHeader(CHARGE, String(error.charge));
        return errorBody(error.status, error.message);
      }
    };
    return [params, corrected];
  };
}

// Resolves to a function from a request and its body to {status, headers, body, charge}.
export async function open() {
  correctStore();
  correctPatches();
  correctQueries();
  correctRoutes();
  const server = require(NAME).createHttpServer({ keepAlive: true });
  // The front keeps its connections for as long as it likes.
  server.keepAliveTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const onward = new Onward(server.address().port);
  return async (request, raw, { segments }) => {
    // A path that cannot be decoded ends the package's process.
    segments.forEach(decodeURIComponent);
    const { status, headers, body } = await onward.send(request, raw);
    const { [CHARGE]: charge = '0', 'x-ms-request-charge': _, 'content-location': __, date: ___, ...rest } = headers;
    return { status, headers: rest, body, charge: Number(charge) };
  };
}
