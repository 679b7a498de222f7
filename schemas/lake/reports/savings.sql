-- What other choices would have cost, beside the choice that was made: `saved` is `other_cost - compared_cost`. Both are list
-- prices, in the order route, batch or tier, cache, contract, each step with the later ones off. So what `baseline_model`,
-- `unbatched` or `standard_tier`, `uncached` and `list_price` (what contracts took off) saved adds up, and only calls that are
-- billed by use save anything: no seats, bills of machines, credits, entries of the ledger or shares of shared charges. Of the
-- other calls `retail` says what they would have cost at list; what a seat or a machine costs is not taken off it. `cheapest_equal_class` and `other_provider` are choices that were not made: where negative, they would save.
WITH picked AS (
  SELECT *, event_date AS day,
         CAST(date_trunc('week', event_date) AS DATE) AS week,
         CAST(date_trunc('month', event_date) AS DATE) AS month,
         CAST(date_trunc('quarter', event_date) AS DATE) AS quarter
  FROM charges
  WHERE event_date >= /*from*/DATE '1970-01-01'/*end*/
    AND event_date <= /*to*/DATE '2261-12-31'/*end*/
    AND booked_at <= /*as of*/TIMESTAMPTZ '2262-01-01 00:00:00+00'/*end*/
    AND charge_category = 'usage' AND class <> 'allocation'
    AND operation NOT IN ('gpu', 'credits', 'seat', 'ledger_entry')
),
-- A charge without a cache says nothing of it; else `uncached` stands first, and batch or tier after it.
stepped AS (
  SELECT *,
         CASE WHEN counterfactuals[1]['kind'] = 'uncached' THEN counterfactuals[1]['cost'] END AS uncached_cost,
         CASE WHEN counterfactuals[1]['kind'] IN ('unbatched', 'standard_tier') THEN counterfactuals[1]['cost']
              WHEN counterfactuals[2]['kind'] IN ('unbatched', 'standard_tier') THEN counterfactuals[2]['cost']
         END AS standard_cost
  FROM picked
  WHERE effective_cost IS NOT NULL AND list_cost IS NOT NULL
),
compared AS (
  SELECT /*by*/team,/*end*/ currency, requests, effective_cost, other['kind'] AS kind, other['cost'] AS other_cost,
         other['currency'] AS other_currency,
         CASE WHEN other['kind'] = 'retail' THEN effective_cost
              WHEN other['kind'] = 'baseline_model' THEN coalesce(standard_cost, uncached_cost, list_cost)
              WHEN other['kind'] IN ('unbatched', 'standard_tier') AND other['basis'] <> 'list' THEN uncached_cost
              ELSE list_cost
         END AS compared_cost
  FROM (SELECT *, unnest(counterfactuals) AS other FROM stepped) AS each_other
  WHERE (cost_basis = 'on_demand') <> (other['kind'] = 'retail')
  UNION ALL
  SELECT /*by*/team,/*end*/ currency, requests, effective_cost, 'list_price' AS kind,
         coalesce(list_cost, 0) AS other_cost, currency AS other_currency, coalesce(effective_cost, 0) AS compared_cost
  FROM stepped
  WHERE cost_basis = 'on_demand'
)
SELECT /*by*/team,/*end*/ currency, kind,
       sum(requests) AS requests,
       sum(effective_cost) AS effective_cost,
       sum(compared_cost) AS compared_cost,
       sum(other_cost) AS other_cost,
       sum(other_cost) - sum(compared_cost) AS saved
FROM compared
WHERE other_currency = currency AND compared_cost IS NOT NULL
GROUP BY /*by*/team,/*end*/ currency, kind
ORDER BY currency, kind, /*time*//*end*/ saved DESC NULLS LAST, /*by*/team,/*end*/ requests
