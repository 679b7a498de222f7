"""Checks an export of FOCUS against what version 1.2 of the specification asks of cost and usage.

usage: focus.py FILE.csv

Written from the specification (https://focus.finops.org/focus-specification/v1-2/, read 2026-12-01), not from the query. Ends with an
error at the first row that breaks a rule, but for those that README.md of the lake owns up to: what has no price, and what was stated or
shared. Prints how many rows were checked, and how many of each of those there are.
"""

import csv
import json
import re
import sys
from decimal import Decimal, localcontext

MANDATORY = """BilledCost BillingAccountId BillingAccountName BillingCurrency BillingPeriodEnd BillingPeriodStart ChargeCategory ChargeClass
    ChargeDescription ChargePeriodEnd ChargePeriodStart ContractedCost EffectiveCost InvoiceIssuerName ListCost PricingQuantity PricingUnit
    ProviderName PublisherName ServiceCategory ServiceName""".split()
# Of whoever publishes prices, by unit, and counts use; has contracts, regions, sub-accounts, tags, resources.
CONDITIONAL = """CommitmentDiscountStatus ConsumedQuantity ConsumedUnit ContractedUnitPrice ListUnitPrice PricingCategory PricingCurrency
    PricingCurrencyContractedUnitPrice PricingCurrencyEffectiveCost PricingCurrencyListUnitPrice RegionId RegionName ResourceId ResourceName
    ResourceType SkuId SkuMeter SkuPriceDetails SkuPriceId SubAccountId SubAccountName Tags""".split()
RECOMMENDED = ["ChargeFrequency", "InvoiceId", "ServiceSubcategory"]
COSTS = ["BilledCost", "ContractedCost", "EffectiveCost", "ListCost"]
NEVER_NULL = """PricingCurrency BillingAccountId BillingCurrency BillingPeriodEnd BillingPeriodStart ChargeCategory ChargeFrequency ChargePeriodEnd
    ChargePeriodStart InvoiceIssuerName ProviderName PublisherName ServiceCategory ServiceName ServiceSubcategory""".split()
ALLOWED = {
    "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
    "ChargeClass": {None, "Correction"},
    "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
    "PricingCategory": {None, "Standard", "Dynamic", "Committed", "Other"},
}
# Those that we use, with their parents.
SUBCATEGORIES = {
    "Generative AI": "AI and Machine Learning", "Other (AI and Machine Learning)": "AI and Machine Learning", "Other (Compute)": "Compute",
    "Other (Business Applications)": "Business Applications", "Other (Other)": "Other",
}
NUMBER = re.compile(r"-?\d+(\.\d+)?")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

path = sys.argv[1]
with open(path, newline="", encoding="utf-8") as file:
    text = file.read()
if re.search(r"(?m)(^|,)\"\"(,|\r|$)", text):
    sys.exit("an empty text stands for a null")
lines = list(csv.reader(text.splitlines(keepends=True)))
names, rows = lines[0], [{name: cell or None for name, cell in zip(lines[0], line)} for line in lines[1:]]
missing = [name for name in MANDATORY + CONDITIONAL + RECOMMENDED if name not in names]
if missing:
    sys.exit(f"no column {missing}")
own = [name for name in names if name not in MANDATORY + CONDITIONAL + RECOMMENDED]
if not all(name.startswith("x_") for name in own) or names[-len(own):] != own:
    sys.exit(f"columns of our own begin with x_ and stand last: {own}")

unpriced = stated = odd = 0
parents = {}
for number, row in enumerate(rows, 2):
    def check(rule, holds):
        if not holds:
            sys.exit(f"line {number}: {rule}: {row}")

    for name in NEVER_NULL:
        check(f"{name} is null", row[name] is not None)
    for name, values in ALLOWED.items():
        check(f"{name} is none of {values}", row[name] in values)
    for name in (name for name in names if name.endswith(("PeriodStart", "PeriodEnd"))):
        check(f"{name} is no time", TIME.fullmatch(row[name]))
    for name in COSTS + ["PricingQuantity", "ConsumedQuantity", "ListUnitPrice", "ContractedUnitPrice"]:
        check(f"{name} is no number", row[name] is None or NUMBER.fullmatch(row[name]))
    check("a period has no length", row["ChargePeriodStart"] < row["ChargePeriodEnd"] and row["BillingPeriodStart"] < row["BillingPeriodEnd"])
    check("a currency is three letters", re.fullmatch("[A-Z]{3}", row["BillingCurrency"]))
    check("a category has the wrong parent", SUBCATEGORIES.get(row["ServiceSubcategory"]) == row["ServiceCategory"])
    tags = json.loads(row["Tags"])
    check("a tag is no text", all(isinstance(value, str) for value in tags.values()))
    for quantity, unit in (("ConsumedQuantity", "ConsumedUnit"), ("PricingQuantity", "PricingUnit"), ("SubAccountId", "SubAccountName"),
                           ("RegionId", "RegionName"), ("ResourceId", "ResourceType")):
        check(f"one of {quantity} and {unit} is null", (row[quantity] is None) == (row[unit] is None))
    check("a price has no SKU", row["SkuId"] or not (row["SkuPriceId"] or row["SkuMeter"]))
    if row["SkuPriceId"]:
        check("a price has two SKUs", parents.setdefault(row["SkuPriceId"], row["SkuId"]) == row["SkuId"])
    used = row["ChargeCategory"] == "Usage"
    check("only usage is consumed", used or row["ConsumedQuantity"] is None)
    check("usage is not Usage-Based", used == (row["ChargeFrequency"] == "Usage-Based"))
    bought = used or row["ChargeCategory"] == "Purchase"
    check("what is bought has a pricing category", not bought or row["PricingCategory"])
    if row["BilledCost"] is None:
        check("only what has no price has no costs", row["x_PricingStatus"] in ("unpriced", "partial") and row["SkuPriceId"] is None)
        check("no cost is known alone", all(row[name] is None for name in COSTS))
        unpriced += 1
        continue
    check("a cost is null", all(row[name] is not None for name in COSTS))
    if row["SkuMeter"] is None:
        check("what has no meter has no price", row["SkuPriceId"] is None and row["PricingQuantity"] is None)
        stated += 1
        continue
    if bought and row["ChargeClass"] is None:
        check("what is bought has a quantity and a price", row["PricingQuantity"] and row["SkuPriceId"] and row["SkuId"])
        check("what is used has a quantity", not used or row["ConsumedQuantity"])
        if row["ListUnitPrice"] is None:
            # A price for so many of a unit that no quantity can be stated in.
            check("a price is left out", row["x_PricePer"] not in ("1", "60", "1000", "3600", "1000000"))
            odd += 1
            continue
        with localcontext(prec=60):
            for price, cost in (("ListUnitPrice", "ListCost"), ("ContractedUnitPrice", "ContractedCost")):
                product = Decimal(row[price]) * Decimal(row["PricingQuantity"])
                # Each charge's cost was rounded by itself: a day of ten thousand of them is right to 10^-8.
                check(f"{price} times PricingQuantity is no {cost}", abs(product - Decimal(row[cost])) < Decimal("1e-8"))
        check("a price is negative", Decimal(row["ListUnitPrice"]) >= 0)
print(f"{len(rows)} rows of FOCUS 1.2 in order, {unpriced} of them without a price, {stated} stated or shared, {odd} of an odd unit")
