-- What a call and a million tokens cost. Calls without a whole price are left out of cost and usage alike, and so is what was
-- charged for no call: seats, bills of machines, credits, entries of the ledger and of `spendstream settle`, shares of shared
-- charges.
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
)
SELECT /*by*/team,/*end*/ currency,
       sum(requests) AS requests,
       coalesce(sum(requests) FILTER (WHERE pricing_status IN ('priced', 'free')), 0) AS priced_requests,
       sum(effective_cost) FILTER (WHERE pricing_status IN ('priced', 'free')) AS effective_cost,
       coalesce(sum(input_text_tokens) FILTER (WHERE pricing_status IN ('priced', 'free')), 0)
         + coalesce(sum(input_audio_tokens) FILTER (WHERE pricing_status IN ('priced', 'free')), 0)
         + coalesce(sum(input_image_tokens) FILTER (WHERE pricing_status IN ('priced', 'free')), 0)
         + coalesce(sum(input_video_tokens) FILTER (WHERE pricing_status IN ('priced', 'free')), 0)
         + coalesce(sum(cache_read_text_tokens) FILTER (WHERE pricing_status IN ('priced', 'free')), 0)
         + coalesce(sum(cache_read_audio_tokens) FILTER (WHERE pricing_status IN ('priced', 'free')), 0)
         + coalesce(sum(cache_read_image_tokens) FILTER (WHERE pricing_status IN ('priced', 'free')), 0)
         + coalesce(sum(cache_write_5m_tokens) FILTER (WHERE pricing_status IN ('priced', 'free')), 0)
         + coalesce(sum(cache_write_1h_tokens) FILTER (WHERE pricing_status IN ('priced', 'free')), 0)
         + coalesce(sum(output_text_tokens) FILTER (WHERE pricing_status IN ('priced', 'free')), 0)
         + coalesce(sum(output_reasoning_tokens) FILTER (WHERE pricing_status IN ('priced', 'free')), 0)
         + coalesce(sum(output_audio_tokens) FILTER (WHERE pricing_status IN ('priced', 'free')), 0)
         + coalesce(sum(output_image_tokens) FILTER (WHERE pricing_status IN ('priced', 'free')), 0) AS priced_tokens
FROM picked
GROUP BY /*by*/team,/*end*/ currency
ORDER BY currency, /*time*//*end*/ effective_cost DESC NULLS LAST, /*by*/team,/*end*/ requests
