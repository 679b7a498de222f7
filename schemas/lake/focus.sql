-- Cost and usage in columns of FOCUS 1.2 (https://focus.finops.org/focus-specification/v1-2/): a row for each day, price of a meter and
-- owner. Costs of all rows of a currency add up to those of its charges. What FOCUS wants and nobody here knows is stated so:
-- - No invoice has been seen, so `BilledCost` is the effective cost, and `BillingPeriod...` the month of the use. Only what a later
--   month corrected is billed in that month, as a `Correction`.
-- - Usage without a price is a row without costs and SKU price, where FOCUS allows none: price it, or leave it out.
-- - A stated cost, as of a seat or an entry of the ledger, and a share of a shared charge have no price, so no SKU price and quantity.
-- - Where no account is known, `BillingAccountId` is the provider. A new price has a new `SkuPriceId`.
-- - Unit prices are as the price list has them, for so many of the unit: `x_ListPrice` for `x_PricePer`. A quotient would be a float.
-- In DuckDB: SET TimeZone = 'UTC', and COPY (...) TO 'focus.parquet' around it. It also runs unchanged in DataFusion.
WITH picked AS (
  SELECT *,
         CASE WHEN class IN ('reversal', 'replacement')
                AND CAST(date_trunc('month', booked_at) AS DATE) > CAST(date_trunc('month', event_date) AS DATE)
              THEN CAST(date_trunc('month', booked_at) AS DATE) END AS corrected_in
  FROM charges
  WHERE event_date >= DATE '1970-01-01'
    AND event_date <= DATE '2261-12-31'
    AND booked_at <= TIMESTAMPTZ '2262-01-01 00:00:00+00'
),
-- Only usage that is billed by use adds cost by itself: the rest has a list price and costs nothing more.
parts AS (
  SELECT event_date, corrected_in, charge_category, cost_basis, pricing_status, currency, provider, publisher, model, sku, operation,
         region, resource, billing_account, sub_account, invoice, team, project, cost_center, business_unit, environment,
         customer, application, use_case,
         line['meter'] AS meter, line['rate_id'] AS rate_id, line['list_unit_price'] AS list_price,
         line['contracted_unit_price'] AS contracted_price, line['per'] AS price_per,
         CASE WHEN class = 'reversal' THEN -line['quantity'] ELSE line['quantity'] END AS quantity,
         CASE WHEN class = 'reversal' THEN -line['billed_quantity'] ELSE line['billed_quantity'] END AS billed_quantity,
         line['list_cost'] AS list_cost, line['contracted_cost'] AS contracted_cost,
         CASE WHEN cost_basis = 'on_demand' THEN line['contracted_cost'] ELSE CAST(0 AS DECIMAL(38, 12)) END AS effective_cost
  FROM (SELECT *, unnest(lines) AS line FROM picked) AS each_line
  UNION ALL
  SELECT event_date, corrected_in, charge_category, cost_basis, pricing_status, currency, provider, publisher, model, sku, operation,
         region, resource, billing_account, sub_account, invoice, team, project, cost_center, business_unit, environment,
         customer, application, use_case,
         gap['meter'] AS meter, CAST(NULL AS VARCHAR) AS rate_id,
         CAST(NULL AS DECIMAL(38, 18)) AS list_price, CAST(NULL AS DECIMAL(38, 18)) AS contracted_price,
         CAST(NULL AS BIGINT) AS price_per,
         CASE WHEN class = 'reversal' THEN -gap['quantity'] ELSE gap['quantity'] END AS quantity,
         CAST(NULL AS DECIMAL(38, 12)) AS billed_quantity, CAST(NULL AS DECIMAL(38, 12)) AS list_cost,
         CAST(NULL AS DECIMAL(38, 12)) AS contracted_cost, CAST(NULL AS DECIMAL(38, 12)) AS effective_cost
  FROM (SELECT *, unnest(unpriced) AS gap FROM picked) AS each_gap
  UNION ALL
  SELECT event_date, corrected_in, charge_category, cost_basis, pricing_status, currency, provider, publisher, model, sku, operation,
         region, resource, billing_account, sub_account, invoice, team, project, cost_center, business_unit, environment,
         customer, application, use_case,
         CAST(NULL AS VARCHAR) AS meter, CAST(NULL AS VARCHAR) AS rate_id,
         CAST(NULL AS DECIMAL(38, 18)) AS list_price, CAST(NULL AS DECIMAL(38, 18)) AS contracted_price,
         CAST(NULL AS BIGINT) AS price_per,
         CAST(NULL AS DECIMAL(38, 12)) AS quantity, CAST(NULL AS DECIMAL(38, 12)) AS billed_quantity,
         list_cost, contracted_cost, effective_cost
  FROM picked
  WHERE coalesce(array_length(lines), 0) = 0 AND effective_cost IS NOT NULL
),
summed AS (
  SELECT event_date, corrected_in, charge_category, cost_basis, pricing_status, currency, provider, publisher, model, sku, operation,
         region, resource, billing_account, sub_account, invoice, team, project, cost_center, business_unit, environment,
         customer, application, use_case, meter, rate_id, list_price, contracted_price, price_per,
         sum(quantity) AS quantity, sum(billed_quantity) AS billed_quantity, sum(list_cost) AS list_cost,
         sum(contracted_cost) AS contracted_cost, sum(effective_cost) AS effective_cost
  FROM parts
  GROUP BY event_date, corrected_in, charge_category, cost_basis, pricing_status, currency, provider, publisher, model, sku, operation,
           region, resource, billing_account, sub_account, invoice, team, project, cost_center, business_unit, environment,
           customer, application, use_case, meter, rate_id, list_price, contracted_price, price_per
  -- What was taken back and not replaced is nothing.
  HAVING coalesce(sum(quantity), 0) <> 0 OR coalesce(sum(list_cost), 0) <> 0 OR coalesce(sum(effective_cost), 0) <> 0
),
named AS (
  SELECT *,
         coalesce(corrected_in, CAST(date_trunc('month', event_date) AS DATE)) AS billed_in,
         CASE WHEN meter LIKE '%tokens' THEN 'Tokens'
              WHEN meter LIKE '%seconds' THEN 'Seconds'
              WHEN meter LIKE '%days' THEN 'Days'
              WHEN meter LIKE '%characters' THEN 'Characters'
              WHEN meter LIKE '%images' THEN 'Images'
              WHEN meter LIKE '%pages' THEN 'Pages'
              WHEN meter = 'credits' THEN 'Credits'
              WHEN meter IS NOT NULL THEN 'Requests' END AS unit,
         -- JSON: what would end a text is escaped, and what JSON allows in none is a space.
         coalesce(',"team":"' || replace(replace(team, '\', '\\'), '"', '\"') || '"', '')
           || coalesce(',"project":"' || replace(replace(project, '\', '\\'), '"', '\"') || '"', '')
           || coalesce(',"cost_center":"' || replace(replace(cost_center, '\', '\\'), '"', '\"') || '"', '')
           || coalesce(',"business_unit":"' || replace(replace(business_unit, '\', '\\'), '"', '\"') || '"', '')
           || coalesce(',"environment":"' || replace(replace(environment, '\', '\\'), '"', '\"') || '"', '')
           || coalesce(',"customer":"' || replace(replace(customer, '\', '\\'), '"', '\"') || '"', '')
           || coalesce(',"application":"' || replace(replace(application, '\', '\\'), '"', '\"') || '"', '')
           || coalesce(',"use_case":"' || replace(replace(use_case, '\', '\\'), '"', '\"') || '"', '') AS pairs
  FROM summed
)
SELECT effective_cost AS "BilledCost",
       coalesce(billing_account, provider) AS "BillingAccountId",
       CAST(NULL AS VARCHAR) AS "BillingAccountName",
       currency AS "BillingCurrency",
       CAST(CAST(billed_in + INTERVAL '1' MONTH AS DATE) AS VARCHAR) || 'T00:00:00Z' AS "BillingPeriodEnd",
       CAST(billed_in AS VARCHAR) || 'T00:00:00Z' AS "BillingPeriodStart",
       CASE charge_category WHEN 'usage' THEN 'Usage' WHEN 'purchase' THEN 'Purchase' WHEN 'credit' THEN 'Credit'
         WHEN 'tax' THEN 'Tax' ELSE 'Adjustment' END AS "ChargeCategory",
       CASE WHEN corrected_in IS NOT NULL THEN 'Correction' END AS "ChargeClass",
       model || coalesce(' ' || meter, '') AS "ChargeDescription",
       CAST(CAST(event_date + INTERVAL '1' DAY AS DATE) AS VARCHAR) || 'T00:00:00Z' AS "ChargePeriodEnd",
       CAST(event_date AS VARCHAR) || 'T00:00:00Z' AS "ChargePeriodStart",
       CASE WHEN charge_category = 'usage' THEN quantity END AS "ConsumedQuantity",
       CASE WHEN charge_category = 'usage' THEN unit END AS "ConsumedUnit",
       contracted_cost AS "ContractedCost",
       effective_cost AS "EffectiveCost",
       invoice AS "InvoiceId",
       provider AS "InvoiceIssuerName",
       list_cost AS "ListCost",
       CASE WHEN charge_category IN ('usage', 'purchase')
            THEN CASE WHEN cost_basis = 'on_demand' THEN 'Standard' ELSE 'Other' END END AS "PricingCategory",
       billed_quantity AS "PricingQuantity",
       unit AS "PricingUnit",
       provider AS "ProviderName",
       coalesce(publisher, provider) AS "PublisherName",
       region AS "RegionId",
       resource AS "ResourceId",
       CASE operation WHEN 'gpu' THEN 'Compute' WHEN 'seat' THEN 'Business Applications' WHEN 'ledger_entry' THEN 'Other'
         ELSE 'AI and Machine Learning' END AS "ServiceCategory",
       provider || ' ' || operation AS "ServiceName",
       coalesce(sku, model) AS "SkuId",
       meter AS "SkuMeter",
       rate_id AS "SkuPriceId",
       sub_account AS "SubAccountId",
       '{' || regexp_replace(substr(pairs, 2), '[[:cntrl:]]', ' ', 'g') || '}' AS "Tags",
       contracted_price AS "x_ContractedPrice",
       cost_basis AS "x_CostBasis",
       list_price AS "x_ListPrice",
       price_per AS "x_PricePer",
       pricing_status AS "x_PricingStatus"
FROM named
ORDER BY 11, 6, 4, 22, 28, 9, 29, 30, 27, 23, 24, 25, 2, 31, 16, 7, 32, 33, 34, 35, 36, 37, 8
