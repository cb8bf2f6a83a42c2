-- The history's statements, by name. Values come as parameters ($start, $end); what stands in braces is
-- filled in by Python: table expressions and file lists, never a caller's text. Times are TIMESTAMP WITH
-- TIME ZONE, read and given as UTC.
--
-- Three forms of what is known of a task:
--   event    one row an event, as a recorder wrote it
--   partial  one row a task id. Every field is a maximum, or a set: merging partial rows is associative,
--            commutative and idempotent, so any order, duplication and splitting of events gives the same.
--            What a later merge can never need again is pruned, always by the same rule.
--   record   one row a task, as people see it, and with it (columns that begin with "more_") what is
--            needed to get the partial row back. It is a pure function of the partial row.

-- name: partials_of_events
SELECT
    task_id,
    CASE WHEN told AND retries > 0 THEN retries WHEN told AND retries = 0 THEN 0 END AS retries,
    -- Of a task that its worker does not know, nothing but this error tells the name.
    coalesce(name, CASE WHEN type = 'task-failed' THEN nullif(
        regexp_extract(exception, '^NotRegistered\([''"](.+)[''"]\)$', 1), '') END) AS name,
    parent_id, root_id, entry,
    CASE WHEN type = 'task-sent' AND queue IS NOT NULL
         THEN struct_pack(moment := "at", "text" := queue) END AS queue,
    CASE WHEN args IS NOT NULL THEN struct_pack(moment := "at", "text" := args) END AS args,
    CASE WHEN kwargs IS NOT NULL THEN struct_pack(moment := "at", "text" := kwargs) END AS kwargs,
    CASE WHEN type = 'task-sent' THEN struct_pack(attempt := attempt, moment := "at") END AS sent,
    CASE WHEN type = 'task-received' THEN struct_pack(attempt := attempt, moment := "at") END AS received,
    CASE WHEN told AND eta IS NOT NULL THEN struct_pack(attempt := attempt, moment := eta) END AS eta,
    CASE WHEN told AND expires IS NOT NULL THEN struct_pack(attempt := attempt, moment := expires) END AS expires,
    CASE WHEN type = 'task-started' THEN [struct_pack(moment := "at", worker := hostname)] END AS starts,
    CASE WHEN type = 'task-retried' THEN struct_pack(moment := "at", worker := hostname) END AS retried,
    -- The time decides; the rank only settles equal times.
    CASE WHEN type IN ('task-succeeded', 'task-failed', 'task-revoked') THEN struct_pack(
        moment := "at",
        rank := CASE type WHEN 'task-succeeded' THEN 3 WHEN 'task-failed' THEN 2 ELSE 1 END,
        state := CASE type WHEN 'task-succeeded' THEN 'SUCCESS' WHEN 'task-failed' THEN 'FAILURE' ELSE 'REVOKED' END,
        worker := hostname,
        exception := CASE WHEN type = 'task-failed' THEN exception END,
        traceback := CASE WHEN type = 'task-failed' THEN traceback END) END AS ended,
    CASE WHEN type IN ('task-received', 'task-started', 'task-retried', 'task-rejected') THEN struct_pack(
        moment := "at",
        rank := CASE type WHEN 'task-rejected' THEN 4 WHEN 'task-retried' THEN 3 WHEN 'task-started' THEN 2 ELSE 1 END,
        state := CASE type WHEN 'task-rejected' THEN 'REJECTED' WHEN 'task-retried' THEN 'RETRY'
                 WHEN 'task-started' THEN 'STARTED' ELSE 'RECEIVED' END,
        worker := hostname,
        exception := CASE WHEN type = 'task-retried' THEN exception END,
        traceback := CASE WHEN type = 'task-retried' THEN traceback END,
        requeue := type = 'task-rejected' AND coalesce(requeue, false)) END AS latest
FROM (
    SELECT *, type IN ('task-sent', 'task-received') AS told, greatest(coalesce(retries, 0), 0) AS attempt
    FROM {events} WHERE task_id IS NOT NULL
)

