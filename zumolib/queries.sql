-- The history's queries, by name. {files} is the list of Parquet files that the window needs; values
-- come as parameters ($start, $end). Times are TIMESTAMP WITH TIME ZONE, read and given as UTC.

-- name: candidates
-- Ids of tasks with any event in the window. The fold then decides what the event means.
CREATE OR REPLACE TEMP TABLE candidate AS
SELECT task_id, bool_or(type = 'task-sent') AS has_sent,
       bool_or(type IN ('task-succeeded', 'task-failed', 'task-revoked')) AS has_end
FROM read_parquet({files}, union_by_name = true, hive_partitioning = false)
WHERE task_id IS NOT NULL AND "at" >= $start AND "at" < $end
GROUP BY task_id;

-- name: open_ends
-- Whether some candidate's events may also lie in days before, or after, those already read.
SELECT coalesce(bool_or(NOT has_sent), false) AS before, coalesce(bool_or(NOT has_end), false) AS after
FROM candidate;

-- name: tasks
-- One record a task: its last attempt, since a retry sends the same id again with a higher `retries`.
-- Every aggregate is a minimum, a maximum or a list that is sorted afterwards, so neither the order of
-- the events nor a duplicate can change the record, and a lost event leaves its own fields empty.
WITH event AS (
    SELECT e.*
    FROM read_parquet({files}, union_by_name = true, hive_partitioning = false) e
    SEMI JOIN candidate USING (task_id)
),
attempt AS (
    SELECT task_id, max(retries) FILTER (type IN ('task-sent', 'task-received')) AS retries
    FROM event GROUP BY task_id
),
gathered AS (
    SELECT
        task_id,
        any_value(a.retries) AS retries,
        max(e.name) AS name,
        max(e.parent_id) AS parent_id,
        max(e.root_id) AS root_id,
        max(e.entry) AS entry,
        max({{'moment': "at", 'queue': e.queue}}) FILTER (type = 'task-sent' AND e.queue IS NOT NULL).queue AS queue,
        max({{'moment': "at", 'args': e.args}}) FILTER (e.args IS NOT NULL).args AS args,
        max({{'moment': "at", 'kwargs': e.kwargs}}) FILTER (e.kwargs IS NOT NULL).kwargs AS kwargs,
        max("at") FILTER (type = 'task-sent' AND coalesce(e.retries, 0) = coalesce(a.retries, 0)) AS sent,
        max("at") FILTER (type = 'task-received' AND coalesce(e.retries, 0) = coalesce(a.retries, 0)) AS received,
        max(eta) FILTER (coalesce(e.retries, 0) = coalesce(a.retries, 0)) AS eta,
        max(expires) FILTER (coalesce(e.retries, 0) = coalesce(a.retries, 0)) AS expires,
        list({{'moment': "at", 'worker': hostname}}) FILTER (type = 'task-started') AS starts,
        max({{'moment': "at", 'worker': hostname}}) FILTER (type = 'task-retried') AS retried,
        -- The time decides; the rank only settles equal times.
        max({{'moment': "at", 'rank': CASE type WHEN 'task-succeeded' THEN 3 WHEN 'task-failed' THEN 2 ELSE 1 END,
             'state': CASE type WHEN 'task-succeeded' THEN 'SUCCESS' WHEN 'task-failed' THEN 'FAILURE'
                      ELSE 'REVOKED' END,
             'worker': hostname, 'exception': exception, 'traceback': traceback}})
            FILTER (type IN ('task-succeeded', 'task-failed', 'task-revoked')) AS ended,
        max({{'moment': "at", 'rank': CASE type WHEN 'task-rejected' THEN 4 WHEN 'task-retried' THEN 3
                                WHEN 'task-started' THEN 2 ELSE 1 END,
             'state': CASE type WHEN 'task-rejected' THEN 'REJECTED' WHEN 'task-retried' THEN 'RETRY'
                      WHEN 'task-started' THEN 'STARTED' ELSE 'RECEIVED' END,
             'worker': hostname, 'exception': exception, 'traceback': traceback, 'requeue': requeue}})
            FILTER (type IN ('task-received', 'task-started', 'task-retried', 'task-rejected')) AS latest
    FROM event e JOIN attempt a USING (task_id)
    GROUP BY task_id
),
-- A task that ran twice (redelivered, or its worker died) was started more than once: the start that
-- belongs to its end is the last one before it.
begun AS (
    SELECT *, list_max(CASE WHEN ended IS NULL THEN starts
                            ELSE list_filter(starts, lambda s: s.moment <= ended.moment) END) AS start_
    FROM gathered
),
-- A start that the same worker followed by a retry was the attempt before this one.
current_start AS (
    SELECT *, CASE WHEN retries > 0 AND start_.worker = retried.worker AND retried.moment > start_.moment
                   THEN NULL ELSE start_ END AS start
    FROM begun
),
record AS (
    SELECT
        task_id, name, queue,
        coalesce(ended.worker, start.worker, latest.worker) AS worker,
        coalesce(ended.state, latest.state, 'PENDING') AS state,
        sent, eta, expires, received,
        start.moment AS started,
        CASE WHEN ended IS NOT NULL THEN ended.moment
             WHEN latest.state = 'REJECTED' AND NOT coalesce(latest.requeue, false) THEN latest.moment END AS finished,
        retries,
        CASE coalesce(ended.state, latest.state)
             WHEN 'FAILURE' THEN ended.exception WHEN 'RETRY' THEN latest.exception END AS exception,
        CASE coalesce(ended.state, latest.state)
             WHEN 'FAILURE' THEN ended.traceback WHEN 'RETRY' THEN latest.traceback END AS traceback,
        args, kwargs, parent_id, root_id, entry
    FROM current_start
)
SELECT
    task_id, name, queue, worker, state, sent, eta, expires, received, started, finished,
    -- greatest() passes over a missing eta; without `sent` the wait is not known.
    CASE WHEN sent IS NOT NULL AND started IS NOT NULL
         THEN greatest(epoch_us(started) - epoch_us(greatest(sent, eta)), 0) / 1e6 END AS queue_wait,
    (epoch_us(finished) - epoch_us(started)) / 1e6 AS run_time,
    retries, exception, traceback, args, kwargs, parent_id, root_id, entry
