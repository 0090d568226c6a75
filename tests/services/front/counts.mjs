// What a front has seen: requests by kind and status, bytes, request units.

export class Counts {
  constructor(kinds = []) {
    this.known = kinds;
    this.reset();
  }

  reset() {
    this.requests = 0;
    this.kinds = Object.fromEntries(this.known.map((kind) => [kind, 0]));
    this.statuses = {};
    this.requestUnits = 0;
    this.bytesIn = 0;
    this.bytesOut = 0;
    this.faulted = 0;
    this.connections = 0;
  }

  request(kind) {
    this.requests += 1;
    this.kinds[kind] = (this.kinds[kind] ?? 0) + 1;
  }

  answer(status, bytes = 0, units = 0) {
    this.statuses[status] = (this.statuses[status] ?? 0) + 1;
    this.bytesOut += bytes;
    this.requestUnits += units;
  }

  toJSON() {
    const { requests, kinds, statuses, bytesIn, bytesOut, faulted, connections } = this;
    return { requests, kinds, statuses, requestUnits: Math.round(this.requestUnits * 100) / 100, bytesIn, bytesOut, bytes: bytesIn + bytesOut, faulted, connections };
  }
}
