-- What arrived after its hour or day had ended and the grace had passed: 1 hour and 6 hours, unless aggregate is told
-- otherwise. Only what arrived counts, not what corrected it later. In DuckDB: SET TimeZone = 'UTC'.
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
SELECT /*by*/source,/*end*/ currency,
       sum(requests) AS requests,
       sum(effective_cost) AS effective_cost,
       coalesce(sum(requests) FILTER (WHERE received_at >= date_trunc('hour', event_time) + INTERVAL '2' HOUR), 0)
         AS late_for_hour_requests,
       sum(effective_cost) FILTER (WHERE received_at >= date_trunc('hour', event_time) + INTERVAL '2' HOUR)
         AS late_for_hour_cost,
       coalesce(sum(requests) FILTER (WHERE received_at >= date_trunc('day', event_time) + INTERVAL '30' HOUR), 0)
         AS late_for_day_requests,
       sum(effective_cost) FILTER (WHERE received_at >= date_trunc('day', event_time) + INTERVAL '30' HOUR)
         AS late_for_day_cost
FROM picked
WHERE class = 'original'
GROUP BY /*by*/source,/*end*/ currency
ORDER BY currency, /*time*//*end*/ late_for_hour_requests DESC, requests DESC, /*by*/source,/*end*/ effective_cost