-- name: partials_of_records
SELECT
    task_id, retries, name, parent_id, root_id, entry,
    CASE WHEN queue IS NOT NULL THEN struct_pack(moment := coalesce(more_queue_at, sent), "text" := queue) END AS queue,
    CASE WHEN args IS NOT NULL THEN struct_pack(moment := coalesce(more_args_at, received), "text" := args) END AS args,
    CASE WHEN kwargs IS NOT NULL
         THEN struct_pack(moment := coalesce(more_kwargs_at, received), "text" := kwargs) END AS kwargs,
    CASE WHEN sent IS NOT NULL THEN struct_pack(attempt := coalesce(retries, 0), moment := sent) END AS sent,
    CASE WHEN received IS NOT NULL THEN struct_pack(attempt := coalesce(retries, 0), moment := received) END AS received,
    CASE WHEN eta IS NOT NULL THEN struct_pack(attempt := coalesce(retries, 0), moment := eta) END AS eta,
    CASE WHEN expires IS NOT NULL THEN struct_pack(attempt := coalesce(retries, 0), moment := expires) END AS expires,
    CASE WHEN more_starts IS NOT NULL THEN more_starts
         WHEN started IS NOT NULL THEN [struct_pack(moment := started, worker := worker)] END AS starts,
    more_retried AS retried,
    CASE WHEN state IN ('SUCCESS', 'FAILURE', 'REVOKED') THEN struct_pack(
        moment := finished,
        rank := CASE state WHEN 'SUCCESS' THEN 3 WHEN 'FAILURE' THEN 2 ELSE 1 END,
        state := state, worker := worker, exception := exception, traceback := traceback) END AS ended,
    more_latest AS latest
FROM {records}

-- name: merged
-- One partial row a task id, of any number of them.
SELECT
    task_id, retries, name, parent_id, root_id, entry, queue, args, kwargs,
    CASE WHEN sent.attempt = coalesce(retries, 0) THEN sent END AS sent,
    CASE WHEN received.attempt = coalesce(retries, 0) THEN received END AS received,
    CASE WHEN eta.attempt = coalesce(retries, 0) THEN eta END AS eta,
    CASE WHEN expires.attempt = coalesce(retries, 0) THEN expires END AS expires,
    -- Of the starts before the end only the last one can still matter: an end only ever moves later.
    CASE WHEN ended IS NULL OR len(starts) = 1 THEN starts
         ELSE list_filter(starts, lambda s: s.moment > ended.moment
              OR s = list_max(list_filter(starts, lambda t: t.moment <= ended.moment))) END AS starts,
    retried, ended,
    CASE WHEN ended IS NULL THEN latest END AS latest
FROM (
    SELECT * REPLACE (CASE WHEN len(starts) = 1 THEN starts[1] ELSE list_sort(list_distinct(flatten(starts))) END AS starts)
    FROM (
        SELECT task_id, max(retries) AS retries, max(name) AS name, max(parent_id) AS parent_id,
               max(root_id) AS root_id, max(entry) AS entry, max(queue) AS queue, max(args) AS args,
               max(kwargs) AS kwargs, max(sent) AS sent, max(received) AS received, max(eta) AS eta,
               max(expires) AS expires, list(starts) FILTER (starts IS NOT NULL) AS starts,
               max(retried) AS retried, max(ended) AS ended, max(latest) AS latest
        FROM ({partials}) GROUP BY task_id
    )
)

-- name: records
-- A task that ran twice (redelivered, or its worker died) was started more than once: the start that
-- belongs to its end is the last one before it. A start that the same worker followed by a retry was the
-- attempt before this one.
SELECT
    task_id, name, queue, worker, state, sent, eta, expires, received, started, finished,
    -- greatest() passes over a missing eta; without `sent` the wait is not known.
    CASE WHEN sent IS NOT NULL AND started IS NOT NULL
         THEN greatest(epoch_us(started) - epoch_us(greatest(sent, eta)), 0) / 1e6 END AS queue_wait,
    (epoch_us(finished) - epoch_us(started)) / 1e6 AS run_time,
    retries, exception, traceback, args, kwargs, parent_id, root_id, entry,
    CASE WHEN queue_at = sent THEN NULL ELSE queue_at END AS more_queue_at,
    CASE WHEN args_at = received THEN NULL ELSE args_at END AS more_args_at,
    CASE WHEN kwargs_at = received THEN NULL ELSE kwargs_at END AS more_kwargs_at,
    CASE WHEN starts = [struct_pack(moment := started, worker := worker)] THEN NULL ELSE starts END AS more_starts,
    retried AS more_retried,
    latest AS more_latest
