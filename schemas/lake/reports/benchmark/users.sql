-- Users who have calls or spend left, by workload profile: of whom everything was corrected away is none. A user is a pseudonym:
-- one who was forgotten and comes back has a new one, and counts again.
WITH picked AS (
  SELECT * FROM charges
  WHERE event_date >= /*from*/DATE '1970-01-01'/*end*/
    AND event_date <= /*to*/DATE '2261-12-31'/*end*/
    AND booked_at <= /*as of*/TIMESTAMPTZ '2262-01-01 00:00:00+00'/*end*/
    AND "user" IS NOT NULL
),
left_over AS (
  SELECT /*by*/workload_profile,/*end*/ currency, "user"
  FROM picked
  GROUP BY /*by*/workload_profile,/*end*/ currency, "user"
  HAVING sum(requests) <> 0 OR coalesce(sum(effective_cost), 0) <> 0
)
SELECT /*by*/workload_profile,/*end*/ currency, count(*) AS users
FROM left_over
GROUP BY /*by*/workload_profile,/*end*/ currency
ORDER BY /*by*/workload_profile,/*end*/ currency
