-- The frames' statements, by name. {tasks}, {depths} and {beats} are what the history holds: one row a
-- task, a depth sample, a heartbeat. {where} is the filters, {groups} the columns to group by; both name
-- columns only. Whatever a caller wrote comes as a parameter. Times are TIMESTAMP WITH TIME ZONE in UTC.

-- name: frame_records
SELECT {columns}, {matched} AS entry_matched
FROM {tasks}
WHERE {touched} AND {where}
ORDER BY coalesce(sent, received, started, finished) {direction}, task_id {direction}
LIMIT $rows;

-- name: frame_summary
SELECT state, count(*) AS count, count(*) / sum(count(*)) OVER () AS share
FROM {tasks}
WHERE {touched} AND {where}
GROUP BY state
ORDER BY count DESC, state;

-- name: frame_headline
-- Among equal waits the last name is taken, at every run the same.
SELECT tasks, succeeded, failed, retried, revoked, unfinished, queue_wait_p95,
       slowest.wait AS queue_wait_max, slowest.name AS slowest, slowest.queue AS slowest_queue
FROM (
    SELECT count(*) AS tasks,
           count(*) FILTER (state = 'SUCCESS') AS succeeded,
           count(*) FILTER (state = 'FAILURE') AS failed,
           count(*) FILTER (retries > 0) AS retried,
           count(*) FILTER (state IN ('REVOKED', 'REJECTED')) AS revoked,
           count(*) FILTER (state NOT IN ('SUCCESS', 'FAILURE', 'REVOKED', 'REJECTED')) AS unfinished,
           quantile_cont(queue_wait, 0.95) AS queue_wait_p95,
           max(struct_pack(wait := queue_wait, name := name, queue := queue)) FILTER (queue_wait IS NOT NULL) AS slowest
    FROM {tasks}
    WHERE {touched} AND {where}
);

-- name: frame_latency
SELECT {names} count, failures, failures / count AS failure_share,
       queue_wait[1] AS queue_wait_p50,
       queue_wait[2] AS queue_wait_p90,
       queue_wait[3] AS queue_wait_p95,
       queue_wait[4] AS queue_wait_p99,
       queue_wait_max,
       run_time[1] AS run_time_p50,
       run_time[2] AS run_time_p90,
       run_time[3] AS run_time_p95,
       run_time[4] AS run_time_p99,
       run_time_max
FROM (
    SELECT {groups}
           count(*) AS count,
           count(*) FILTER (state = 'FAILURE') AS failures,
           quantile_cont(queue_wait, [0.5, 0.9, 0.95, 0.99]) AS queue_wait,
           max(queue_wait) AS queue_wait_max,
           quantile_cont(run_time, [0.5, 0.9, 0.95, 0.99]) AS run_time,
           max(run_time) AS run_time_max
    FROM {tasks}
    WHERE finished >= $start AND finished < $end AND {where}
    GROUP BY ALL
    HAVING count(*) > 0
)
ORDER BY {first} queue_wait_p95 DESC NULLS LAST, run_time_p95 DESC NULLS LAST, {names} count;

-- name: frame_throughput
SELECT {names} sum(sent)::BIGINT AS sent, sum(received)::BIGINT AS received,
       sum(started)::BIGINT AS started, sum(finished)::BIGINT AS finished
FROM (
    SELECT {sent_groups} count(*) AS sent, 0 AS received, 0 AS started, 0 AS finished
    FROM {tasks} WHERE sent >= $start AND sent < $end AND {where} GROUP BY ALL
    UNION ALL
    SELECT {received_groups} 0, count(*), 0, 0
    FROM {tasks} WHERE received >= $start AND received < $end AND {where} GROUP BY ALL
    UNION ALL
    SELECT {started_groups} 0, 0, count(*), 0
    FROM {tasks} WHERE started >= $start AND started < $end AND {where} GROUP BY ALL
    UNION ALL
    SELECT {finished_groups} 0, 0, 0, count(*)
    FROM {tasks} WHERE finished >= $start AND finished < $end AND {where} GROUP BY ALL
)
GROUP BY ALL;