FROM (
    SELECT
        task_id, name, queue."text" AS queue, queue.moment AS queue_at,
        CASE WHEN ended IS NOT NULL THEN ended.worker ELSE coalesce(start.worker, latest.worker) END AS worker,
        coalesce(ended.state, latest.state, 'PENDING') AS state,
        sent.moment AS sent, eta.moment AS eta, expires.moment AS expires, received.moment AS received,
        start.moment AS started,
        CASE WHEN ended IS NOT NULL THEN ended.moment
             WHEN latest.state = 'REJECTED' AND NOT latest.requeue THEN latest.moment END AS finished,
        retries,
        CASE WHEN ended IS NOT NULL THEN ended.exception
             WHEN latest.state = 'RETRY' THEN latest.exception END AS exception,
        CASE WHEN ended IS NOT NULL THEN ended.traceback
             WHEN latest.state = 'RETRY' THEN latest.traceback END AS traceback,
        args."text" AS args, args.moment AS args_at, kwargs."text" AS kwargs, kwargs.moment AS kwargs_at,
        parent_id, root_id, entry, starts, retried, latest
    FROM (
        SELECT *, CASE WHEN retries > 0 AND start_.worker = retried.worker AND retried.moment > start_.moment
                       THEN NULL ELSE start_ END AS start
        FROM (
            SELECT *, CASE WHEN ended IS NULL OR len(starts) = 0 THEN list_max(starts)
                           ELSE list_max(list_filter(starts, lambda s: s.moment <= ended.moment)) END AS start_
            FROM {partials}
        )
    )
)

-- name: moments
-- The first and the last moment of which a partial row knows; NULLs are passed over.
SELECT task_id,
       least(sent.moment, received.moment, list_min(starts).moment, retried.moment, ended.moment, latest.moment,
             queue.moment, args.moment, kwargs.moment) AS earliest,
       greatest(sent.moment, received.moment, list_max(starts).moment, retried.moment, ended.moment, latest.moment,
                queue.moment, args.moment, kwargs.moment) AS newest
FROM {partials}

-- name: fresh
-- What the new events say, an id once.
CREATE OR REPLACE TEMP TABLE fresh AS {merged};

-- name: unsure
-- Ids that are not in flight, and how far back a settled record of the same id may have finished. An id of
-- Celery's own making whose first attempt was sent just now can only be known by these same events, delivered twice.
CREATE OR REPLACE TEMP TABLE unsure AS
SELECT task_id, coalesce(earliest, $now) - CASE WHEN sent.attempt = 0 AND length(task_id) = 36
                                           THEN INTERVAL 1 MINUTE ELSE INTERVAL 7 DAY END AS bound,
       NOT coalesce(sent.attempt = 0 AND length(task_id) = 36, false) AS strange
FROM fresh JOIN ({moments}) USING (task_id)
WHERE task_id NOT IN (SELECT task_id FROM {base});

-- name: bounds
SELECT epoch_us(min(bound)) AS bound, coalesce(bool_or(strange), false) AS strange FROM unsure;

-- name: found
-- Settled records of those ids, back in the form that merges.
CREATE OR REPLACE TEMP TABLE found AS
SELECT p.*, segment FROM ({partials}) p JOIN (SELECT task_id, segment FROM settled) USING (task_id);

-- name: settled
CREATE OR REPLACE TEMP TABLE settled AS
SELECT * RENAME (filename AS segment)
FROM read_parquet({files}, filename = true, hive_partitioning = false) SEMI JOIN unsure USING (task_id)
WHERE finished IS NULL OR finished >= $bound;

-- name: doubles
-- Tasks that lie in several files, or are also in flight.
CREATE OR REPLACE TEMP TABLE settled AS
SELECT * RENAME (filename AS segment) FROM read_parquet({files}, filename = true, hive_partitioning = false)
WHERE task_id IN (
    SELECT task_id FROM read_parquet({files}, hive_partitioning = false) GROUP BY task_id HAVING count(*) > 1
    UNION ALL SELECT task_id FROM fresh);

-- name: none_found
CREATE OR REPLACE TEMP TABLE found AS SELECT *, NULL::VARCHAR AS segment FROM fresh LIMIT 0;

-- name: task
-- In flight and new together; rows in flight of which nothing new is known are taken as they are.
CREATE OR REPLACE TEMP TABLE task AS
{merged}
UNION ALL BY NAME
SELECT * FROM {base} ANTI JOIN fresh USING (task_id);

-- name: to_merge
SELECT * FROM fresh
UNION ALL BY NAME SELECT * FROM {base} SEMI JOIN fresh USING (task_id)
UNION ALL BY NAME SELECT * EXCLUDE (segment) FROM found

