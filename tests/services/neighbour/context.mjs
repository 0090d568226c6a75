// A run's context as one item: each get reads the item, each set reads it, changes one key and upserts the whole, without a precondition.

const SYSTEM = new Set(['id', 'runId', '_rid', '_self', '_etag', '_attachments', '_ts']);

export class ItemContext {
  type = 'async';

  constructor(container, runId) {
    this.container = container;
    this.runId = runId;
  }

  // A missing item is an empty context, and so is a missing container: both answer 404.
  async #read() {
    try {
      const { resource } = await this.container.item(this.runId, this.runId).read();
      return resource ?? null;
    } catch (error) {
      if (error.code === 404) return null;
      throw error;
    }
  }

  async get(key) {
    return (await this.toJSON())[key];
  }

  async has(key) {
    return key in (await this.toJSON());
  }

  async set(key, value) {
    const item = (await this.#read()) ?? { id: this.runId, runId: this.runId };
    await this.container.items.upsert({ ...item, [key]: value });
  }

  async delete(key) {
    const item = await this.#read();
    if (!item || !(key in item)) return false;
    delete item[key];
    await this.container.items.upsert(item);
    return true;
  }

  async toJSON() {
    const item = (await this.#read()) ?? {};
    return Object.fromEntries(Object.entries(item).filter(([key]) => !SYSTEM.has(key)));
  }

  // One PATCH with all of it, keys put into the path as they are.
  async patch(operations) {
    if (!operations.length) return;
    const patches = operations.map(({ op, key, value }) => (op === 'delete' ? { op: 'remove', path: `/${key}` } : { op: 'set', path: `/${key}`, value }));
    await this.container.item(this.runId, this.runId).patch(patches);
  }
}
