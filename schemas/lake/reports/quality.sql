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
-- Every charge has one value of each of these aspects: they are added up by all four at once, and told apart afterwards.
valued AS (
  SELECT /*by*/source,/*end*/ currency, pricing_status AS status_value, attribution_confidence AS confidence_value,
         identity AS identity_value, cost_basis AS basis_value, sum(requests) AS requests, sum(effective_cost) AS effective_cost
  FROM picked
  GROUP BY /*by*/source,/*end*/ currency, pricing_status, attribution_confidence, identity, cost_basis
),
judged AS (
  SELECT /*by*/source,/*end*/ currency, requests, effective_cost, aspect,
         CASE aspect WHEN 'pricing_status' THEN status_value WHEN 'attribution_confidence' THEN confidence_value
                     WHEN 'identity' THEN identity_value ELSE basis_value END AS value
  FROM (VALUES ('pricing_status'), ('attribution_confidence'), ('identity'), ('cost_basis')) AS aspects(aspect)
  CROSS JOIN valued
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
