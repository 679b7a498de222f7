-- What was used without a price, by meter and reason. A call counts once for each of its meters that has none.
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
SELECT /*by*/provider, model,/*end*/ currency, gap['meter'] AS meter, gap['reason'] AS reason,
       sum(requests) AS requests,
       sum(CASE WHEN class = 'reversal' THEN -gap['quantity'] ELSE gap['quantity'] END) AS quantity,
       min(event_date) AS first_day,
       max(event_date) AS last_day
FROM (SELECT *, unnest(unpriced) AS gap FROM picked WHERE pricing_status IN ('unpriced', 'partial')) AS each_gap
GROUP BY /*by*/provider, model,/*end*/ currency, gap['meter'], gap['reason']
HAVING sum(requests) <> 0 OR sum(CASE WHEN class = 'reversal' THEN -gap['quantity'] ELSE gap['quantity'] END) <> 0
ORDER BY currency, /*time*//*end*/ requests DESC, quantity DESC, /*by*/provider, model,/*end*/ meter, reason
