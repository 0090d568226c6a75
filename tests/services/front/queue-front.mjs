// The front of the queue server: passes requests on over connections that stay open, and counts them by kind.
import { Agent, request as send } from 'node:http';
import { HttpFront, bodyOf } from './http-front.mjs';

const KINDS = ['send', 'receive', 'peek', 'delete', 'update', 'properties', 'other'];
// Between two hops only; the rest goes through as it is.
const HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length']);

// Paths are /account/queue/messages[/id].
export function classify(request) {
  const [path, query = ''] = request.url.split('?');
  const segments = path.split('/').filter(Boolean);
  return { path, segments, kind: kindOf(request.method, segments, new URLSearchParams(query)) };
}

function kindOf(method, segments, query) {
  if (segments[2] === 'messages') {
    if (segments.length === 4) return { PUT: 'update', DELETE: 'delete' }[method] ?? 'other';
    if (method === 'POST') return 'send';
    if (method === 'GET') return query.get('peekonly') === 'true' ? 'peek' : 'receive';
    return 'other';
  }
  const metadata = segments.length === 2 && query.get('comp') === 'metadata' && (method === 'GET' || method === 'HEAD');
  return metadata ? 'properties' : 'other';
}

const CODES = { 401: 'NoAuthenticationInformation', 403: 'AuthenticationFailed', 404: 'QueueNotFound', 500: 'InternalError', 503: 'ServerBusy' };

function spoiled({ status, headers = {}, body, substatus }) {
  const code = CODES[status] ?? 'TestFault';
  const text = typeof body === 'string' ? body : body ? JSON.stringify(body)
    : `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>A fault was set for this request.</Message></Error>`;
  const extra = substatus === undefined ? {} : { 'x-ms-substatus': String(substatus) };
  return { status, headers: { 'content-type': 'application/xml', 'x-ms-error-code': code, ...extra, ...headers }, body: Buffer.from(text) };
}

export function queueFront(port) {
  const agent = new Agent({ keepAlive: true, maxSockets: 256, noDelay: true });
  const once = (request, headers, sent) => new Promise((resolve, reject) => {
    const onward = send({ host: '127.0.0.1', port, agent, method: request.method, path: request.url, headers }, async (answer) => {
      try {
        const body = await bodyOf(answer);
        const passed = Object.fromEntries(Object.entries(answer.headers).filter(([name]) => !HOP.has(name)));
        if (request.method !== 'HEAD' && answer.statusCode !== 204) passed['content-length'] = body.length;
        resolve({ status: answer.statusCode, headers: passed, body });
      } catch (error) {
        reject(error);
      }
    });
    onward.on('error', (error) => {
      // An idle connection that the server closed just now: nothing was done yet.
      error.stale = onward.reusedSocket && error.code === 'ECONNRESET';
      reject(error);
    });
    onward.end(sent);
  });
  const handle = async (request, { counts }) => {
    const sent = await bodyOf(request);
    counts.bytesIn += sent.length;
    const headers = { ...request.headers };
    for (const name of HOP) delete headers[name];
    if (sent.length || headers['content-type'] || request.method === 'POST' || request.method === 'PUT') headers['content-length'] = sent.length;
    try {
      return await once(request, headers, sent);
    } catch (error) {
      if (!error.stale) throw error;
      return once(request, headers, sent);
    }
  };
  const front = new HttpFront({ kinds: KINDS, classify, handle, errorAnswer: spoiled });
  front.endAgent = () => agent.destroy();
  return front;
}
