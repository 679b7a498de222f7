-- What nobody pays for: spend without a team.
WITH picked AS (
  SELECT *, event_date AS day,
         CAST(date_trunc('week', event_date) AS DATE) AS week,
         CAST(date_trunc('month', event_date) AS DATE) AS month,
         CAST(date_trunc('quarter', event_date) AS DATE) AS quarter
  FROM charges
  WHERE event_date >= /*from*/DATE '1970-01-01'/*end*/
    AND event_date <= /*to*/DATE '2261-12-31'/*end*/
    AND booked_at <= /*as of*/TIMESTAMPTZ '2262-01-01 00:00:00+00'/*end*/
)
SELECT /*by*/key_id, source,/*end*/ currency,
       sum(requests) AS requests,
       sum(effective_cost) AS effective_cost,
       sum(list_cost) AS list_cost,
       min(event_date) AS first_day,
       max(event_date) AS last_day
FROM picked
WHERE team IS NULL
GROUP BY /*by*/key_id, source,/*end*/ currency
HAVING sum(requests) <> 0 OR coalesce(sum(effective_cost), 0) <> 0
ORDER BY currency, /*time*//*end*/ effective_cost DESC NULLS LAST, requests DESC, /*by*/key_id, source,/*end*/ first_day
