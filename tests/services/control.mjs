// The control API: counts, faults, and stopping and starting Redis.
import { createServer } from 'node:http';
import { checkRule } from './front/faults.mjs';
import { bodyOf } from './front/http-front.mjs';

// `services`: by name, {counts, resetCounts, addFault, removeFault, stop?, start?}, all of which may be asynchronous.
export class Control {
  constructor(services) {
    this.services = services;
    this.faults = new Map();
    this.next = 1;
    this.server = createServer((request, response) => this.#serve(request, response));
  }

  async listen() {
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  close() {
    this.server.close();
    this.server.closeAllConnections();
  }

  async #serve(request, response) {
    let answer;
    try {
      answer = await this.#answer(request, await bodyOf(request));
    } catch (error) {
      answer = { status: 500, body: { error: error.message } };
    }
    response.writeHead(answer.status, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(answer.body ?? {})}\n`);
  }

  async #answer({ method, url }, raw) {
    const [, first, second, third] = url.split('?')[0].split('/');
    if (method === 'GET' && first === 'counts' && !second) return { status: 200, body: await this.#counts() };
    if (method === 'POST' && first === 'counts' && second === 'reset') {
      await Promise.all(Object.values(this.services).map((service) => service.resetCounts()));
      return { status: 200 };
    }
    if (first === 'faults') {
      if (method === 'GET' && !second) return { status: 200, body: [...this.faults.values()] };
      if (method === 'POST' && !second) return this.#addFault(raw);
      if (method === 'DELETE') return this.#removeFaults(second);
    }
    if (method === 'POST' && first === 'services' && this.services[second]?.[third] && ['stop', 'start'].includes(third)) {
      await this.services[second][third]();
      return { status: 200 };
    }
    return { status: 404, body: { error: `there is no ${method} ${url}` } };
  }

  async #counts() {
    const names = Object.keys(this.services);
    const counts = await Promise.all(names.map((name) => this.services[name].counts()));
    return Object.fromEntries(names.map((name, i) => [name, counts[i]]));
  }

  async #addFault(raw) {
    let rule;
    try {
      rule = JSON.parse(raw);
    } catch {
      return { status: 400, body: { error: 'the body is not JSON' } };
    }
    const service = this.services[rule.service];
    const wrong = service ? checkRule(rule) : `there is no service ${rule.service}`;
    if (wrong) return { status: 400, body: { error: wrong } };
    const id = String(this.next++);
    this.faults.set(id, { ...rule, id });
    await service.addFault({ ...rule, id });
    return { status: 201, body: { id } };
  }

  async #removeFaults(id) {
    const chosen = id === undefined || id === '' ? [...this.faults.values()] : [this.faults.get(id)].filter(Boolean);
    if (id && !chosen.length) return { status: 404, body: { error: `there is no fault ${id}` } };
    for (const rule of chosen) {
      this.faults.delete(rule.id);
      await this.services[rule.service].removeFault(rule.id);
    }
    return { status: 200, body: { removed: chosen.length } };
  }
}
