// The neighbour's nodes: with them the runtime gives what the conformance cases say, up to the first pause.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { FlowRuntime } from 'flowcraft';
import { registry } from '../neighbour/registry.mjs';
import { HERE } from './started.mjs';

const folder = join(dirname(HERE), 'conformance');
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

for (const name of readdirSync(folder).filter((file) => file.endsWith('.json'))) {
  const { blueprint, blueprints, initialContext, expected } = JSON.parse(readFileSync(join(folder, name), 'utf8'));
  test(name, async () => {
    const runtime = new FlowRuntime({ registry: registry(), blueprints, logger: silent });
    const { status, context } = await runtime.run(blueprint, initialContext ?? {});
    // The ids of executions are random.
    const written = JSON.parse(JSON.stringify(context), (key, value) => (key === '_executionId' ? undefined : value));
    const outputs = Object.fromEntries(blueprint.nodes.map(({ id }) => [id, written[`_outputs.${id}`]]).filter(([, output]) => output !== undefined));
    assert.equal(status, expected.status);
    assert.deepEqual(outputs, expected.outputs ?? {});
  });
}
