// The query plan that clients ask for before a query over all partitions: what they must merge themselves,
// and the query to send to each partition in place of the original.
import { hasAggregate, isAggregate } from './evaluate.mjs';

const FILTER = '{documentdb-formattableorderbyquery-filter}';
const AGGREGATE_NAMES = { COUNT: 'Count', SUM: 'Sum', AVG: 'Average', MIN: 'Min', MAX: 'Max' };

const item = (node) => {
  if (node.name === 'AVG') return `{"item": {"sum": SUM(${node.args[0].text}), "count": COUNT(${node.args[0].text})}}`;
  // Clients need to know whether there was anything to take the extreme of.
  if (node.name === 'MIN' || node.name === 'MAX') {
    return `{"item": ${node.text}, "item2": {"${node.name.toLowerCase()}": ${node.text}, "count": COUNT(${node.args[0].text})}}`;
  }
  return `{"item": ${node.text}}`;
};

function payload(select, alias) {
  if (select.kind === 'all') return alias;
  if (select.kind === 'value') return isAggregate(select.value) ? item(select.value) : select.value.text;
  const members = select.properties.map(({ name, value }) => `${JSON.stringify(name)}: ${isAggregate(value) ? item(value) : value.text}`);
  return `{${members.join(', ')}}`;
}

// The FROM clause as it was written, joins and all.
function fromText(text) {
  return /\bFROM\b([^]*?)(?=\bWHERE\b|\bGROUP\s+BY\b|\bORDER\s+BY\b|\bOFFSET\b|$)/i.exec(text)?.[1].trim() ?? '';
}

function rewritten(query, text, constantOf) {
  const from = fromText(text);
  const where = query.where ? ` WHERE ${query.where.text}` : '';
  const alias = query.from?.[0].alias;
  // Partitions cannot skip for each other: each gives all that could be wanted.
  const first = query.top ? ` TOP ${query.top.text}` : query.offset ? ` TOP ${constantOf(query.offset) + constantOf(query.limit)}` : '';
  if (query.groupBy.length || (query.aggregates && query.select.kind === 'properties')) {
    const by = query.groupBy.map((node) => `{"item": ${node.text}}`).join(', ');
    const groupBy = query.groupBy.length ? ` GROUP BY ${query.groupBy.map((node) => node.text).join(', ')}` : '';
    return `SELECT [${by}] AS groupByItems, ${payload(query.select, alias)} AS payload FROM ${from}${where}${groupBy}`;
  }
  if (query.aggregates) return `SELECT VALUE [${item(query.select.value)}] FROM ${from}${where}`;
  const distinct = query.distinct ? 'DISTINCT ' : '';
  if (query.orderBy.length) {
    const keys = query.orderBy.map(({ by }) => `{"item": ${by.text}}`).join(', ');
    const sorts = query.orderBy.map(({ by, descending }) => `${by.text} ${descending ? 'DESC' : 'ASC'}`).join(', ');
    const filter = query.where ? `(${query.where.text}) AND (${FILTER})` : FILTER;
    return `SELECT ${distinct}${first.trim()} ${alias}._rid, [${keys}] AS orderByItems, ${payload(query.select, alias)} AS payload FROM ${from} WHERE ${filter} ORDER BY ${sorts}`;
  }
  if (!query.offset) return '';
  const start = query.select.kind === 'all' ? '*' : query.select.kind === 'value' ? `VALUE ${query.select.value.text}`
    : query.select.properties.map(({ name, value }) => `${value.text} AS ${name}`).join(', ');
  return `SELECT ${distinct}${first.trim()} ${start} FROM ${from}${where}`;
}

export function queryPlan(query, text, parameters) {
  const constantOf = (node) => (node?.kind === 'parameter' ? parameters.get(node.name) : node?.value) ?? null;
  const value = query.select.kind === 'value' ? query.select.value : null;
  const named = query.select.kind === 'properties' ? query.select.properties : [];
  const grouping = query.groupBy.length > 0 || (query.aggregates && !value);
  const info = {
    distinctType: !query.distinct ? 'None' : query.orderBy.length ? 'Ordered' : 'Unordered',
    top: constantOf(query.top),
    offset: constantOf(query.offset),
    limit: constantOf(query.limit),
    orderBy: query.orderBy.map(({ descending }) => (descending ? 'Descending' : 'Ascending')),
    orderByExpressions: query.orderBy.map(({ by }) => by.text),
    groupByExpressions: query.groupBy.map((node) => node.text),
    groupByAliases: query.groupBy.length ? named.map(({ name }) => name) : [],
    aggregates: value && hasAggregate(value) ? [AGGREGATE_NAMES[value.name]] : [],
    groupByAliasToAggregateType: grouping
      ? Object.fromEntries(named.map(({ name, value: node }) => [name, isAggregate(node) ? AGGREGATE_NAMES[node.name] : null]))
      : {},
    rewrittenQuery: rewritten(query, text, constantOf),
    hasSelectValue: Boolean(value),
    hasNonStreamingOrderBy: false,
    dCountInfo: null,
  };
  return {
    partitionedQueryExecutionInfoVersion: 2,
    queryInfo: info,
    queryRanges: [{ min: '', max: 'FF', isMinInclusive: true, isMaxInclusive: false }],
  };
}
