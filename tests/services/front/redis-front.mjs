// The front of Redis: a TCP relay that counts commands and can spoil them. Encrypted traffic is relayed unread: only connections are counted.
import { connect, createServer } from 'node:net';
import { Counts } from './counts.mjs';
import { Faults, listenAgain, pause, reset } from './faults.mjs';
import { CommandReader } from './resp.mjs';

class Link {
  constructor(client, front) {
    this.client = client;
    this.front = front;
    this.upstream = connect(front.target, '127.0.0.1');
    this.reader = front.encrypted ? null : new CommandReader();
    this.dropAnswer = false;
    this.stalled = false;
    this.queue = Promise.resolve();
    client.setNoDelay(true);
    this.upstream.setNoDelay(true);
    client.on('data', (chunk) => this.#fromClient(chunk));
    this.upstream.on('data', (chunk) => this.#fromServer(chunk));
    for (const [one, other] of [[client, this.upstream], [this.upstream, client]]) {
      one.on('error', () => {});
      one.on('close', () => other.destroy());
    }
    client.on('close', () => front.links.delete(this));
  }

  end() {
    reset(this.client);
    this.upstream.destroy();
  }

  #fromServer(chunk) {
    // What the server did has taken effect; its answer is what gets lost.
    if (this.dropAnswer) return this.end();
    if (this.stalled) return undefined;
    this.front.counts.bytesOut += chunk.length;
    return this.client.write(chunk);
  }

  #fromClient(chunk) {
    const { counts, faults } = this.front;
    counts.bytesIn += chunk.length;
    if (!this.reader) {
      if (!this.stalled) this.upstream.write(chunk);
      return;
    }
    const commands = this.reader.push(chunk);
    for (const { name } of commands) counts.request(name);
    if (!faults.active && !this.busy) {
      for (const { raw } of commands) this.upstream.write(raw);
      return;
    }
    // Delays keep the order of the commands: each waits for those before it.
    this.busy = true;
    this.queue = this.queue.then(() => this.#spoil(commands)).then(() => {
      this.busy = false;
    });
  }

  async #spoil(commands) {
    for (const { name, raw } of commands) {
      const fault = this.stalled ? 'timeout' : this.front.faults.meet({ kind: name });
      if (fault) this.front.counts.faulted += 1;
      if (fault === 'reset') return this.end();
      if (fault === 'timeout') {
        this.stalled = true;
        continue;
      }
      if (fault === 'reset-after') this.dropAnswer = true;
      if (fault?.delayMs) await pause(fault.delayMs);
      if (fault?.reply) this.client.write(`${fault.reply}\r\n`);
      else this.upstream.write(raw);
    }
    return undefined;
  }
}

export class RedisFront {
  constructor(target, { encrypted = false } = {}) {
    this.target = target;
    this.encrypted = encrypted;
    this.counts = new Counts();
    this.links = new Set();
    this.faults = new Faults(() => this.#rulesChanged());
    this.server = createServer((client) => {
      this.counts.connections += 1;
      if (this.#whole('reset')) return reset(client);
      return this.links.add(new Link(client, this));
    });
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

  drop() {
    for (const link of this.links) link.end();
  }

  close() {
    this.server.close();
    this.drop();
  }

  // Is there a rule for all commands, as opposed to some of them?
  #whole(fault) {
    return this.faults.rules.some((rule) => rule.fault === fault && rule.left > 0 && !rule.match.kind && rule.probability === 1 && !rule.skip);
  }

  async #rulesChanged() {
    const refuse = this.faults.has('refuse');
    if (refuse || this.#whole('reset')) {
      if (!refuse) this.faults.rules.filter(({ fault }) => fault === 'reset').forEach((rule) => { rule.left -= 1; });
      this.drop();
    }
    if (refuse && this.server.listening) this.server.close();
    // What was swallowed is lost: such connections cannot go on.
    if (!this.faults.has('timeout')) for (const link of this.links) if (link.stalled) link.end();
    if (!refuse && !this.server.listening && this.port) await listenAgain(this);
  }
}
