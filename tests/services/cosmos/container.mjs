// One container: its items by partition and in the order of their creation, which is the order queries without ORDER BY use.
import { badRequest, conflict, notFound, precondition, tooLarge } from './answers.mjs';
import { readCharge, writeCharge } from './charge.mjs';

export const ITEM_LIMIT = 2 * 1024 * 1024;
const SYSTEM = ['_rid', '_self', '_etag', '_attachments', '_ts'];

const seconds = () => Math.floor(Date.now() / 1000);
let etags = 0;

export function newEtag() {
  etags += 1;
  return `"${etags.toString(16).padStart(8, '0')}-0000-0100-0000-${seconds().toString(16)}0000"`;
}

function valueAt(doc, path) {
  let value = doc;
  for (const key of path) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

const componentKey = (value) => (value === undefined ? '{}' : JSON.stringify(value));
// The header's `{}` stands for the undefined value: items without the property share that one partition.
const isUndefined = (component) => component !== null && typeof component === 'object';

export class Container {
  constructor(document, rid) {
    this.document = document;
    this.rid = rid;
    this.paths = document.partitionKey.paths.map((path) => path.split('/').slice(1).map((part) => part.replace(/^"|"$/g, '')));
    this.partitions = new Map();
    this.list = [];
    this.gaps = 0;
    this.seq = 0;
    // Raised by every write, so that a sorted query can tell whether it is still right.
    this.version = 0;
  }

  partitionOf(doc) {
    return this.paths.map((path) => componentKey(valueAt(doc, path))).join();
  }

  // The header `x-ms-documentdb-partitionkey`, as a key of `partitions`.
  partitionFromHeader(header) {
    let components;
    try {
      components = JSON.parse(header);
    } catch {
      throw badRequest(`Invalid value in the header x-ms-documentdb-partitionkey: ${header}`);
    }
    if (!Array.isArray(components) || components.length !== this.paths.length) {
      throw badRequest('The partition key supplied in x-ms-partitionkey header has fewer or more components than defined in the collection.');
    }
    return components.map((component) => componentKey(isUndefined(component) ? undefined : component)).join();
  }

  find(partition, id) {
    return this.partitions.get(partition)?.get(id);
  }

  // What queries read: {owner, partition, since(seq)}; `partition` undefined means all.
  view(partition) {
    return { owner: this, partition, since: (seq) => this.#since(partition, seq) };
  }

  * #since(partition, seq) {
    if (partition !== undefined) {
      for (const item of this.partitions.get(partition)?.values() ?? []) if (item.seq > seq) yield item;
      return;
    }
    let low = 0;
    let high = this.list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.list[middle].seq <= seq) low = middle + 1;
      else high = middle;
    }
    for (let i = low; i < this.list.length; i += 1) if (!this.list[i].gone) yield this.list[i];
  }

  #write(item, body) {
    const doc = {};
    for (const key of Object.keys(body)) {
      if (!SYSTEM.includes(key)) Object.defineProperty(doc, key, { value: body[key], enumerable: true, writable: true, configurable: true });
    }
    doc._rid = item.rid;
    doc._self = `${this.document._self}docs/${item.rid}/`;
    doc._etag = newEtag();
    doc._attachments = 'attachments/';
    doc._ts = seconds();
    const json = Buffer.from(JSON.stringify(doc));
    if (json.length > ITEM_LIMIT) throw tooLarge();
    this.version += 1;
    Object.assign(item, { doc, json, size: json.length });
    return item;
  }

  #check(body) {
    if (typeof body.id !== 'string' || !body.id) throw badRequest("The input content is invalid because the required properties - 'id; ' - are missing");
    if (/[/\\?#]/.test(body.id) || body.id.length > 1023) throw badRequest("The id contains illegal chars ('/', '\\', '?', '#') or is too long.");
  }

  #agree(body, partition) {
    if (this.partitionOf(body) !== partition) {
      throw badRequest("PartitionKey extracted from document doesn't match the one specified in the header. Learn more: partition key mismatch", 1001);
    }
  }

  #present(partition, id, { ifMatch } = {}) {
    const item = this.find(partition, id);
    if (!item) throw notFound();
    if (ifMatch && ifMatch !== '*' && ifMatch !== item.doc._etag) throw precondition(readCharge(item.size));
    return item;
  }

  read(partition, id, { ifNoneMatch } = {}) {
    const item = this.#present(partition, id);
    const same = ifNoneMatch && (ifNoneMatch === '*' || ifNoneMatch === item.doc._etag);
    return { status: same ? 304 : 200, item, charge: same ? 1 : readCharge(item.size) };
  }

  create(partition, body) {
    this.#check(body);
    this.#agree(body, partition);
    const existing = this.find(partition, body.id);
    if (existing) throw conflict(readCharge(existing.size));
    const seq = this.seq + 1;
    const item = this.#write({ seq, rid: documentRid(this.rid, seq), gone: false }, body);
    this.seq = seq;
    this.list.push(item);
    if (!this.partitions.has(partition)) this.partitions.set(partition, new Map());
    this.partitions.get(partition).set(body.id, item);
    return { status: 201, item, charge: writeCharge(item.size) };
  }

  replace(partition, id, body, conditions) {
    const item = this.#present(partition, id, conditions);
    this.#check(body);
    if (body.id !== id) throw badRequest('replacing id is not allowed');
    this.#agree(body, partition);
    this.#write(item, body);
    return { status: 200, item, charge: writeCharge(item.size) };
  }

  // If-Match is looked at only where there is something to match; If-None-Match: * refuses to overwrite.
  upsert(partition, body, { ifMatch, ifNoneMatch } = {}) {
    this.#check(body);
    this.#agree(body, partition);
    const existing = this.find(partition, body.id);
    if (!existing) return this.create(partition, body);
    if (ifNoneMatch === '*' || (ifNoneMatch && ifNoneMatch === existing.doc._etag)) throw precondition(readCharge(existing.size));
    return this.replace(partition, body.id, body, { ifMatch });
  }

  delete(partition, id, conditions) {
    const item = this.#present(partition, id, conditions);
    const items = this.partitions.get(partition);
    items.delete(id);
    if (!items.size) this.partitions.delete(partition);
    item.gone = true;
    this.version += 1;
    this.gaps += 1;
    if (this.gaps > 1000 && this.gaps * 2 > this.list.length) {
      this.list = this.list.filter((kept) => !kept.gone);
      this.gaps = 0;
    }
    return { status: 204, charge: writeCharge(item.size) };
  }

  // A transactional batch that failed: everything as it was. `undo` is what `remember` gave.
  remember(partition) {
    const items = [...(this.partitions.get(partition)?.entries() ?? [])].map(([id, item]) => [id, item, { ...item }]);
    return { partition, items, length: this.list.length, seq: this.seq };
  }

  restore({ partition, items, seq }) {
    for (const [, item, before] of items) Object.assign(item, before);
    for (const item of this.list) if (item.seq > seq) item.gone = true;
    this.list = this.list.filter((item) => !item.gone);
    const listed = new Set(this.list);
    for (const [, item] of items) if (!listed.has(item)) this.list.push(item);
    this.list.sort((a, b) => a.seq - b.seq);
    this.gaps = 0;
    this.partitions.set(partition, new Map(items.map(([id, item]) => [id, item])));
    if (!items.length) this.partitions.delete(partition);
    this.version += 1;
  }
}

// Resource ids: 4 bytes of the database, 4 of the container, 8 of the item, as base64 with '-' for '/'.
const rid = (bytes) => bytes.toString('base64').replaceAll('/', '-');
const bytesOf = (text) => Buffer.from(text.replaceAll('-', '/'), 'base64');

export function databaseRid(number) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(number);
  return rid(bytes);
}

export function containerRid(database, number) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE((0x80000000 | number) >>> 0);
  return rid(Buffer.concat([bytesOf(database), bytes]));
}

export function documentRid(container, number) {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(number);
  return rid(Buffer.concat([bytesOf(container), bytes]));
}
