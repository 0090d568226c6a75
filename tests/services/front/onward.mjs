// Passes requests on to a server of this machine, over connections that stay open.
import { Agent, request as send } from 'node:http';
import { bodyOf } from './http-front.mjs';

// Between two hops only; the rest goes through as it is.
const HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length']);

export class Onward {
  constructor(port) {
    this.port = port;
    this.agent = new Agent({ keepAlive: true, maxSockets: 256, noDelay: true });
  }

  close() {
    this.agent.destroy();
  }

  // Resolves to {status, headers, body}.
  async send(request, sent) {
    const headers = { ...request.headers };
    for (const name of HOP) delete headers[name];
    if (sent.length || headers['content-type'] || request.method === 'POST' || request.method === 'PUT') headers['content-length'] = sent.length;
    for (;;) {
      try {
        return await this.#once(request, headers, sent);
      } catch (error) {
        // Each try uses up a connection: the server closes many at once when nothing came for a while.
        if (!error.stale) throw error;
      }
    }
  }

  #once(request, headers, sent) {
    const { port, agent } = this;
    return new Promise((resolve, reject) => {
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
        error.stale = onward.reusedSocket && ['ECONNRESET', 'EPIPE'].includes(error.code);
        reject(error);
      });
      onward.end(sent);
    });
  }
}
