// The faults that are set on one service, and which of them meets a request.
import { randomInt } from 'node:crypto';

const NAMES = new Set(['reset', 'timeout', 'reset-after', 'refuse']);
const DETAILS = ['status', 'delayMs', 'reply'];

export function checkRule({ service, fault, match = {}, probability = 1, count, skip = 0 }) {
  const known = NAMES.has(fault) || (fault && typeof fault === 'object' && DETAILS.some((detail) => detail in fault));
  if (!known) return `unknown fault ${JSON.stringify(fault)}`;
  if (fault.reply && service !== 'redis') return 'a reply is a fault of redis';
  if (fault.status && service === 'redis') return 'a status is a fault of queue and cosmos';
  if (Object.keys(match).some((key) => !['method', 'pathIncludes', 'kind'].includes(key))) return 'match takes method, pathIncludes and kind';
  if (!(probability >= 0 && probability <= 1) || !(skip >= 0) || (count !== undefined && !(count > 0))) return 'probability is 0 to 1, skip at least 0, count above 0';
  return null;
}

export class Faults {
  // `changed` is called when rules come or go, for faults that act on connections.
  constructor(changed = () => {}) {
    this.rules = [];
    this.changed = changed;
  }

  get active() {
    return this.rules.length > 0;
  }

  async add(rule) {
    this.rules.push({ probability: 1, skip: 0, match: {}, ...rule, left: rule.count ?? Infinity });
    await this.changed();
  }

  // Resolves when the front serves again what this rule kept it from.
  async remove(id) {
    this.rules = this.rules.filter((rule) => rule.id !== id);
    await this.changed();
  }

  has(fault) {
    return this.rules.some((rule) => rule.fault === fault && rule.left > 0);
  }

  // The fault for this request, if any; counts it.
  meet({ method, path = '', kind }) {
    for (const rule of this.rules) {
      const { match } = rule;
      if (rule.left <= 0 || rule.fault === 'refuse') continue;
      if (match.method && match.method.toUpperCase() !== method) continue;
      if (match.kind && match.kind.toLowerCase() !== kind?.toLowerCase()) continue;
      if (match.pathIncludes && !path.includes(match.pathIncludes)) continue;
      if (rule.skip > 0) {
        rule.skip -= 1;
        continue;
      }
      if (rule.probability < 1 && randomInt(1_000_000) >= rule.probability * 1_000_000) continue;
      rule.left -= 1;
      return rule.fault;
    }
    return null;
  }
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Listens on the port it had; the system may need a moment to give it back.
export async function listenAgain(front) {
  for (let i = 0; ; i += 1) {
    try {
      return await front.listen(front.port);
    } catch (error) {
      if (i === 40) throw error;
      await pause(50);
    }
  }
}

// Ends a connection as a crash does: with a reset, not with an orderly close.
export function reset(socket) {
  if (typeof socket.resetAndDestroy === 'function' && !socket.destroyed && !socket.connecting) socket.resetAndDestroy();
  else socket.destroy();
}
