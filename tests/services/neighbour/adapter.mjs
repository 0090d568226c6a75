// The JavaScript worker as it meets our queue, containers and keys: what it does wrong is done wrong here too.
import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { BaseDistributedAdapter } from 'flowcraft';
import { ItemContext } from './context.mjs';
import { registry } from './registry.mjs';
import { RedisStore } from './store.mjs';
import { log } from './settings.mjs';

const BATCH = 10;
const VISIBILITY_SECONDS = 30;

export const encode = (job) => Buffer.from(JSON.stringify(job)).toString('base64');
const decode = (text) => JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
export const nowSeconds = () => Math.floor(Date.now() / 1000);

const silent = { debug: () => {}, info: () => {}, warn: (message) => log('warning', { message }), error: (message) => log('error', { message }) };

// Whether a node is run without something that the nodes before it gave: some write removed it.
function isStarved({ id, inputs }, input, { edges }) {
  if (inputs && typeof inputs === 'object') return Object.keys(inputs).some((member) => input?.[member] === undefined);
  return input === undefined && (Boolean(inputs) || edges.some(({ target }) => target === id));
}

export class QueueAdapter extends BaseDistributedAdapter {
  // `atOnce`: jobs in hand together. `pause`: milliseconds after an empty answer. `marked`: only nodes with `params.by` "js" are run.
  constructor(services, blueprints, { name = 'js', verbose = false, atOnce = BATCH, pause = 0, marked = false } = {}) {
    const executed = new Map();
    const inHand = new AsyncLocalStorage();
    const started = (uses, { input }) => {
      executed.set(uses, (executed.get(uses) ?? 0) + 1);
      const { runId, blueprintId, nodeId } = inHand.getStore() ?? {};
      const blueprint = blueprints[blueprintId];
      const node = blueprint?.nodes.find(({ id }) => id === nodeId);
      if (node) log('executed', { worker: name, runId, nodeId, starved: isStarved(node, input, blueprint) });
    };
    const logger = verbose ? { ...silent, info: (message) => log('info', { message }) } : silent;
    super({
      runtimeOptions: { blueprints, registry: registry(started), logger },
      coordinationStore: new RedisStore(services.redis),
    });
    Object.assign(this, { inHand, atOnce, pause, marked });
    this.services = services;
    this.name = name;
    this.executed = executed;
    this.stopped = false;
    this.jobs = 0;
    this.lastJobAt = Date.now();
  }

  createContext(runId) {
    return new ItemContext(this.services.contexts, runId);
  }

  // Receives, handles all of it, deletes each, receives again at once: no pause, no renewal, no limit on deliveries.
  processJobs(handler) {
    this.loop = (async () => {
      while (!this.stopped) {
        let messages = [];
        try {
          const received = await this.services.queue.receiveMessages({ numberOfMessages: this.atOnce, visibilityTimeout: VISIBILITY_SECONDS });
          messages = received.receivedMessageItems;
        } catch (error) {
          log('receive failed', { message: error.message });
        }
        await Promise.all(messages.map((message) => this.#take(handler, message)));
        if (!messages.length && this.pause) await sleep(this.pause);
        // Lets signals and timers in when the queue answers without pause.
        if (!messages.length) await new Promise((resolve) => setImmediate(resolve));
      }
    })();
  }

  async #take(handler, message) {
    if (!this.marked || this.#isMarked(message)) return this.#handle(handler, message);
    // For somebody else: sent anew, so that this look at it does not count as a try.
    await this.services.queue.sendMessage(message.messageText);
    await this.services.queue.deleteMessage(message.messageId, message.popReceipt);
  }

  #isMarked(message) {
    const { blueprintId, nodeId } = decode(message.messageText);
    const { nodes } = this.runtime.options.blueprints[blueprintId];
    return nodes.find(({ id }) => id === nodeId).params?.by === 'js';
  }

  async #handle(handler, message) {
    this.lastJobAt = Date.now();
    try {
      const job = decode(message.messageText);
      log('job', { worker: this.name, runId: job.runId, nodeId: job.nodeId, dequeueCount: message.dequeueCount });
      await this.inHand.run(job, () => handler(job));
      this.jobs += 1;
      await this.services.queue.deleteMessage(message.messageId, message.popReceipt);
    } catch (error) {
      log('job not handled', { worker: this.name, messageId: message.messageId, message: error.message });
    }
    this.lastJobAt = Date.now();
  }

  async enqueueJob(job) {
    await this.services.queue.sendMessage(encode(job));
  }

  async #writeStatus(runId, fields) {
    let before = {};
    try {
      before = (await this.services.statuses.item(runId, runId).read()).resource ?? {};
    } catch (error) {
      if (error.code !== 404) throw error;
    }
    await this.services.statuses.items.upsert({ ...before, id: runId, runId, ...fields, lastUpdated: nowSeconds() });
  }

  async onJobStart(runId) {
    await this.#writeStatus(runId, { status: 'running' });
  }

  async publishFinalResult(runId, result) {
    log('final', { worker: this.name, runId, status: result.status, reason: result.reason });
    await this.#writeStatus(runId, { status: result.status, finalStatus: result });
  }

  async registerWebhookEndpoint() {
    throw new Error('webhooks are not implemented');
  }

  async stop() {
    this.stopped = true;
    await this.loop;
  }
}
