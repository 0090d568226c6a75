// Blueprints by id, from a folder of JSON files; conformance cases count as well, for the blueprints in them.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export function loadBlueprints(folder) {
  const blueprints = {};
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.json')).sort()) {
    const parsed = JSON.parse(readFileSync(join(folder, name), 'utf8'));
    const found = parsed.blueprint ? [parsed.blueprint, ...Object.values(parsed.blueprints ?? {})] : [parsed];
    for (const blueprint of found) if (blueprint.id) blueprints[blueprint.id] = blueprint;
  }
  return blueprints;
}

export const DIAMOND = {
  id: 'diamond',
  nodes: [
    { id: 'a', uses: 'const', params: { value: 1 } },
    { id: 'b', uses: 'add', params: { n: 1 } },
    { id: 'c', uses: 'add', params: { n: 2 } },
    { id: 'd', uses: 'sum', inputs: { b: 'b', c: 'c' } },
  ],
  edges: [
    { source: 'a', target: 'b' }, { source: 'a', target: 'c' }, { source: 'b', target: 'd' }, { source: 'c', target: 'd' },
  ],
};
