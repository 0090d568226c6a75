// What a request is, by its path and headers: the kind under which it is counted.
export const flag = (headers, name) => headers[name]?.toLowerCase() === 'true';

export const isQuery = ({ headers }) => flag(headers, 'x-ms-documentdb-isquery') || headers['content-type']?.startsWith('application/query+json');

// {segments, kind} of a request; `kind` is what the counts and the faults go by.
export function classify(request) {
  const path = request.url.split('?')[0].replace(/^\/+/, '/');
  const segments = path.split('/').filter(Boolean);
  return { path, segments, kind: kindOf(request, segments) };
}

function kindOf(request, segments) {
  if (segments[4] !== 'docs') return 'metadata';
  const { method, headers } = request;
  if (segments.length === 5 && method === 'POST') {
    if (flag(headers, 'x-ms-cosmos-is-query-plan-request')) return 'metadata';
    if (isQuery(request)) return 'query';
    if (flag(headers, 'x-ms-cosmos-is-batch-request')) return 'batch';
    return flag(headers, 'x-ms-documentdb-is-upsert') ? 'upsert' : 'create';
  }
  if (segments.length === 5) return 'query';
  return { GET: 'read', PUT: 'replace', PATCH: 'patch', DELETE: 'delete' }[method] ?? 'metadata';
}
