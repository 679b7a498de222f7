-- What was charged, net of corrections, and the usage it was charged for. What adds up to nothing is left out; usage without a
-- price is no nothing. Beside costs in another currency than the reports' stands what they are in that, where all of a row was
-- converted.
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
SELECT /*by*/team,/*end*/ currency,
       sum(requests) AS requests,
       sum(effective_cost) AS effective_cost,
       sum(contracted_cost) AS contracted_cost,
       sum(list_cost) AS list_cost,
       CASE WHEN count(reporting_effective_cost) = count(effective_cost) AND min(reporting_currency) = max(reporting_currency)
            THEN min(reporting_currency) END AS reporting_currency,
       CASE WHEN count(reporting_effective_cost) = count(effective_cost) AND min(reporting_currency) = max(reporting_currency)
            THEN sum(reporting_effective_cost) END AS reporting_effective_cost,
       coalesce(sum(input_text_tokens), 0) + coalesce(sum(input_audio_tokens), 0)
         + coalesce(sum(input_image_tokens), 0) + coalesce(sum(input_video_tokens), 0) AS input_tokens,
       coalesce(sum(cache_read_text_tokens), 0) + coalesce(sum(cache_read_audio_tokens), 0)
         + coalesce(sum(cache_read_image_tokens), 0) AS cache_read_tokens,
       coalesce(sum(cache_write_5m_tokens), 0) + coalesce(sum(cache_write_1h_tokens), 0) AS cache_write_tokens,
       coalesce(sum(output_text_tokens), 0) + coalesce(sum(output_reasoning_tokens), 0)
         + coalesce(sum(output_audio_tokens), 0) + coalesce(sum(output_image_tokens), 0) AS output_tokens,
       coalesce(sum(CASE WHEN pricing_status IN ('unpriced', 'partial') THEN requests END), 0) AS unpriced_requests
FROM picked
GROUP BY /*by*/team,/*end*/ currency
HAVING sum(requests) <> 0 OR coalesce(sum(effective_cost), 0) <> 0
ORDER BY currency, /*time*//*end*/ effective_cost DESC NULLS LAST, /*by*/team,/*end*/ requests