FROM record
WHERE ((sent >= $start AND sent < $end) OR (received >= $start AND received < $end)
       OR (started >= $start AND started < $end) OR (finished >= $start AND finished < $end))
  AND ($name IS NULL OR list_contains($name, name))
  AND ($queue IS NULL OR list_contains($queue, queue))
  AND ($worker IS NULL OR list_contains($worker, worker))
  AND ($state IS NULL OR list_contains($state, state))
ORDER BY coalesce(sent, received, started, finished), task_id;

-- name: any_task
SELECT 1 FROM read_parquet({files}, union_by_name = true, hive_partitioning = false) WHERE task_id IS NOT NULL LIMIT 1;

-- name: depths
SELECT DISTINCT "at", queue, ready, unacked, consumers
FROM read_parquet({files}, union_by_name = true, hive_partitioning = false)
WHERE "at" >= $start AND "at" < $end AND ($queue IS NULL OR list_contains($queue, queue))
ORDER BY "at", queue;

-- name: workers
-- The smallest offset of a heartbeat that came twice: the second coming only waited longer.
SELECT "at", hostname AS worker, max(active) AS active, max(processed) AS processed, max(load1) AS load1,
       pid, max(sw_ver) AS sw_ver, max(freq) AS freq,
       min(epoch_us(received) - epoch_us("at")) / 1e6 AS clock_offset
FROM read_parquet({files}, union_by_name = true, hive_partitioning = false)
WHERE type IN ('worker-heartbeat', 'worker-online') AND hostname IS NOT NULL AND "at" >= $start AND "at" < $end
GROUP BY "at", hostname, pid
ORDER BY "at", worker;

-- name: extent
SELECT min("at") AS first, max("at") AS last FROM read_parquet({files}, union_by_name = true, hive_partitioning = false);
