-- What other choices would have cost, beside what was spent. A kind is a counterfactual of the charges; list_price is
-- what the same calls cost at public prices. Kinds overlap: do not add them up.
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
compared AS (
  SELECT /*by*/team,/*end*/ currency, requests, effective_cost, other['kind'] AS kind, other['cost'] AS other_cost,
         other['currency'] AS other_currency
  FROM (SELECT *, unnest(counterfactuals) AS other FROM picked WHERE effective_cost IS NOT NULL) AS each_other
  UNION ALL
  SELECT /*by*/team,/*end*/ currency, requests, effective_cost, 'list_price' AS kind, coalesce(list_cost, 0) AS other_cost,
         currency AS other_currency
  FROM picked
  WHERE effective_cost IS NOT NULL AND list_cost IS NOT NULL
)
SELECT /*by*/team,/*end*/ currency, kind,
       sum(requests) AS requests,
       sum(effective_cost) AS effective_cost,
       sum(other_cost) AS other_cost,
       sum(other_cost) - sum(effective_cost) AS saved
FROM compared
WHERE other_currency = currency
GROUP BY /*by*/team,/*end*/ currency, kind
ORDER BY currency, kind, saved DESC NULLS LAST, /*by*/team,/*end*/ requests
