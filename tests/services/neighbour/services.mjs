// Clients of the three services, and what of them must exist before the first use.
import { CosmosClient } from '@azure/cosmos';
import { QueueServiceClient } from '@azure/storage-queue';
import { Redis } from 'ioredis';

export class Services {
  constructor(config) {
    this.queue = QueueServiceClient.fromConnectionString(config.storageConnection).getQueueClient(config.queue);
    this.cosmos = new CosmosClient(config.cosmosConnection);
    this.database = this.cosmos.database(config.database);
    this.contexts = this.database.container(config.contexts);
    this.statuses = this.database.container(config.statuses);
    this.redis = new Redis(config.redisConnection, { lazyConnect: true, maxRetriesPerRequest: 3 });
    this.config = config;
  }

  async provision() {
    await this.queue.createIfNotExists();
    const { database } = await this.cosmos.databases.createIfNotExists({ id: this.config.database });
    for (const id of [this.config.contexts, this.config.statuses]) {
      await database.containers.createIfNotExists({ id, partitionKey: { paths: ['/runId'] } });
    }
  }

  close() {
    this.redis.disconnect();
    this.cosmos.dispose();
  }
}
