-- Cost and usage in columns of FOCUS 1.2 (https://focus.finops.org/focus-specification/v1-2/, read 2026-12-01): a row for each day,
-- price of a meter and owner. `spendstream export create --type focus` writes its answer; what of FOCUS it cannot say, and why, stands in
-- README.md beside it. Costs of all rows of a currency add up to those of its charges.
-- In DuckDB: SET TimeZone = 'UTC', and COPY (...) TO 'focus.parquet' around it. It also runs unchanged in DataFusion.
WITH picked AS (
  SELECT *,
         CASE WHEN class IN ('reversal', 'replacement')
                AND CAST(date_trunc('month', booked_at) AS DATE) > CAST(date_trunc('month', event_date) AS DATE)
              THEN CAST(date_trunc('month', booked_at) AS DATE) END AS corrected_in
  FROM charges
  WHERE event_date >= /*from*/DATE '1970-01-01'/*end*/
    AND event_date <= /*to*/DATE '2261-12-31'/*end*/
    AND booked_at <= /*as of*/TIMESTAMPTZ '2262-01-01 00:00:00+00'/*end*/
),
-- Only usage that is billed by use adds cost by itself: the rest has a list price and costs nothing more.
parts AS (
  SELECT event_date, corrected_in, tenant, charge_category, cost_basis, pricing_status, currency, provider, publisher, model, sku,
         operation, region, resource, billing_account, sub_account, invoice, team, project, cost_center, business_unit,
         environment, customer, application, use_case,
         line['meter'] AS meter, line['rate_id'] AS rate_id, line['list_unit_price'] AS list_price,
         CASE WHEN line['contracted_rate_id'] IS NULL THEN line['list_unit_price'] ELSE line['contracted_unit_price'] END
           AS contracted_price, line['per'] AS price_per,
         CASE WHEN class = 'reversal' THEN -line['quantity'] ELSE line['quantity'] END AS quantity,
         CASE WHEN class = 'reversal' THEN -line['billed_quantity'] ELSE line['billed_quantity'] END AS billed_quantity,
         line['list_cost'] AS list_cost, line['contracted_cost'] AS contracted_cost,
         CASE WHEN cost_basis = 'on_demand' THEN line['contracted_cost'] ELSE CAST(0 AS DECIMAL(38, 12)) END AS effective_cost
  FROM (SELECT *, unnest(lines) AS line FROM picked) AS each_line
  UNION ALL
  SELECT event_date, corrected_in, tenant, charge_category, cost_basis, pricing_status, currency, provider, publisher, model, sku,
         operation, region, resource, billing_account, sub_account, invoice, team, project, cost_center, business_unit,
         environment, customer, application, use_case,
         gap['meter'] AS meter, CAST(NULL AS VARCHAR) AS rate_id,
         CAST(NULL AS DECIMAL(38, 18)) AS list_price, CAST(NULL AS DECIMAL(38, 18)) AS contracted_price,
         CAST(NULL AS BIGINT) AS price_per,
         CASE WHEN class = 'reversal' THEN -gap['quantity'] ELSE gap['quantity'] END AS quantity,
         CAST(NULL AS DECIMAL(38, 12)) AS billed_quantity, CAST(NULL AS DECIMAL(38, 12)) AS list_cost,
         CAST(NULL AS DECIMAL(38, 12)) AS contracted_cost, CAST(NULL AS DECIMAL(38, 12)) AS effective_cost
  FROM (SELECT *, unnest(unpriced) AS gap FROM picked) AS each_gap
  UNION ALL
  SELECT event_date, corrected_in, tenant, charge_category, cost_basis, pricing_status, currency, provider, publisher, model, sku,
         operation, region, resource, billing_account, sub_account, invoice, team, project, cost_center, business_unit,
         environment, customer, application, use_case,
         CAST(NULL AS VARCHAR) AS meter, CAST(NULL AS VARCHAR) AS rate_id,
         CAST(NULL AS DECIMAL(38, 18)) AS list_price, CAST(NULL AS DECIMAL(38, 18)) AS contracted_price,
         CAST(NULL AS BIGINT) AS price_per,
         CAST(NULL AS DECIMAL(38, 12)) AS quantity, CAST(NULL AS DECIMAL(38, 12)) AS billed_quantity,
         list_cost, contracted_cost, effective_cost
  FROM picked
  WHERE coalesce(array_length(lines), 0) = 0 AND effective_cost IS NOT NULL
),
summed AS (
  SELECT event_date, corrected_in, tenant, charge_category, cost_basis, pricing_status, currency, provider, publisher, model, sku,
         operation, region, resource, billing_account, sub_account, invoice, team, project, cost_center, business_unit,
         environment, customer, application, use_case,
         meter, rate_id, list_price, contracted_price, price_per,
         sum(quantity) AS quantity, sum(billed_quantity) AS billed_quantity, sum(list_cost) AS list_cost,
         sum(contracted_cost) AS contracted_cost, sum(effective_cost) AS effective_cost
  FROM parts
  GROUP BY event_date, corrected_in, tenant, charge_category, cost_basis, pricing_status, currency, provider, publisher, model, sku,
           operation, region, resource, billing_account, sub_account, invoice, team, project, cost_center, business_unit,
           environment, customer, application, use_case,
           meter, rate_id, list_price, contracted_price, price_per
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
         -- Prices are for so many of a unit, and so are quantities. Engines divide decimals as floats, so each is multiplied, by what
         -- is exact but for hours, minutes and months of days: of those the twelfth decimal place may be off by one.
         CASE price_per
              WHEN 1 THEN CAST(billed_quantity AS DECIMAL(38, 18))
              WHEN 1000 THEN CAST(billed_quantity * CAST(0.001 AS DECIMAL(4, 3)) AS DECIMAL(38, 18))
              WHEN 10000 THEN CAST(billed_quantity * CAST(0.0001 AS DECIMAL(5, 4)) AS DECIMAL(38, 18))
              WHEN 1000000 THEN CAST(billed_quantity * CAST(0.000001 AS DECIMAL(7, 6)) AS DECIMAL(38, 18))
              WHEN 60 THEN CAST(CAST(billed_quantity * CAST(0.016666666666666667 AS DECIMAL(18, 18)) AS DECIMAL(38, 12)) AS DECIMAL(38, 18))
              WHEN 3600 THEN CAST(CAST(billed_quantity * CAST(0.000277777777777778 AS DECIMAL(18, 18)) AS DECIMAL(38, 12)) AS DECIMAL(38, 18))
              WHEN 28 THEN CAST(CAST(billed_quantity * CAST(0.035714285714285714 AS DECIMAL(18, 18)) AS DECIMAL(38, 12)) AS DECIMAL(38, 18))
              WHEN 29 THEN CAST(CAST(billed_quantity * CAST(0.034482758620689655 AS DECIMAL(18, 18)) AS DECIMAL(38, 12)) AS DECIMAL(38, 18))
              WHEN 30 THEN CAST(CAST(billed_quantity * CAST(0.033333333333333333 AS DECIMAL(18, 18)) AS DECIMAL(38, 12)) AS DECIMAL(38, 18))
              WHEN 31 THEN CAST(CAST(billed_quantity * CAST(0.032258064516129032 AS DECIMAL(18, 18)) AS DECIMAL(38, 12)) AS DECIMAL(38, 18))
              END AS priced_quantity,
         -- JSON: what would end a text is escaped, and what JSON allows in none is a space.
         '"tenant":"' || replace(replace(tenant, '\', '\\'), '"', '\"') || '"'
           || coalesce(',"team":"' || replace(replace(team, '\', '\\'), '"', '\"') || '"', '')
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
       CASE WHEN charge_category = 'usage' THEN 'Usage-Based' WHEN operation = 'seat' THEN 'Recurring'
         ELSE 'One-Time' END AS "ChargeFrequency",
       CAST(CAST(event_date + INTERVAL '1' DAY AS DATE) AS VARCHAR) || 'T00:00:00Z' AS "ChargePeriodEnd",
       CAST(event_date AS VARCHAR) || 'T00:00:00Z' AS "ChargePeriodStart",
       CAST(NULL AS VARCHAR) AS "CommitmentDiscountStatus",
       CASE WHEN charge_category = 'usage' THEN quantity END AS "ConsumedQuantity",
       CASE WHEN charge_category = 'usage' THEN unit END AS "ConsumedUnit",
       contracted_cost AS "ContractedCost",
       CASE WHEN charge_category <> 'tax' AND priced_quantity IS NOT NULL THEN contracted_price END AS "ContractedUnitPrice",
       effective_cost AS "EffectiveCost",
       invoice AS "InvoiceId",
       provider AS "InvoiceIssuerName",
       list_cost AS "ListCost",
       CASE WHEN charge_category <> 'tax' AND priced_quantity IS NOT NULL THEN list_price END AS "ListUnitPrice",
       CASE WHEN charge_category IN ('usage', 'purchase')
            THEN CASE WHEN cost_basis = 'on_demand' THEN 'Standard' ELSE 'Other' END END AS "PricingCategory",
       -- Prices are in the currency that is billed.
       currency AS "PricingCurrency",
       CASE WHEN charge_category <> 'tax' AND priced_quantity IS NOT NULL THEN contracted_price END
         AS "PricingCurrencyContractedUnitPrice",
       effective_cost AS "PricingCurrencyEffectiveCost",
       CASE WHEN charge_category <> 'tax' AND priced_quantity IS NOT NULL THEN list_price END AS "PricingCurrencyListUnitPrice",
       CASE WHEN charge_category <> 'tax'
            THEN coalesce(priced_quantity, CAST(billed_quantity AS DECIMAL(38, 18))) END AS "PricingQuantity",
       CASE WHEN charge_category <> 'tax' AND billed_quantity IS NOT NULL
            THEN CASE WHEN priced_quantity IS NOT NULL AND price_per > 1 THEN CAST(price_per AS VARCHAR) || ' ' ELSE '' END || unit
            END AS "PricingUnit",
       provider AS "ProviderName",
       coalesce(publisher, provider) AS "PublisherName",
       region AS "RegionId",
       region AS "RegionName",
       resource AS "ResourceId",
       CAST(NULL AS VARCHAR) AS "ResourceName",
       CASE WHEN resource IS NOT NULL THEN operation END AS "ResourceType",
       CASE operation WHEN 'gpu' THEN 'Compute' WHEN 'seat' THEN 'Business Applications' WHEN 'ledger_entry' THEN 'Other'
         ELSE 'AI and Machine Learning' END AS "ServiceCategory",
       provider || ' ' || operation AS "ServiceName",
       CASE WHEN operation = 'gpu' THEN 'Other (Compute)' WHEN operation = 'seat' THEN 'Other (Business Applications)'
            WHEN operation = 'ledger_entry' THEN 'Other (Other)'
            WHEN operation IN ('embeddings', 'rerank', 'credits') THEN 'Other (AI and Machine Learning)'
            ELSE 'Generative AI' END AS "ServiceSubcategory",
       CASE WHEN charge_category IN ('usage', 'purchase') OR (charge_category <> 'tax' AND meter IS NOT NULL)
            THEN coalesce(sku, model) END AS "SkuId",
       CASE WHEN charge_category <> 'tax' THEN meter END AS "SkuMeter",
       CAST(NULL AS VARCHAR) AS "SkuPriceDetails",
       CASE WHEN charge_category <> 'tax' THEN rate_id END AS "SkuPriceId",
       sub_account AS "SubAccountId",
       sub_account AS "SubAccountName",
       '{' || regexp_replace(pairs, '[[:cntrl:]]', ' ', 'g') || '}' AS "Tags",
       contracted_price AS "x_ContractedPrice",
       cost_basis AS "x_CostBasis",
       list_price AS "x_ListPrice",
       price_per AS "x_PricePer",
       pricing_status AS "x_PricingStatus"
FROM named
ORDER BY event_date, corrected_in, currency, provider, operation, model, sku, meter, rate_id, tenant, team, project, cost_center,
         business_unit, environment, customer, application, use_case, publisher, region, resource, billing_account, sub_account, invoice,
         charge_category, cost_basis, pricing_status, list_price, contracted_price, price_per
