// Calls between the launcher and a process it forked: {call, args} one way, {result} or {error} back.
import { fork } from 'node:child_process';

export function answerCalls(functions) {
  // Without the launcher there is nobody to serve: this is what ends us when it is killed.
  process.on('disconnect', functions.disconnected ?? (() => process.exit(0)));
  process.on('message', async ({ id, call, args }) => {
    try {
      process.send({ id, result: await functions[call](...args) });
    } catch (error) {
      process.send({ id, error: error.message });
    }
  });
  // Ctrl-C reaches the whole group; the launcher decides when it is over.
  process.on('SIGINT', () => {});
}

export class Peer {
  constructor(module, { cwd, args = [] } = {}) {
    this.waiting = new Map();
    this.next = 1;
    this.ended = false;
    this.expected = false;
    this.child = fork(module, args, { cwd, stdio: ['ignore', 'ignore', 'pipe', 'ipc'], execArgv: ['--no-deprecation'] });
    this.stderr = '';
    this.child.stderr.on('data', (chunk) => {
      this.stderr = (this.stderr + chunk).slice(-4000);
    });
    this.child.on('message', ({ id, result, error }) => {
      const waiting = this.waiting.get(id);
      this.waiting.delete(id);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(error));
    });
    this.gone = new Promise((resolve) => {
      this.child.on('exit', () => {
        this.ended = true;
        if (!this.expected) process.stderr.write(`a service process ended on its own: ${module}\n${this.stderr}`);
        for (const { reject } of this.waiting.values()) reject(new Error(`a service process ended: ${this.stderr.trim().split('\n').at(-1)}`));
        this.waiting.clear();
        resolve();
      });
    });
  }

  call(name, ...args) {
    if (this.ended) return Promise.reject(new Error(`a service process has ended: ${this.stderr.trim().split('\n').at(-1)}`));
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.child.send({ id, call: name, args }, (error) => error && reject(error));
    });
  }

  // Asks by closing the channel, then insists.
  async end(ms = 3000) {
    this.expected = true;
    if (this.ended) return;
    if (this.child.connected) this.child.disconnect();
    const timer = setTimeout(() => this.child.kill('SIGKILL'), ms);
    await this.gone;
    clearTimeout(timer);
  }
}
