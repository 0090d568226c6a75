// Counters and locks in Redis: INCR and then EXPIRE, SET with EX and NX.

export class RedisStore {
  constructor(redis) {
    this.redis = redis;
  }

  async increment(key, seconds) {
    const value = await this.redis.incr(key);
    await this.redis.expire(key, seconds);
    return value;
  }

  async setIfNotExist(key, value, seconds) {
    return (await this.redis.set(key, value, 'EX', seconds, 'NX')) === 'OK';
  }

  async extendTTL(key, seconds) {
    return (await this.redis.expire(key, seconds)) === 1;
  }

  async delete(key) {
    await this.redis.del(key);
  }

  async get(key) {
    return (await this.redis.get(key)) ?? undefined;
  }
}
