// Requests that are passed on over connections that the server is about to close.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { Onward } from '../front/onward.mjs';

async function onwardTo(t, answer) {
  const server = createServer(answer);
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const onward = new Onward(server.address().port);
  t.after(() => {
    onward.close();
    server.close();
    server.closeAllConnections();
  });
  return onward;
}

const get = () => Object.assign(Readable.from([]), { method: 'GET', url: '/', headers: {} });

test('idle connections that the server closes at the same time cost no answer', async (t) => {
  const used = new Set();
  let together = [];
  const onward = await onwardTo(t, (request, response) => {
    if (used.has(request.socket)) return request.socket.destroy();
    used.add(request.socket);
    if (!together) return response.end('alone');
    together.push(response);
    if (together.length === 3) {
      for (const waiting of together) waiting.end('together');
      together = null;
    }
    return undefined;
  });
  await Promise.all([1, 2, 3].map(() => onward.send(get(), Buffer.alloc(0))));
  const { status, body } = await onward.send(get(), Buffer.alloc(0));
  assert.deepEqual([status, body.toString(), used.size], [200, 'alone', 4]);
});

test('a server that breaks off a new connection is an error', async (t) => {
  const onward = await onwardTo(t, (request) => request.socket.destroy());
  await assert.rejects(onward.send(get(), Buffer.alloc(0)), { code: 'ECONNRESET' });
});
