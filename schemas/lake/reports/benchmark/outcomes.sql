-- What became of calls, as gateways and producers state it, by workload profile; copies of a fact count once.
WITH known AS (
  SELECT fact_id, min(kind) AS kind, min(workload) AS workload_profile, min(name) AS name, min(quantity) AS quantity
  FROM facts
  WHERE kind = 'outcome'
    AND event_date >= /*from*/DATE '1970-01-01'/*end*/
    AND event_date <= /*to*/DATE '2261-12-31'/*end*/
    AND received_at <= /*as of*/TIMESTAMPTZ '2262-01-01 00:00:00+00'/*end*/
  GROUP BY fact_id
)
SELECT /*by*/workload_profile,/*end*/ kind,
       sum(quantity) AS outcomes,
       coalesce(sum(quantity) FILTER (WHERE name = 'blocked'), 0) AS blocked,
       coalesce(sum(quantity) FILTER (WHERE name IN ('blocked', 'escalated')), 0) AS blocked_or_escalated
FROM known
GROUP BY /*by*/workload_profile,/*end*/ kind
ORDER BY /*by*/workload_profile,/*end*/ kind
