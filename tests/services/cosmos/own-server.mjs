// Cosmos DB by our own store (in this folder) and query engine (in ../sql).
import { Account } from './account.mjs';
import { respond } from './routes.mjs';

export async function open() {
  const account = new Account();
  return ({ method, headers }, raw, { segments, endpoint }) => {
    const body = raw.length ? JSON.parse(raw) : undefined;
    return respond(account, { method, headers, body, segments, endpoint });
  };
}
