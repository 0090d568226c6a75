// The launcher: running a command, saying what is missing, and leaving nothing behind.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HERE, started } from './started.mjs';

const START = join(HERE, 'start.mjs');
// In a folder of its own, so that launchers of other tests do not count.
process.env.TMPDIR = mkdtempSync(join(tmpdir(), 'flowcraft-launcher-'));
after(() => rmSync(process.env.TMPDIR, { recursive: true }));

// Ids of all processes below this one.
function descendants(pid) {
  const table = execFileSync('ps', ['-e', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n').map((line) => line.trim().split(/\s+/).map(Number));
  const below = (id) => table.filter(([, parent]) => parent === id).flatMap(([child]) => [child, ...below(child)]);
  return below(pid);
}

// Neither running nor waiting to be collected as a zombie of nobody.
function alive(pid) {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
  return stdout.trim() !== '' && !stdout.trim().startsWith('Z');
}

async function allGone(pids, ms = 5000) {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(50)) if (!pids.some(alive)) return true;
  return false;
}

const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith('flowcraft-services-'));

test('runs a command with the services and ends with its code', () => {
  const script = 'const s = JSON.parse(process.env.FLOWCRAFT_TEST_SERVICES); process.stdout.write(Object.keys(s).join()); process.exit(7)';
  const { status, stdout } = spawnSync(process.execPath, [START, '--', process.execPath, '-e', script], { encoding: 'utf8' });
  assert.deepEqual([status, stdout], [7, 'queue,cosmos,redis,control,direct']);
  assert.equal(spawnSync(process.execPath, [START, '--', '/no/such/program']).status, 127);
});

test('wrong usage and what is missing: one line and 2', () => {
  const copy = mkdtempSync(join(tmpdir(), 'flowcraft-copy-'));
  for (const name of ['start.mjs', 'control.mjs', 'redis.mjs', 'front', 'processes']) cpSync(join(HERE, name), join(copy, name), { recursive: true });
  const cases = [
    [START, ['--no-such-option'], {}, /unknown option/],
    [START, ['--'], {}, /comes the command/],
    [START, ['--cosmos', 'other'], {}, /own, package/],
    [START, [], { PATH: copy }, /redis-server is missing: .*apt-get install redis-server/],
    [join(copy, 'start.mjs'), [], {}, /packages .* are missing: run `npm ci` in /],
  ];
  for (const [script, args, env, expected] of cases) {
    const { status, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8', env: { ...process.env, ...env } });
    assert.equal(status, 2);
    assert.match(stderr, expected);
    assert.equal(stderr.trim().split('\n').length, 1);
  }
  rmSync(copy, { recursive: true });
});

test('ends with its stdin, and leaves neither processes nor folders', async () => {
  const before = folders();
  const running = await started('--redis-tls');
  const children = descendants(running.pid);
  assert.ok(children.length >= 5, String(children));
  assert.ok(existsSync(running.services.redisTls.caFile));
  await running.stop();
  assert.ok(await allGone(children));
  assert.deepEqual(folders().filter((name) => !before.includes(name)), []);
});

for (const signal of ['SIGTERM', 'SIGKILL']) {
  test(`ends on ${signal}, and its children with it`, async () => {
    const before = folders();
    const child = spawn(process.execPath, [START, '--ignore-stdin'], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const children = descendants(child.pid);
    child.kill(signal);
    await new Promise((resolve) => child.once('exit', resolve));
    assert.ok(await allGone(children));
    await sleep(200);
    assert.deepEqual(folders().filter((name) => !before.includes(name)), []);
  });
}
