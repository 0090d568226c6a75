// An HTTP listener that counts and spoils requests before it hands them to `handle`.
import { createServer } from 'node:http';
import { Counts } from './counts.mjs';
import { Faults, listenAgain, pause, reset } from './faults.mjs';

// `handle(request, response, kind)` resolves to {status, headers, body, units}; the front sends that.
export class HttpFront {
  constructor({ kinds, classify, handle, errorAnswer }) {
    this.counts = new Counts(kinds);
    this.faults = new Faults(() => this.#rulesChanged());
    this.classify = classify;
    this.handle = handle;
    this.errorAnswer = errorAnswer;
    this.held = new Set();
    this.server = createServer({ keepAlive: true, keepAliveTimeout: 120_000, requestTimeout: 0, headersTimeout: 0 });
    this.server.on('request', (request, response) => {
      this.#serve(request, response).catch((error) => {
        process.stderr.write(`${error.stack}\n`);
        request.socket.destroy();
      });
    });
    this.server.on('connection', (socket) => {
      this.counts.connections += 1;
      socket.setNoDelay(true);
    });
    this.server.on('clientError', (_, socket) => socket.destroy());
  }

  async listen(port = 0) {
    await new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, '127.0.0.1', () => {
        this.server.off('error', reject);
        resolve();
      });
    });
    this.port = this.server.address().port;
    return this.port;
  }

  close() {
    this.server.close();
    this.server.closeAllConnections();
  }

  async #rulesChanged() {
    const refuse = this.faults.has('refuse');
    if (refuse && this.server.listening) this.close();
    if (!refuse && !this.server.listening && this.port) await listenAgain(this);
    if (!this.faults.has('timeout')) {
      for (const socket of this.held) socket.destroy();
      this.held.clear();
    }
  }

  async #serve(request, response) {
    const { path, segments, kind } = this.classify(request);
    this.counts.request(kind);
    let fault = null;
    if (this.faults.active) {
      fault = this.faults.meet({ method: request.method, path: request.url, kind });
      if (fault) this.counts.faulted += 1;
      if (fault === 'reset') return reset(request.socket);
      if (fault === 'timeout') {
        this.held.add(request.socket);
        request.resume();
        return undefined;
      }
      if (fault?.delayMs) await pause(fault.delayMs);
    }
    let answer;
    if (fault?.status) {
      request.resume();
      answer = this.errorAnswer(fault);
    } else {
      try {
        answer = await this.handle(request, { path, segments, kind, counts: this.counts });
      } catch {
        return request.socket.destroy();
      }
    }
    const { status, headers = {}, body = null, units = 0 } = answer;
    this.counts.answer(status, body ? body.length : 0, units);
    if (fault === 'reset-after') return reset(request.socket);
    response.writeHead(status, headers);
    response.end(body);
    return undefined;
  }
}

export async function bodyOf(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
}
