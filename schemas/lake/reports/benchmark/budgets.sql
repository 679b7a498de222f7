-- The newest state of every budget's months and quarters. A period belongs to the quarter its fifteenth day is in,
-- whatever its time zone. What a team's or a business unit's budget is, is reckoned from these rows, of one tenant and period: without
-- those whose scope names what another's names and more, since these lie within it, and only where no spend can be in two of the rest.
-- States that older releases wrote have no scope. Months and quarters are never added. In DuckDB: SET TimeZone = 'UTC'.
SELECT tenant, budget_id, name, team, business_unit, scope, period, CAST(period_start + INTERVAL '15' DAY AS DATE) AS day_within, currency, amount, spent,
       spent - amount AS overspent
FROM (
  SELECT *, row_number() OVER (
    PARTITION BY tenant, budget_id, period, period_start ORDER BY kafka_offset DESC) AS place
  FROM budgets
  WHERE period IN ('month', 'quarter')
    AND CAST(period_start + INTERVAL '15' DAY AS DATE) >= /*from*/DATE '1970-01-01'/*end*/
    AND CAST(period_start + INTERVAL '15' DAY AS DATE) <= /*to*/DATE '2261-12-31'/*end*/
    AND emitted_at <= /*as of*/TIMESTAMPTZ '2262-01-01 00:00:00+00'/*end*/
) AS states
WHERE place = 1
ORDER BY tenant, name, budget_id, period, day_within