-- name: frame_failures
SELECT coalesce(nullif(regexp_extract(exception, '^\s*([\pL\pN_.]+)', 1), ''), 'unknown') AS error,
       name,
       arg_max(queue, (finished, task_id)) AS queue,
       count(*) AS count,
       min(finished) AS first,
       max(finished) AS last,
       arg_max(coalesce(exception, 'unknown'), (finished, task_id)) AS example
FROM {tasks}
WHERE finished >= $start AND finished < $end AND state = 'FAILURE' AND {where}
GROUP BY error, name
ORDER BY count DESC, error, name;

-- name: frame_inflight
WITH begun AS (
    SELECT task_id, name, queue, worker,
           CASE WHEN state = 'RETRY' THEN 'RETRY'
                WHEN started < $end THEN 'STARTED'
                WHEN received < $end THEN 'RECEIVED'
                ELSE 'PENDING' END AS state,
           retries, entry, sent, eta, received,
           CASE WHEN started < $end THEN started END AS started,
           least(sent, received, started) AS begun
    FROM {tasks}
    WHERE (finished IS NULL OR finished >= $end)
      AND least(sent, received, started) < $end
      AND greatest(sent, received, started) >= $start
)
SELECT * EXCLUDE (begun, entry), entry, (epoch_us($end) - epoch_us(begun)) / 1e6 AS age
FROM begun
WHERE {where}
ORDER BY begun, task_id
LIMIT $rows;

-- name: frame_first_depth
SELECT min("at") AS first FROM {depths} WHERE "at" >= $start AND "at" < $end AND {where};

-- name: frame_depth
SELECT queue, {bucket} AS bucket, max(ready) AS ready, max(unacked) AS unacked, min(consumers) AS consumers,
       avg(rate_in) AS rate_in, avg(rate_out) AS rate_out, count(DISTINCT "at") AS samples
FROM {depths}
WHERE "at" >= $start AND "at" < $end AND {where}
GROUP BY ALL;

-- name: frame_peaks
SELECT queue, max(ready) AS peak,
       min("at") FILTER (ready = highest) AS peak_at,
       arg_max(ready, ("at", ready)) AS last,
       avg((ready > 0)::INTEGER) AS busy_share
FROM (
    SELECT queue, "at", ready, max(ready) OVER (PARTITION BY queue) AS highest
    FROM {depths}
    WHERE "at" >= $start AND "at" < $end AND ready IS NOT NULL AND {where}
)
GROUP BY queue
ORDER BY peak DESC, queue;

-- name: frame_seen
-- A counter that has fallen began again at 0 with its process, and all that it shows is new.
SELECT worker,
       min("at") AS first,
       max("at") AS last,
       (epoch_us($end) - epoch_us(max("at"))) / 1e6 AS silent,
       max(active) AS active,
       coalesce(sum(CASE WHEN processed >= before THEN processed - before ELSE processed END)
                FILTER (before IS NOT NULL), 0)::BIGINT AS processed,
       max(load1) AS load1,
       max(abs(clock_offset)) AS clock_offset,
       arg_max(sw_ver, ("at", sw_ver)) AS version
FROM (
    SELECT *, lag(processed IGNORE NULLS) OVER (PARTITION BY worker ORDER BY "at") AS before
    FROM {beats}
    WHERE "at" >= $start AND "at" < $end AND {where}
)
GROUP BY worker
ORDER BY worker;

-- name: frame_slowest
SELECT task_id, name, queue, worker, state, started, finished, queue_wait, run_time, retries, args, kwargs
FROM {tasks}
WHERE finished >= $start AND finished < $end AND {measure} IS NOT NULL AND {where}
ORDER BY {measure} DESC, task_id
LIMIT $rows;

