-- Units of value that workloads delivered. Of the copies of a fact the one that arrived first counts, whole. What states no
-- workload, which ingest calls `default`, stands beside the calls that state none.
WITH known AS (
  SELECT nullif(workload, 'default') AS workload_profile, name, quantity
  FROM (
    SELECT *, row_number() OVER (
      PARTITION BY fact_id ORDER BY received_at, raw_topic, raw_partition, raw_offset, raw_item) AS place
    FROM facts
    WHERE kind = 'value_units'
      AND event_date >= /*from*/DATE '1970-01-01'/*end*/
      AND event_date <= /*to*/DATE '2261-12-31'/*end*/
      AND received_at <= /*as of*/TIMESTAMPTZ '2262-01-01 00:00:00+00'/*end*/
  ) AS copies
  WHERE place = 1
)
SELECT workload_profile, name, sum(quantity) AS units
FROM known
GROUP BY workload_profile, name
ORDER BY workload_profile, name
