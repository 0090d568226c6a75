// Starts programs that do not watch us, such as redis-server, and ends them when the launcher is gone.
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { answerCalls } from './calls.mjs';

const children = new Map();
const folders = new Set();

async function clear() {
  // Waiting for them is what keeps them from lingering as zombies where nobody adopts them.
  const gone = [...children.values()].map((child) => new Promise((resolve) => {
    child.once('exit', resolve);
    child.kill('SIGKILL');
  }));
  await Promise.race([Promise.all(gone), new Promise((resolve) => setTimeout(resolve, 2000))]);
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  process.exit(0);
}

answerCalls({
  start: (name, command, args, cwd) => new Promise((resolve, reject) => {
    // In a group of its own, so that Ctrl-C in the terminal does not end it before the tests are over.
    const child = spawn(command, args, { cwd, stdio: 'ignore', detached: true });
    child.once('error', reject);
    child.once('spawn', () => {
      children.set(name, child);
      resolve(child.pid);
    });
    child.once('exit', () => children.get(name) === child && children.delete(name));
  }),
  kill: (name) => new Promise((resolve) => {
    const child = children.get(name);
    if (!child) return resolve(false);
    child.once('exit', () => resolve(true));
    return child.kill('SIGKILL');
  }),
  running: (name) => children.has(name),
  removeAtEnd: (folder) => void folders.add(folder),
  disconnected: clear,
});
process.on('SIGTERM', clear);