-- name: frame_failed
SELECT task_id, name, queue, worker, finished, run_time, retries, exception, traceback, args, kwargs
FROM {tasks}
WHERE finished >= $start AND finished < $end AND state = 'FAILURE' AND {where}
  AND starts_with(coalesce(exception, ''), $error)
ORDER BY finished DESC, task_id
LIMIT $rows;

-- name: frame_objectives
-- A task counts in the window in which it started; one that has not, and is late already, was missed.
WITH counted AS (
    SELECT queue, queue_wait AS wait
    FROM {tasks}
    WHERE started >= $start AND started < $end AND queue_wait IS NOT NULL AND {where}
    UNION ALL
    SELECT queue, (epoch_us($end) - epoch_us(greatest(sent, eta))) / 1e6
    FROM {tasks}
    WHERE (started IS NULL OR started >= $end) AND (finished IS NULL OR finished >= $end)
      AND greatest(sent, eta) >= $start AND greatest(sent, eta) < $end AND {where}
      AND (epoch_us($end) - epoch_us(greatest(sent, eta))) / 1e6 > {limit}
)
SELECT queue, count(*) AS count, count(*) FILTER (wait <= {limit}) AS met
FROM counted
GROUP BY queue;

-- name: frame_dispatches
SELECT max(sent) AS last, count(*) AS count
FROM {tasks}
WHERE sent >= $start AND sent < $end AND entry IS NOT NULL;

-- name: frame_beats
-- A worker that begins again has a new process, or counts from 0.
SELECT worker, {bucket} AS bucket, max(active) AS active, max(load1) AS load1,
       sum(CASE WHEN begun THEN processed ELSE processed - before END)::BIGINT AS processed,
       count(*) FILTER (begun) AS restarts
FROM (
    SELECT *, processed < before OR pid != pid_before AS begun
    FROM (
        SELECT *, lag(processed IGNORE NULLS) OVER (PARTITION BY worker ORDER BY "at") AS before,
               lag(pid IGNORE NULLS) OVER (PARTITION BY worker ORDER BY "at") AS pid_before
        FROM {beats}
        WHERE "at" >= $start AND "at" < $end AND {where}
    )
)
GROUP BY ALL;

-- name: sent_by_nobody
-- Tasks that no task sent: what beat dispatched, and what people called.
SELECT task_id, name, sent, entry
FROM {tasks}
WHERE parent_id IS NULL AND sent >= $start AND sent < $end AND coalesce(retries, 0) = 0
  AND name IN (SELECT unnest($names));

-- name: frame_untold_reach
SELECT min(sent) AS first, max(sent) AS last
FROM {tasks}
WHERE entry IS NULL AND parent_id IS NULL AND sent < $end AND (finished IS NULL OR finished >= $start)
  AND name IN (SELECT unnest($names));

-- name: frame_untold
SELECT task_id, name, sent, parent_id, entry
FROM {tasks}
WHERE entry IS NULL AND parent_id IS NULL AND sent >= $start AND sent < $end
  AND name IN (SELECT unnest($names));

-- name: frame_told_near
-- Tasks that say which entry sent them, near the firings in question.
SELECT task_id, name, sent, parent_id, entry
FROM {tasks} AS task
SEMI JOIN (SELECT unnest($names) AS due_name, unnest($due) AS due) AS firing
    ON task.name = due_name
       AND sent >= due - to_microseconds(($early * 1e6)::BIGINT)
       AND sent <= due + to_microseconds(($late * 1e6)::BIGINT)
WHERE entry IS NOT NULL AND sent >= $start AND sent < $end;

-- name: frame_concluded
SELECT told.* REPLACE (coalesce(told.entry, concluded.entry) AS entry),
       told.entry IS NULL AND concluded.entry IS NOT NULL AS entry_matched
FROM {tasks} AS told
LEFT JOIN (SELECT unnest($concluded_tasks) AS task_id, unnest($concluded_entries) AS entry) AS concluded
    ON told.task_id = concluded.task_id;
