-- What became of calls, as gateways and producers state it, by workload profile. Their names are compared without case. Of the
-- copies of a fact the one that arrived first counts, whole. What states no workload, which ingest calls `default`, stands beside
-- the calls that state none.
WITH known AS (
  SELECT kind, nullif(workload, 'default') AS workload_profile, lower(name) AS name, quantity
  FROM (
    SELECT *, row_number() OVER (
      PARTITION BY fact_id ORDER BY received_at, raw_topic, raw_partition, raw_offset, raw_item) AS place
    FROM facts
    WHERE kind = 'outcome'
      AND event_date >= /*from*/DATE '1970-01-01'/*end*/
      AND event_date <= /*to*/DATE '2261-12-31'/*end*/
      AND received_at <= /*as of*/TIMESTAMPTZ '2262-01-01 00:00:00+00'/*end*/
  ) AS copies
  WHERE place = 1
)
SELECT /*by*/workload_profile,/*end*/ kind,
       sum(quantity) AS outcomes,
       coalesce(sum(quantity) FILTER (WHERE name = 'blocked'), 0) AS blocked,
       coalesce(sum(quantity) FILTER (WHERE name IN ('blocked', 'escalated')), 0) AS blocked_or_escalated
FROM known
GROUP BY /*by*/workload_profile,/*end*/ kind
ORDER BY /*by*/workload_profile,/*end*/ kind
