// The account: databases, containers and what describes them. Everything lives in memory.
import { badRequest, conflict, notFound, ownerMissing } from './answers.mjs';
import { Container, containerRid, databaseRid, newEtag } from './container.mjs';

const seconds = () => Math.floor(Date.now() / 1000);

function checkId(body) {
  if (typeof body?.id !== 'string' || !body.id || /[/\\?#]/.test(body.id)) throw badRequest('The id is missing or has illegal characters.');
}

function indexingPolicy(given = {}) {
  const mode = (given.indexingMode ?? 'consistent').toLowerCase();
  const explicit = given.includedPaths || given.excludedPaths;
  const excludedPaths = explicit ? [...(given.excludedPaths ?? [])] : [];
  if (!excludedPaths.some(({ path }) => path.startsWith('/"_etag"'))) excludedPaths.push({ path: '/"_etag"/?' });
  const includedPaths = given.includedPaths ?? (mode === 'none' ? [] : [{ path: '/*' }]);
  const all = [...includedPaths, ...excludedPaths];
  if (all.some(({ path }) => typeof path !== 'string' || !path.startsWith('/'))) throw badRequest('An indexing path could not be accepted.');
  if (mode !== 'none' && !all.some(({ path }) => path === '/*')) throw badRequest("The special mandatory indexing path '/' is not provided in any of the path type sets.");
  return { ...given, indexingMode: mode, automatic: given.automatic ?? true, includedPaths, excludedPaths };
}

export class Account {
  constructor() {
    this.databases = new Map();
    this.made = 0;
  }

  document(endpoint) {
    const locations = [{ name: 'Test Region', databaseAccountEndpoint: endpoint }];
    return {
      _self: '', id: 'test', _rid: 'test', media: '//media/', addresses: '//addresses/', _dbs: '//dbs/',
      writableLocations: locations, readableLocations: locations, enableMultipleWriteLocations: false,
      userReplicationPolicy: { asyncReplication: false, minReplicaSetSize: 1, maxReplicasetSize: 4 },
      userConsistencyPolicy: { defaultConsistencyLevel: 'Session' },
      systemReplicationPolicy: { minReplicaSetSize: 1, maxReplicasetSize: 4 },
      readPolicy: { primaryReadCoefficient: 1, secondaryReadCoefficient: 1 },
      queryEngineConfiguration: JSON.stringify({
        maxSqlQueryInputLength: 262144, maxJoinsPerSqlQuery: 5, maxLogicalAndPerSqlQuery: 2000, maxLogicalOrPerSqlQuery: 2000,
        maxUdfRefPerSqlQuery: 10, maxInExpressionItemsCount: 16000, queryMaxInMemorySortDocumentCount: 500,
        maxQueryRequestTimeoutFraction: 0.9, sqlAllowNonFiniteNumbers: false, sqlAllowAggregateFunctions: true,
        sqlAllowSubQuery: false, sqlAllowScalarSubQuery: false, allowNewKeywords: true, sqlAllowLike: true,
        sqlAllowGroupByClause: true, maxSpatialQueryCells: 12, spatialMaxGeometryPointCount: 256,
        sqlDisableOptimizationFlags: 0, sqlAllowTop: true, enableSpatialIndexing: false,
      }),
    };
  }

  // By id, or by resource id, which some clients use after the first request.
  database(id) {
    return this.databases.get(id) ?? [...this.databases.values()].find(({ document }) => document._rid === id);
  }

  container(databaseId, id) {
    const database = this.database(databaseId);
    const found = database?.containers.get(id) ?? [...(database?.containers.values() ?? [])].find(({ rid }) => rid === id);
    if (!found) throw ownerMissing();
    return found;
  }

  createDatabase(body) {
    checkId(body);
    if (this.databases.has(body.id)) throw conflict(1);
    this.made += 1;
    const rid = databaseRid(this.made);
    const document = { id: body.id, _rid: rid, _self: `dbs/${rid}/`, _etag: newEtag(), _colls: 'colls/', _users: 'users/', _ts: seconds() };
    this.databases.set(body.id, { document, containers: new Map() });
    return document;
  }

  readDatabase(id) {
    const database = this.database(id);
    if (!database) throw notFound();
    return database.document;
  }

  deleteDatabase(id) {
    this.databases.delete(this.readDatabase(id).id);
  }

  owner(id) {
    const database = this.database(id);
    if (!database) throw ownerMissing();
    return database;
  }

  #containerDocument(body, fixed) {
    return {
      ...body,
      indexingPolicy: indexingPolicy(body.indexingPolicy),
      conflictResolutionPolicy: body.conflictResolutionPolicy ?? { mode: 'LastWriterWins', conflictResolutionPath: '/_ts', conflictResolutionProcedure: '' },
      geospatialConfig: body.geospatialConfig ?? { type: 'Geography' },
      ...fixed,
      _etag: newEtag(), _docs: 'docs/', _sprocs: 'sprocs/', _triggers: 'triggers/', _udfs: 'udfs/', _conflicts: 'conflicts/', _ts: seconds(),
    };
  }

  createContainer(databaseId, body) {
    checkId(body);
    const { document: owner, containers } = this.owner(databaseId);
    const paths = body.partitionKey?.paths;
    if (!Array.isArray(paths) || !paths.length || paths.some((path) => !/^\/[^/]/.test(path))) throw badRequest('The partition key paths are missing or invalid.');
    if (containers.has(body.id)) throw conflict(1);
    this.made += 1;
    const rid = containerRid(owner._rid, this.made);
    const partitionKey = { kind: paths.length > 1 ? 'MultiHash' : 'Hash', version: 2, ...body.partitionKey };
    const document = this.#containerDocument(body, { partitionKey, _rid: rid, _self: `dbs/${owner._rid}/colls/${rid}/` });
    containers.set(body.id, new Container(document, rid));
    return document;
  }

  containerOf(databaseId, id) {
    const { containers } = this.owner(databaseId);
    const found = containers.get(id) ?? [...containers.values()].find(({ rid }) => rid === id);
    if (!found) throw notFound();
    return found;
  }

  replaceContainer(databaseId, id, body) {
    const container = this.containerOf(databaseId, id);
    const { partitionKey, _rid, _self } = container.document;
    if (body?.id !== container.document.id) throw badRequest('The id of a container cannot be changed.');
    if (JSON.stringify(body.partitionKey?.paths) !== JSON.stringify(partitionKey.paths)) throw badRequest('The partition key of a container cannot be changed.');
    container.document = this.#containerDocument(body, { partitionKey, _rid, _self });
    return container.document;
  }

  deleteContainer(databaseId, id) {
    this.owner(databaseId).containers.delete(this.containerOf(databaseId, id).document.id);
  }

  // One partition for each container; ids are strings.
  ranges(container) {
    const { rid, document } = container;
    return [{
      _rid: rid, id: '0', _etag: document._etag, minInclusive: '', maxExclusive: 'FF', ridPrefix: 0,
      _self: `${document._self}pkranges/0/`, throughputFraction: 1, status: 'online', parents: [], _ts: document._ts,
    }];
  }
}
