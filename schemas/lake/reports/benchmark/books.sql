-- The price books that the charges were priced by, and the calls among them.
WITH picked AS (
  SELECT *,
         charge_category = 'usage' AND class <> 'allocation'
           AND operation NOT IN ('gpu', 'credits', 'seat', 'ledger_entry') AS of_call
  FROM charges
  WHERE event_date >= /*from*/DATE '1970-01-01'/*end*/
    AND event_date <= /*to*/DATE '2261-12-31'/*end*/
    AND booked_at <= /*as of*/TIMESTAMPTZ '2262-01-01 00:00:00+00'/*end*/
)
SELECT book_version, coalesce(sum(requests) FILTER (WHERE of_call), 0) AS requests, count(*) AS charges,
       max(event_date) AS last_day
FROM picked
GROUP BY book_version
ORDER BY book_version
