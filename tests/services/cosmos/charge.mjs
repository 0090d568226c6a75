// Request units by the service's price list. Point reads: 1 KB 1 RU, 64 KB 4.8; writes: 1 KB 5 RU, 64 KB 22.7; straight lines through both.
// A query: 2.5 RU, 0.5 an item returned and 0.3 a KB returned; that one is an approximation, since the real figure depends on indexes.
// Refused preconditions (412), conflicts (409) and other refusals that looked at an item cost what reading it costs.

const kilobytes = (bytes) => Math.max(1, bytes / 1024);
const rounded = (units) => Math.round(units * 100) / 100;

export const readCharge = (bytes) => rounded(1 + ((kilobytes(bytes) - 1) * (4.8 - 1)) / 63);
export const writeCharge = (bytes) => rounded(5 + ((kilobytes(bytes) - 1) * (22.7 - 5)) / 63);
export const queryCharge = (items, bytes) => rounded(2.5 + 0.5 * items + (0.3 * bytes) / 1024);
