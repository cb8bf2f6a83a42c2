"""A token bucket in Redis: a rate limit that holds across every worker of the cluster.

Celery's own rate limit is kept in each worker's memory, so ten workers run ten times as often.
"""

from __future__ import annotations

from functools import cache

import redis

from zumolib.conf import conf

# One token is added every 1/rate seconds, up to the bucket's size. The server's clock decides, so that
# the workers' clocks need not agree. Returns the seconds to wait, as text, "0" when a token was taken.
_TAKE = """
local now = redis.call('TIME')
now = now[1] + now[2] / 1e6
local rate, size = tonumber(ARGV[1]), tonumber(ARGV[2])
local held = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(held[1]) or size
tokens = math.min(size, tokens + (now - (tonumber(held[2]) or now)) * rate)
local wait = 0
if tokens >= 1 then tokens = tokens - 1 else wait = (1 - tokens) / rate end
redis.call('HSET', KEYS[1], 'tokens', tokens, 'at', now)
redis.call('PEXPIRE', KEYS[1], math.ceil(1000 * (size / rate + 60)))
return tostring(wait)
"""


@cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)


def take(name: str, rate: float, *, size: int = 1, url: str | None = None) -> float:
    """Take one token from the bucket of `name`.

    Parameters
    ----------
    name : str
        Whose bucket: the task's name.
    rate : float
        Tokens a second. At 0 there is no limit.
    size : int
        How many may be taken at once after a pause.
    url : str, optional
        Redis; the cache's by default.

    Returns
    -------
    float
        Seconds to wait before trying again; 0 when a token was taken.

    Raises
    ------
    redis.exceptions.RedisError
        When Redis does not answer, or cannot count; the base task puts its run back then.
    """
    if rate <= 0:
        return 0.0
    client = _client(url or conf().REDIS_URL)
    return float(client.eval(_TAKE, 1, f"zumo:rate:{name}", rate, size))
