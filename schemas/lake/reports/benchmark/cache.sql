-- What the calls that used a prompt cache would have cost without it, less what they cost with it, by workload profile. Both at
-- list prices, so that no contract is taken for a cache, and only of calls that are billed by use: no other saves by one.
WITH picked AS (
  SELECT * FROM charges
  WHERE event_date >= /*from*/DATE '1970-01-01'/*end*/
    AND event_date <= /*to*/DATE '2261-12-31'/*end*/
    AND booked_at <= /*as of*/TIMESTAMPTZ '2262-01-01 00:00:00+00'/*end*/
    AND charge_category = 'usage' AND class <> 'allocation'
    AND operation NOT IN ('gpu', 'credits', 'seat', 'ledger_entry')
)
SELECT /*by*/workload_profile,/*end*/ currency,
       sum(requests) AS compared_calls,
       sum(other['cost']) - sum(list_cost) AS cache_saved
FROM (SELECT *, unnest(counterfactuals) AS other FROM picked
      WHERE cost_basis = 'on_demand' AND effective_cost IS NOT NULL AND list_cost IS NOT NULL) AS each_other
WHERE other['kind'] = 'uncached' AND other['currency'] = currency
GROUP BY /*by*/workload_profile,/*end*/ currency
ORDER BY /*by*/workload_profile,/*end*/ currency
