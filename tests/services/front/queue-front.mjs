// The front of the queue server: passes requests on, and counts them by kind.
import { HttpFront, bodyOf } from './http-front.mjs';
import { Onward } from './onward.mjs';

const KINDS = ['send', 'receive', 'peek', 'delete', 'update', 'properties', 'other'];

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
  const onward = new Onward(port);
  const handle = async (request, { counts }) => {
    const sent = await bodyOf(request);
    counts.bytesIn += sent.length;
    return onward.send(request, sent);
  };
  const front = new HttpFront({ kinds: KINDS, classify, handle, errorAnswer: spoiled });
  front.endAgent = () => onward.close();
  return front;
}
