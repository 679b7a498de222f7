-- How far the figures can be relied on: every charge under its value of each aspect, and under each of its flags.
WITH picked AS (
  SELECT *, event_date AS day,
         CAST(date_trunc('week', event_date) AS DATE) AS week,
         CAST(date_trunc('month', event_date) AS DATE) AS month,
         CAST(date_trunc('quarter', event_date) AS DATE) AS quarter
  FROM charges
  WHERE event_date >= /*from*/DATE '1970-01-01'/*end*/
    AND event_date <= /*to*/DATE '2261-12-31'/*end*/
    AND booked_at <= /*as of*/TIMESTAMPTZ '2262-01-01 00:00:00+00'/*end*/
),
judged AS (
  SELECT /*by*/source,/*end*/ currency, requests, effective_cost, 'pricing_status' AS aspect, pricing_status AS value FROM picked
  UNION ALL
  SELECT /*by*/source,/*end*/ currency, requests, effective_cost, 'attribution_confidence' AS aspect, attribution_confidence AS value FROM picked
  UNION ALL
  SELECT /*by*/source,/*end*/ currency, requests, effective_cost, 'identity' AS aspect, identity AS value FROM picked
  UNION ALL
  SELECT /*by*/source,/*end*/ currency, requests, effective_cost, 'cost_basis' AS aspect, cost_basis AS value FROM picked
  UNION ALL
  SELECT /*by*/source,/*end*/ currency, requests, effective_cost, 'flag' AS aspect, unnest(flags) AS value FROM picked
)
SELECT /*by*/source,/*end*/ currency, aspect, value,
       sum(requests) AS requests,
       sum(effective_cost) AS effective_cost
FROM judged
GROUP BY /*by*/source,/*end*/ currency, aspect, value
HAVING sum(requests) <> 0 OR coalesce(sum(effective_cost), 0) <> 0
ORDER BY currency, /*time*//*end*/ aspect, requests DESC, effective_cost DESC NULLS LAST, /*by*/source,/*end*/ value
