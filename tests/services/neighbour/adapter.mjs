// The JavaScript worker as it meets our queue, containers and keys: what it does wrong is done wrong here too.
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

export class QueueAdapter extends BaseDistributedAdapter {
  constructor(services, blueprints, { name = 'js', verbose = false } = {}) {
    const executed = new Map();
    const logger = verbose ? { ...silent, info: (message) => log('info', { message }) } : silent;
    super({
      runtimeOptions: { blueprints, registry: registry((uses) => executed.set(uses, (executed.get(uses) ?? 0) + 1)), logger },
      coordinationStore: new RedisStore(services.redis),
    });
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
          const received = await this.services.queue.receiveMessages({ numberOfMessages: BATCH, visibilityTimeout: VISIBILITY_SECONDS });
          messages = received.receivedMessageItems;
        } catch (error) {
          log('receive failed', { message: error.message });
        }
        await Promise.all(messages.map((message) => this.#handle(handler, message)));
        // Lets signals and timers in when the queue answers without pause.
        if (!messages.length) await new Promise((resolve) => setImmediate(resolve));
      }
    })();
  }

  async #handle(handler, message) {
    this.lastJobAt = Date.now();
    try {
      const job = decode(message.messageText);
      log('job', { worker: this.name, runId: job.runId, nodeId: job.nodeId, dequeueCount: message.dequeueCount });
      await handler(job);
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
