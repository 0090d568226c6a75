// Parser for the service's SQL: text to a tree. Every expression keeps the text it came from, which query plans need.

export class SqlError extends Error {}

const TOKEN = /\s*(?:--[^\n]*\s*)*(?:(@?[A-Za-z_$][\w$]*)|(0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+)|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(>>>|\|\||\?\?|<>|!=|<=|>=|<<|>>|[-+*/%=<>(){}[\],.:?|&^~]))/y;
const KEYWORDS = new Set([
  'SELECT', 'DISTINCT', 'TOP', 'VALUE', 'FROM', 'IN', 'JOIN', 'WHERE', 'GROUP', 'ORDER', 'BY', 'ASC', 'DESC',
  'OFFSET', 'LIMIT', 'AND', 'OR', 'NOT', 'BETWEEN', 'LIKE', 'ESCAPE', 'AS', 'EXISTS', 'ARRAY',
]);
const CONSTANTS = { true: true, false: false, null: null, undefined: undefined };
const COMPARE = new Set(['=', '!=', '<>', '<', '<=', '>', '>=']);
// Binary operators below the comparisons, loosest first.
const LEVELS = [['|'], ['^'], ['&'], ['<<', '>>', '>>>'], ['||'], ['+', '-'], ['*', '/', '%']];

function tokens(text) {
  const list = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const from = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match) {
      if (/^\s*(?:--[^\n]*\s*)*$/.test(text.slice(from))) break;
      throw new SqlError(`Syntax error, incorrect syntax near '${text.slice(from).trim().slice(0, 20)}'.`);
    }
    const end = TOKEN.lastIndex;
    const [, word, number, string, symbol] = match;
    const raw = word ?? number ?? string ?? symbol;
    const kind = word ? (word[0] === '@' ? 'parameter' : 'word') : number ? 'number' : string ? 'string' : 'symbol';
    list.push({ kind, raw, upper: kind === 'word' ? word.toUpperCase() : raw, start: end - raw.length, end });
  }
  list.push({ kind: 'end', raw: 'end of query', upper: '', start: text.length, end: text.length });
  return list;
}

function unquote(raw) {
  return raw.slice(1, -1).replace(/\\(u[0-9a-fA-F]{4}|.)/g, (_, escape) => {
    if (escape[0] === 'u' && escape.length === 5) return String.fromCharCode(parseInt(escape.slice(1), 16));
    return { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }[escape] ?? escape;
  });
}

class Parser {
  constructor(text) {
    this.text = text;
    this.list = tokens(text);
    this.at = 0;
  }

  get token() {
    return this.list[this.at];
  }

  fail() {
    throw new SqlError(`Syntax error, incorrect syntax near '${this.token.raw}'.`);
  }

  is(...words) {
    return this.token.kind !== 'string' && words.includes(this.token.upper);
  }

  take(...words) {
    if (!this.is(...words)) return null;
    return this.list[this.at++];
  }

  expect(word) {
    return this.take(word) ?? this.fail();
  }

  name() {
    const { token } = this;
    if (token.kind !== 'word' || KEYWORDS.has(token.upper)) this.fail();
    this.at += 1;
    return token.raw;
  }

  node(start, fields) {
    const end = this.list[this.at - 1].end;
    return { ...fields, text: this.text.slice(start, end) };
  }

  commaList(read) {
    const items = [read()];
    while (this.take(',')) items.push(read());
    return items;
  }

  query() {
    this.expect('SELECT');
    const query = { distinct: Boolean(this.take('DISTINCT')), top: null, from: null, where: null, groupBy: [], orderBy: [] };
    if (this.take('TOP')) query.top = this.amount();
    query.select = this.selection();
    if (this.take('FROM')) query.from = this.from();
    if (this.take('WHERE')) query.where = this.expression();
    if (this.take('GROUP')) {
      this.expect('BY');
      query.groupBy = this.commaList(() => this.expression());
    }
    if (this.take('ORDER')) {
      this.expect('BY');
      query.orderBy = this.commaList(() => {
        const by = this.expression();
        return { by, descending: Boolean(this.take('DESC')) || (this.take('ASC'), false) };
      });
    }
    if (this.take('OFFSET')) {
      query.offset = this.amount();
      this.expect('LIMIT');
      query.limit = this.amount();
    }
    if (this.token.kind !== 'end') this.fail();
    return query;
  }

  amount() {
    const { token } = this;
    if (token.kind !== 'number' && token.kind !== 'parameter') this.fail();
    return this.primary();
  }

  selection() {
    if (this.take('*')) return { kind: 'all' };
    if (this.is('VALUE') && this.list[this.at + 1].upper !== ',' && this.list[this.at + 1].upper !== 'FROM') {
      this.at += 1;
      return { kind: 'value', value: this.expression() };
    }
    let unnamed = 0;
    const properties = this.commaList(() => {
      const value = this.expression();
      let name;
      if (this.take('AS')) name = this.token.kind === 'string' ? this.primary().value : this.name();
      else if (this.token.kind === 'word' && !KEYWORDS.has(this.token.upper)) name = this.name();
      else if (value.kind === 'member' && value.key.kind === 'constant') name = String(value.key.value);
      else if (value.kind === 'name') name = value.name;
      else name = `$${(unnamed += 1)}`;
      return { name, value };
    });
    return { kind: 'properties', properties };
  }

  from() {
    const sources = [this.source(true)];
    while (this.take('JOIN')) sources.push(this.source(false));
    return sources;
  }

