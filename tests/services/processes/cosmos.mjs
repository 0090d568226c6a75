// The Cosmos DB server, in a process of its own: one listener that counts and spoils, one direct, over the same account.
// Behind them is one of two: `own`, our store and query engine, or `package`, those of @vercel/cosmosdb-server.
import { randomUUID } from 'node:crypto';
import { errorBody, Refusal } from '../cosmos/answers.mjs';
import { authorize } from '../cosmos/auth.mjs';
import { classify } from '../cosmos/kinds.mjs';
import { HttpFront, bodyOf } from '../front/http-front.mjs';
import { answerCalls } from './calls.mjs';

// Far above the item limit, so that a request that is too large is answered and not cut off.
const REQUEST_LIMIT = 16 * 1024 * 1024;
const KINDS = ['create', 'read', 'replace', 'upsert', 'delete', 'query', 'patch', 'batch', 'metadata'];
// From a request, its body and where it goes to {status, headers?, body?, charge}.
const STAND_INS = {
  own: async () => (await import('../cosmos/own-server.mjs')).open(),
  package: async () => (await import('../cosmos/package-server.mjs')).open(),
};
let key;
let answered;

function headersOf(answer, json) {
  return {
    'content-type': 'application/json',
    'content-length': json.length,
    'x-ms-request-charge': String(answer.charge ?? 0),
    'x-ms-activity-id': randomUUID(),
    'x-ms-serviceversion': 'version=2.14.0.0',
    'x-ms-gatewayversion': 'version=2.14.0',
    ...answer.headers,
  };
}

function finished(answer) {
  const { status, body } = answer;
  const json = body === undefined ? Buffer.alloc(0) : Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  const headers = headersOf(answer, json);
  // 204 and 304 have no body by definition.
  if (status === 204 || status === 304) delete headers['content-length'];
  return { status, headers, body: json, units: answer.charge ?? 0 };
}

function refused(error) {
  if (error instanceof URIError || error instanceof SyntaxError) return refused(new Refusal(400, 'The request is malformed.'));
  const known = error instanceof Refusal;
  const status = known ? error.status : 500;
  const headers = { 'x-ms-substatus': String(known ? error.substatus : 0) };
  return finished({ status, headers, body: errorBody(status, error.message, known ? error.extra : { stack: error.stack }), charge: known ? error.charge : 0 });
}

function spoiled({ status, headers = {}, body, substatus = 0 }) {
  const retry = status === 429 ? { 'x-ms-retry-after-ms': '10' } : {};
  const given = typeof body === 'string' ? Buffer.from(body) : body;
  return finished({
    status, headers: { 'x-ms-substatus': String(substatus), ...retry, ...headers },
    body: given ?? errorBody(status, 'A fault was set for this request.'), charge: 0,
  });
}

function front() {
  const made = new HttpFront({
    kinds: KINDS,
    classify,
    errorAnswer: spoiled,
    handle: async (request, { path, segments, counts }) => {
      const raw = await bodyOf(request);
      counts.bytesIn += raw.length;
      try {
        authorize(request, path, key);
        if (raw.length > REQUEST_LIMIT) throw new Refusal(413, 'Request size is too large');
        return finished(await answered(request, raw, { segments, endpoint: made.endpoint }));
      } catch (error) {
        return refused(error);
      }
    },
  });
  return made;
}

const counted = front();
const direct = front();

answerCalls({
  start: async (masterKey, standIn = 'own') => {
    key = Buffer.from(masterKey, 'base64');
    answered = await STAND_INS[standIn]();
    for (const listener of [counted, direct]) listener.endpoint = `http://127.0.0.1:${await listener.listen()}/`;
    return { endpoint: counted.endpoint, direct: direct.endpoint };
  },
  counts: () => counted.counts.toJSON(),
  resetCounts: () => counted.counts.reset(),
  addFault: (rule) => counted.faults.add(rule),
  removeFault: (id) => counted.faults.remove(id),
});