-- name: judged
-- Ended tasks settle once nothing more is expected; the others when nothing was heard of them for long.
CREATE OR REPLACE TEMP TABLE judged AS
SELECT r.*, coalesce(r.finished, newest, $now) AS closed, r.finished IS NOT NULL AS ended
FROM ({records}) r JOIN ({moments}) USING (task_id)
WHERE (r.finished IS NOT NULL AND coalesce(newest, $now) < $now - INTERVAL 10 SECOND)
   OR greatest(newest, r.eta, TIMESTAMPTZ 'epoch') < $now - INTERVAL 7 DAY;

-- name: judged_days
SELECT (closed AT TIME ZONE 'UTC')::DATE AS day, ended, count(*) AS tasks FROM judged GROUP BY ALL ORDER BY ALL;

-- name: judged_day
SELECT * EXCLUDE (closed, ended) FROM judged
WHERE ended = {ended} AND (closed AT TIME ZONE 'UTC')::DATE = {day} ORDER BY closed, task_id

-- name: in_flight
SELECT * FROM task ANTI JOIN judged USING (task_id)

-- name: without_found
SELECT * FROM read_parquet({files}, hive_partitioning = false) ANTI JOIN found USING (task_id)
ORDER BY coalesce(finished, started, received, sent), task_id

-- name: others
-- Heartbeats, and whatever else is no event of a task's own life.
SELECT * FROM {events}
WHERE NOT (task_id IS NOT NULL AND type IN ('task-sent', 'task-received', 'task-started', 'task-succeeded',
           'task-failed', 'task-revoked', 'task-retried', 'task-rejected'))

-- name: kept_days
SELECT ("at" AT TIME ZONE 'UTC')::DATE AS day, count(*) AS n FROM {rows} GROUP BY ALL ORDER BY ALL;

-- name: kept_day
SELECT DISTINCT * FROM {rows} WHERE ("at" AT TIME ZONE 'UTC')::DATE = {day} ORDER BY "at"

-- name: joined_tasks
SELECT * FROM read_parquet({files}, hive_partitioning = false)
ORDER BY coalesce(finished, started, received, sent), task_id

-- name: joined_rows
SELECT DISTINCT * FROM {rows} ORDER BY "at"

-- name: extent_tasks
SELECT count(*) AS n, epoch_us(min(least(sent, received, started, finished))) AS first,
       epoch_us(max(greatest(sent, received, started, finished))) AS last,
       epoch_us(min(finished)) AS low, epoch_us(max(finished)) AS high
FROM {rows}

-- name: extent_open
SELECT count(*) AS n, epoch_us(min(earliest)) AS first, epoch_us(max(newest)) AS last, NULL AS low, NULL AS high
FROM ({moments})

-- name: extent_rows
SELECT count(*) AS n, epoch_us(min("at")) AS first, epoch_us(max("at")) AS last, NULL AS low, NULL AS high FROM {rows}

-- name: tasks
SELECT task_id, name, queue, worker, state, sent, eta, expires, received, started, finished, queue_wait, run_time,
       retries, exception, traceback, args, kwargs, parent_id, root_id, entry
FROM {tasks}
WHERE ((sent >= $start AND sent < $end) OR (received >= $start AND received < $end)
       OR (started >= $start AND started < $end) OR (finished >= $start AND finished < $end))
  AND ($name IS NULL OR list_contains($name, name))
  AND ($queue IS NULL OR list_contains($queue, queue))
  AND ($worker IS NULL OR list_contains($worker, worker))
  AND ($state IS NULL OR list_contains($state, state))
ORDER BY coalesce(sent, received, started, finished), task_id;

-- name: depths
SELECT "at", queue, ready, unacked, consumers, rate_in, rate_out
FROM {depths}
WHERE "at" >= $start AND "at" < $end AND ($queue IS NULL OR list_contains($queue, queue))
ORDER BY "at", queue;

-- name: beats
-- The smallest offset of a heartbeat that came twice: the second coming only waited longer.
SELECT "at", hostname AS worker, max(active) AS active, max(processed) AS processed, max(load1) AS load1,
       pid, max(sw_ver) AS sw_ver, max(freq) AS freq,
       min(epoch_us(received) - epoch_us("at")) / 1e6 AS clock_offset
FROM {heartbeats}
WHERE type IN ('worker-heartbeat', 'worker-online') AND hostname IS NOT NULL
GROUP BY "at", hostname, pid

-- name: workers
SELECT * FROM {beats} WHERE "at" >= $start AND "at" < $end ORDER BY "at", worker;
