// Splits what a Redis client sends into commands: arrays of bulk strings, or inline lines.

export class CommandReader {
  constructor() {
    this.rest = Buffer.alloc(0);
  }

  // The commands that are complete by now: [{name, raw}].
  push(chunk) {
    let data = this.rest.length ? Buffer.concat([this.rest, chunk]) : chunk;
    const commands = [];
    for (;;) {
      const command = readCommand(data);
      if (!command) break;
      commands.push({ name: command.name, raw: data.subarray(0, command.end) });
      data = data.subarray(command.end);
    }
    this.rest = data;
    return commands;
  }
}

function line(data, from) {
  const end = data.indexOf('\r\n', from, 'latin1');
  return end < 0 ? null : { text: data.toString('latin1', from, end), next: end + 2 };
}

function readCommand(data) {
  const head = line(data, 0);
  if (!head) return null;
  if (head.text[0] !== '*') return { name: head.text.trim().split(/\s+/)[0].toUpperCase(), end: head.next };
  let at = head.next;
  let name = '';
  const count = Number(head.text.slice(1));
  for (let i = 0; i < count; i += 1) {
    const size = line(data, at);
    if (!size) return null;
    const length = Number(size.text.slice(1));
    const end = size.next + length + 2;
    if (data.length < end) return null;
    if (i === 0) name = data.toString('latin1', size.next, size.next + length).toUpperCase();
    at = end;
  }
  return { name, end: at };
}