  source(first) {
    const { start } = this.token;
    if (this.is('(')) throw new SqlError('Subqueries are not supported by this server.');
    const name = this.name();
    if (this.take('IN')) return { alias: name, path: this.postfix(), each: true };
    let path = { kind: 'name', name };
    while (this.is('.', '[')) path = this.suffix(path, start);
    const explicit = this.take('AS');
    const alias = explicit || (this.token.kind === 'word' && !KEYWORDS.has(this.token.upper)) ? this.name() : null;
    const last = path.kind === 'member' ? String(path.key.value) : name;
    // The first name of the first source is the container itself, whatever it is called.
    return { alias: alias ?? last, path: first && path.kind === 'name' ? null : path, root: first ? name : null, each: false };
  }

  expression() {
    const { start } = this.token;
    const test = this.coalesce();
    if (!this.take('?')) return test;
    const yes = this.expression();
    this.expect(':');
    const no = this.expression();
    return this.node(start, { kind: 'conditional', test, yes, no });
  }

  coalesce() {
    return this.binary(['??'], () => this.binary(['OR'], () => this.binary(['AND'], () => this.not())));
  }

  binary(operators, next) {
    const { start } = this.token;
    let left = next();
    for (let token = this.take(...operators); token; token = this.take(...operators)) {
      left = this.node(start, { kind: 'binary', operator: token.upper, left, right: next() });
    }
    return left;
  }

  not() {
    const { start } = this.token;
    if (!this.take('NOT')) return this.comparison();
    return this.node(start, { kind: 'unary', operator: 'NOT', value: this.not() });
  }

  comparison() {
    const { start } = this.token;
    let left = this.level(0);
    for (;;) {
      const negated = this.is('NOT') && ['IN', 'BETWEEN', 'LIKE'].includes(this.list[this.at + 1].upper) && Boolean(this.take('NOT'));
      let node;
      if (COMPARE.has(this.token.raw) && this.token.kind === 'symbol') {
        const operator = this.list[this.at++].raw;
        node = { kind: 'binary', operator: operator === '<>' ? '!=' : operator, left, right: this.level(0) };
      } else if (this.take('BETWEEN')) {
        const low = this.level(0);
        this.expect('AND');
        node = { kind: 'between', value: left, low, high: this.level(0) };
      } else if (this.take('IN')) {
        this.expect('(');
        const list = this.commaList(() => this.expression());
        this.expect(')');
        node = { kind: 'in', value: left, list };
      } else if (this.take('LIKE')) {
        const pattern = this.level(0);
        node = { kind: 'like', value: left, pattern, escape: this.take('ESCAPE') ? this.primary() : null };
      } else {
        return left;
      }
      left = this.node(start, negated ? { kind: 'unary', operator: 'NOT', value: node } : node);
    }
  }

  level(depth) {
    if (depth === LEVELS.length) return this.unary();
    return this.binary(LEVELS[depth], () => this.level(depth + 1));
  }

  unary() {
    const { start } = this.token;
    const sign = this.take('-', '+', '~');
    if (!sign) return this.postfix();
    return this.node(start, { kind: 'unary', operator: sign.raw, value: this.unary() });
  }

  postfix() {
    const { start } = this.token;
    let value = this.primary();
    while (this.is('.', '[')) value = this.suffix(value, start);
    return value;
  }

  suffix(object, start) {
    if (this.take('.')) {
      const { token } = this;
      if (token.kind !== 'word') this.fail();
      this.at += 1;
      return this.node(start, { kind: 'member', object, key: { kind: 'constant', value: token.raw } });
    }
    this.expect('[');
    const key = this.expression();
    this.expect(']');
    return this.node(start, { kind: 'member', object, key });
  }

  primary() {
    const { token } = this;
    const { start } = token;
    if (token.kind === 'number' || token.kind === 'string') {
      this.at += 1;
      return this.node(start, { kind: 'constant', value: token.kind === 'number' ? Number(token.raw) : unquote(token.raw) });
    }
    if (token.kind === 'parameter') {
      this.at += 1;
      return this.node(start, { kind: 'parameter', name: token.raw });
    }
    if (this.take('(')) {
      if (this.is('SELECT')) throw new SqlError('Subqueries are not supported by this server.');
      const value = this.expression();
      this.expect(')');
      return this.node(start, value);
    }
    if (this.take('[')) {
      const items = this.is(']') ? [] : this.commaList(() => this.expression());
      this.expect(']');
      return this.node(start, { kind: 'array', items });
    }
    if (this.take('{')) {
      const members = this.is('}') ? [] : this.commaList(() => {
        const key = this.token;
        if (key.kind !== 'string' && key.kind !== 'word') this.fail();
        this.at += 1;
        this.expect(':');
        return { name: key.kind === 'string' ? unquote(key.raw) : key.raw, value: this.expression() };
      });
      this.expect('}');
      return this.node(start, { kind: 'object', members });
    }
    const lower = token.raw.toLowerCase();
    if (token.kind === 'word' && Object.hasOwn(CONSTANTS, lower)) {
      this.at += 1;
      return this.node(start, { kind: 'constant', value: CONSTANTS[lower] });
    }
    const name = this.name();
    if (!this.take('(')) return this.node(start, { kind: 'name', name });
    const args = this.is(')') ? [] : this.commaList(() => this.expression());
    this.expect(')');
    return this.node(start, { kind: 'call', name: name.toUpperCase(), args });
  }
}

export function parse(text) {
  return new Parser(text).query();
}
