-- The sums that the benchmark's measures are made of, by workload profile. Seats, bills of machines, credits, entries of the
-- ledger and shares of shared charges are spend, but no calls: what counts calls, or says what they cost, has no part of them.
WITH picked AS (
  SELECT *,
         charge_category = 'usage' AND class <> 'allocation'
           AND operation NOT IN ('gpu', 'credits', 'seat', 'ledger_entry') AS of_call
  FROM charges
  WHERE event_date >= /*from*/DATE '1970-01-01'/*end*/
    AND event_date <= /*to*/DATE '2261-12-31'/*end*/
    AND booked_at <= /*as of*/TIMESTAMPTZ '2262-01-01 00:00:00+00'/*end*/
)
SELECT /*by*/workload_profile,/*end*/ currency,
       coalesce(sum(effective_cost), 0) AS effective_cost,
       coalesce(sum(requests) FILTER (WHERE of_call), 0) AS calls,
       coalesce(sum(requests) FILTER (WHERE of_call AND pricing_status IN ('priced', 'free')), 0) AS priced_calls,
       coalesce(sum(effective_cost) FILTER (WHERE of_call AND pricing_status IN ('priced', 'free')), 0)
         AS priced_calls_cost,
       coalesce(sum(requests) FILTER (WHERE of_call AND model_class IS NOT NULL), 0) AS classed_calls,
       coalesce(sum(effective_cost) FILTER (WHERE of_call AND model_class IS NOT NULL), 0) AS classed_cost,
       coalesce(sum(requests) FILTER (WHERE of_call AND model_class = 'premium'), 0) AS premium_calls,
       coalesce(sum(effective_cost) FILTER (WHERE of_call AND model_class = 'premium'), 0) AS premium_cost,
       coalesce(sum(requests) FILTER (WHERE of_call AND (input_text_tokens IS NOT NULL
         OR cache_read_text_tokens IS NOT NULL OR cache_write_5m_tokens IS NOT NULL
         OR cache_write_1h_tokens IS NOT NULL)), 0) AS input_calls,
       coalesce(sum(requests) FILTER (WHERE of_call AND cost_basis = 'on_demand' AND (cache_read_text_tokens IS NOT NULL
         OR cache_write_5m_tokens IS NOT NULL OR cache_write_1h_tokens IS NOT NULL)), 0) AS cached_calls,
       coalesce(sum(cache_read_text_tokens) FILTER (WHERE of_call), 0) AS cache_read_tokens,
       coalesce(sum(cache_read_text_tokens) FILTER (WHERE of_call), 0)
         + coalesce(sum(input_text_tokens) FILTER (WHERE of_call), 0)
         + coalesce(sum(cache_write_5m_tokens) FILTER (WHERE of_call), 0)
         + coalesce(sum(cache_write_1h_tokens) FILTER (WHERE of_call), 0) AS input_tokens,
       coalesce(sum(requests) FILTER (WHERE of_call AND "user" IS NOT NULL), 0) AS user_calls,
       coalesce(sum(effective_cost) FILTER (WHERE "user" IS NOT NULL), 0) AS user_cost
FROM picked
GROUP BY /*by*/workload_profile,/*end*/ currency
ORDER BY /*by*/workload_profile,/*end*/ currency
