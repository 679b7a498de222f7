-- Units of value that workloads delivered; copies of a fact count once.
WITH known AS (
  SELECT fact_id, min(kind) AS kind, min(workload) AS workload_profile, min(name) AS name, min(quantity) AS quantity
  FROM facts
  WHERE kind = 'value_units'
    AND event_date >= /*from*/DATE '1970-01-01'/*end*/
    AND event_date <= /*to*/DATE '2261-12-31'/*end*/
    AND received_at <= /*as of*/TIMESTAMPTZ '2262-01-01 00:00:00+00'/*end*/
  GROUP BY fact_id
)
SELECT workload_profile, name, sum(quantity) AS units
FROM known
GROUP BY workload_profile, name
ORDER BY workload_profile, name
