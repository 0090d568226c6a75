// Starts the services for one test file and gives clients of them.
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const HERE = dirname(dirname(fileURLToPath(import.meta.url)));

export async function started(...options) {
  const child = spawn(process.execPath, [join(HERE, 'start.mjs'), ...options], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await once(createInterface(child.stdout), 'line');
  const services = JSON.parse(line);
  const control = async (method, path, body) => {
    const answer = await fetch(`${services.control}${path}`, { method, body: body && JSON.stringify(body) });
    return { status: answer.status, body: await answer.json() };
  };
  return {
    services,
    pid: child.pid,
    control,
    counts: async () => (await control('GET', '/counts')).body,
    resetCounts: () => control('POST', '/counts/reset'),
    fault: async (rule) => (await control('POST', '/faults', rule)).body.id,
    clearFaults: () => control('DELETE', '/faults'),
    stop: async () => {
      child.stdin.end();
      await once(child, 'exit');
    },
  };
}

// One signed request as a client without the SDK's own ideas would make it.
export async function signed({ endpoint, key }, method, path, { headers = {}, body, date = new Date().toUTCString(), signingKey = key } = {}) {
  const parts = path.split('/').filter(Boolean);
  const [type, link] = parts.length % 2 ? [parts.at(-1), parts.slice(0, -1).join('/')] : [parts.at(-2) ?? '', parts.join('/')];
  const text = `${method.toLowerCase()}\n${type}\n${decodeURIComponent(link)}\n${date.toLowerCase()}\n\n`;
  const signature = createHmac('sha256', Buffer.from(signingKey, 'base64')).update(text).digest('base64');
  const answer = await fetch(new URL(path, endpoint), {
    method,
    headers: {
      authorization: encodeURIComponent(`type=master&ver=1.0&sig=${signature}`), 'x-ms-date': date, 'x-ms-version': '2018-12-31',
      'content-type': 'application/json', ...headers,
    },
    body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
  });
  const received = await answer.text();
  return { status: answer.status, headers: answer.headers, body: received ? JSON.parse(received) : undefined };
}
