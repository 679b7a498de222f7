-- What units of value bring in by the internal rate card, and what the calls of the workloads that delivered them cost. Each
-- unit has the price that held when it was delivered; the report multiplies, exactly, and sets cost beside it.
WITH rate_card AS (
  /*rate card*/SELECT CAST(NULL AS VARCHAR) AS of_unit, CAST(NULL AS VARCHAR) AS of_customer,
         CAST(NULL AS VARCHAR) AS of_project, CAST(NULL AS VARCHAR) AS of_team, CAST(NULL AS VARCHAR) AS of_workload,
         CAST(NULL AS DECIMAL(38, 12)) AS unit_price, CAST(NULL AS VARCHAR) AS price_currency, 0 AS precedence,
         TIMESTAMPTZ '1970-01-01 00:00:00+00' AS valid_from, TIMESTAMPTZ '1970-01-01 00:00:00+00' AS valid_to
  WHERE false/*end*/
),
-- Copies of a fact count once: the one that arrived first, whole. A fact has the owner that its producer states.
known AS (
  SELECT fact_id, tenant, event_date, event_time, name AS unit, quantity AS units,
         nullif(workload, 'default') AS workload_profile,
         map_extract(claimed, 'team')[1] AS team,
         map_extract(claimed, 'project')[1] AS project,
         map_extract(claimed, 'cost_center')[1] AS cost_center,
         map_extract(claimed, 'business_unit')[1] AS business_unit,
         map_extract(claimed, 'environment')[1] AS environment,
         map_extract(claimed, 'customer')[1] AS customer,
         map_extract(claimed, 'application')[1] AS application,
         map_extract(claimed, 'feature')[1] AS feature,
         map_extract(claimed, 'use_case')[1] AS use_case
  FROM (
    SELECT *, row_number() OVER (
      PARTITION BY fact_id ORDER BY received_at, raw_topic, raw_partition, raw_offset, raw_item) AS place
    FROM facts
    WHERE kind = 'value_units'
      AND event_date >= /*from*/DATE '1970-01-01'/*end*/
      AND event_date <= /*to*/DATE '2261-12-31'/*end*/
      AND received_at <= /*as of*/TIMESTAMPTZ '2262-01-01 00:00:00+00'/*end*/
  ) AS copies
  WHERE place = 1
),
rated AS (
  SELECT known.*, price_currency, unit_price,
         row_number() OVER (
           PARTITION BY fact_id ORDER BY precedence DESC NULLS LAST, valid_from DESC, unit_price, price_currency) AS choice
  FROM rate_card RIGHT JOIN known
    ON unit = of_unit
   AND event_time >= valid_from AND event_time < valid_to
   AND (of_customer IS NULL OR of_customer = customer)
   AND (of_project IS NULL OR of_project = project)
   AND (of_team IS NULL OR of_team = team)
   AND (of_workload IS NULL OR of_workload = workload_profile)
),
-- What a workload delivered, where it is one kind of unit; what states no workload goes by its team.
delivers AS (
  SELECT tenant AS its_tenant, coalesce('workload ' || workload_profile, 'team ' || team) AS work, min(unit) AS unit
  FROM known
  GROUP BY tenant, coalesce('workload ' || workload_profile, 'team ' || team)
  HAVING count(DISTINCT unit) = 1
),
-- Small sides stand first in joins: an engine that does not know how large a table is keeps the first in memory.
called AS (
  SELECT tenant, event_date, team, project, cost_center, business_unit, environment, customer, application, feature,
         use_case,
         workload_profile, currency, requests, effective_cost, pricing_status,
         coalesce('workload ' || workload_profile, 'team ' || team) AS call_work
  FROM charges
  WHERE event_date >= /*from*/DATE '1970-01-01'/*end*/
    AND event_date <= /*to*/DATE '2261-12-31'/*end*/
    AND booked_at <= /*as of*/TIMESTAMPTZ '2262-01-01 00:00:00+00'/*end*/
),
both_sides AS (
  SELECT tenant, event_date, team, project, cost_center, business_unit, environment, customer, application, feature,
         use_case,
         workload_profile, unit, price_currency AS currency, unit_price, units,
         CAST(NULL AS BIGINT) AS requests, CAST(NULL AS BIGINT) AS unpriced_requests,
         CAST(NULL AS DECIMAL(38, 12)) AS effective_cost
  FROM rated
  WHERE choice = 1
  UNION ALL
  SELECT tenant, event_date, team, project, cost_center, business_unit, environment, customer, application, feature,
         use_case,
         workload_profile, unit, currency, CAST(NULL AS DECIMAL(38, 12)) AS unit_price,
         CAST(NULL AS DECIMAL(38, 12)) AS units, requests,
         CASE WHEN pricing_status IN ('unpriced', 'partial') THEN requests ELSE 0 END AS unpriced_requests, effective_cost
  FROM delivers RIGHT JOIN called ON tenant = its_tenant AND call_work = work
),
picked AS (
  SELECT *, event_date AS day,
         CAST(date_trunc('week', event_date) AS DATE) AS week,
         CAST(date_trunc('month', event_date) AS DATE) AS month,
         CAST(date_trunc('quarter', event_date) AS DATE) AS quarter
  FROM both_sides
)
SELECT /*by*/team,/*end*/ unit, currency, unit_price,
       sum(units) AS units,
       sum(requests) AS requests,
       sum(unpriced_requests) AS unpriced_requests,
       sum(effective_cost) AS effective_cost
FROM picked
GROUP BY /*by*/team,/*end*/ unit, currency, unit_price
ORDER BY /*time*//*end*/ /*by*/team,/*end*/ unit, currency, unit_price
