// Checks the master-key signature of a request: HMAC-SHA256 over verb, resource type, resource link and date.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { Refusal } from './answers.mjs';

const SKEW_MS = 15 * 60 * 1000;

// `/dbs/a/colls/b/docs/c` is the resource docs at dbs/a/colls/b/docs/c; `/dbs/a/colls/b/docs` docs at dbs/a/colls/b.
function resource(path) {
  const parts = path.split('/').filter(Boolean);
  if (parts.length % 2) return { type: parts.at(-1), link: parts.slice(0, -1).join('/') };
  return { type: parts.at(-2) ?? '', link: parts.join('/') };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function signature(key, method, { type, link }, date) {
  const text = `${method.toLowerCase()}\n${type.toLowerCase()}\n${link}\n${date.toLowerCase()}\n\n`;
  return createHmac('sha256', key).update(text).digest();
}

export function authorize(request, path, key) {
  const { headers } = request;
  if (!headers.authorization) throw new Refusal(401, "Required Header authorization is missing. Ensure a valid Authorization token is passed.", { charge: 0 });
  const fields = Object.fromEntries(decoded(headers.authorization).split('&').map((part) => [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)]));
  const date = headers['x-ms-date'] ?? headers.date ?? '';
  const at = Date.parse(date);
  if (Number.isNaN(at) || Math.abs(Date.now() - at) > SKEW_MS) {
    throw new Refusal(403, `The authorization token is not valid at the current time (x-ms-date ${date || 'missing'}, server time ${new Date().toUTCString()}).`, { charge: 0 });
  }
  const given = Buffer.from(fields.sig ?? '', 'base64');
  const plain = resource(path);
  // Names are signed as they are; some clients sign them as they are written in the path.
  const links = new Set([decoded(plain.link), plain.link]);
  const right = fields.type === 'master' && [...links].some((link) => {
    const expected = signature(key, request.method, { ...plain, link }, date);
    return expected.length === given.length && timingSafeEqual(expected, given);
  });
  if (!right) {
    throw new Refusal(401, "The input authorization token can't serve the request. The wrong key is being used or the expected payload is not built as per the protocol.", { charge: 0 });
  }
}
