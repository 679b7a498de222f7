"""Reckons every report of a lake again, and says where a figure differs.

usage: reports.py LAKE ANSWERS

ANSWERS holds the reports as JSON. Each is reckoned three times: by DuckDB from queries written here, which know nothing of
those that ship; and by DuckDB and DataFusion from the very query that the report ran. Ratios are reckoned here in whole
numbers. Ends with an error at the first figure that differs by a picodollar.
"""

import hashlib
import json
import os
import sys
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from pathlib import Path

import datafusion
import deltalake
import duckdb
from tables import view

lake, answers = sys.argv[1:]
PLACES = Decimal("1e-12")
duck = duckdb.connect()
duck.execute("SET TimeZone = 'UTC'")
session = datafusion.SessionContext(datafusion.SessionConfig().set("datafusion.execution.time_zone", "+00:00"))
for name in ("charges", "facts", "budgets"):
    table = deltalake.DeltaTable(f"{lake}/{name}")
    view(duck, f"{name}_view", table)
    duck.execute(f"CREATE TABLE {name} AS FROM {name}_view")
    session.register_record_batches(name, [table.to_pyarrow_table().to_batches()])

# Our own view of a charge: picodollars as whole numbers, tokens summed by kind.
meters = [name for name, *_ in duck.execute("DESCRIBE charges").fetchall() if name.endswith("_tokens")]


def tokens(*begin):
    """Whole tokens of all meters whose name begins so; nothing else is billed in parts of a token here."""
    return " + ".join(f"CAST(ifnull({name}, 0) AS HUGEINT)" for name in meters if name.startswith(begin))


ins, cached, wrote, outs = (tokens(kind) for kind in ("input_", "cache_read_", "cache_write_", "output_"))
duck.execute(f"""
    CREATE TABLE c AS
    SELECT *, CAST(effective_cost * 1000000000000 AS HUGEINT) AS spent,
           CAST(contracted_cost * 1000000000000 AS HUGEINT) AS at_contract, CAST(list_cost * 1000000000000 AS HUGEINT) AS at_list,
           CAST(reporting_effective_cost * 1000000000000 AS HUGEINT) AS converted,
           {ins} AS ins, {cached} AS cached, {wrote} AS wrote, {outs} AS outs,
           epoch_us(event_time) AS called, epoch_us(received_at) AS arrived, epoch_us(booked_at) AS booked,
           strftime(event_date, '%Y-%m-01') AS month, CAST(event_date AS VARCHAR) AS day
    FROM charges
""")


def money(value):
    return None if value is None else Decimal(value).scaleb(-12)


def ratio(part, whole, times=1):
    """Exactly, rounded half-even to 12 places."""
    if part is None or not whole:
        return None
    with localcontext(prec=100):
        return (Decimal(part) * times / Decimal(whole)).quantize(PLACES, ROUND_HALF_EVEN)


def picked(answer):
    where = ["true"]
    if answer["from"]:
        where.append(f"CAST(event_date AS VARCHAR) >= '{answer['from']}'")
    if answer["to"]:
        where.append(f"CAST(event_date AS VARCHAR) <= '{answer['to']}'")
    if answer["as_of"]:
        where.append(f"booked <= {duck.execute('SELECT epoch_us(CAST(? AS TIMESTAMPTZ))', [answer['as_of']]).fetchone()[0]}")
    return f"(SELECT * FROM c WHERE {' AND '.join(where)})"


def grouped(answer, columns, source, keys=(), keep=lambda row: True):
    """Rows as dictionaries, by the answer's dimensions, currency and further keys."""
    names = [*answer["by"], "currency", *keys]
    groups = ", ".join(f'"{name}"' for name in names)
    found = duck.execute(f"SELECT {groups}, {', '.join(columns.values())} FROM {source} GROUP BY ALL").fetchall()
    rows = [dict(zip([*names, *columns], row)) for row in found]
    return [row for row in rows if keep(row)]


WHOLE = "pricing_status IN ('priced', 'free')"
CALL = "charge_category = 'usage' AND class != 'allocation' AND operation NOT IN ('gpu', 'credits', 'seat', 'ledger_entry')"
ARRIVED = "received_at, raw_topic, raw_partition, raw_offset, raw_item"
HOUR, DAY = 3_600_000_000, 86_400_000_000


def spend(answer):
    # Of a row that was converted in part, or into two currencies, there is no whole.
    converted = "count(DISTINCT reporting_currency) = 1 AND NOT bool_or(spent IS NOT NULL AND converted IS NULL)"
    rows = grouped(answer, {
        "requests": "sum(requests)", "effective_cost": "sum(spent)", "contracted_cost": "sum(at_contract)",
        "list_cost": "sum(at_list)", "reporting_currency": f"CASE WHEN {converted} THEN any_value(reporting_currency) END",
        "reporting_effective_cost": f"CASE WHEN {converted} THEN sum(converted) END",
        "input_tokens": "sum(ins)", "cache_read_tokens": "sum(cached)",
        "cache_write_tokens": "sum(wrote)", "output_tokens": "sum(outs)",
        "unpriced_requests": "sum(CASE WHEN spent IS NULL OR pricing_status = 'partial' THEN requests ELSE 0 END)",
    }, picked(answer), keep=lambda row: row["requests"] or row["effective_cost"])
    totals = {}
    for row in rows:
        totals[row["currency"]] = totals.get(row["currency"], 0) + (row["effective_cost"] or 0)
    signs = {(row["currency"], row["effective_cost"] > 0) for row in rows if row["effective_cost"]}
    for row in rows:
        # Of what has parts of both signs nothing is a share.
        whole = not {(row["currency"], True), (row["currency"], False)} <= signs
        row["share"] = ratio(row["effective_cost"], totals[row["currency"]]) if whole else None
        for name in ("effective_cost", "contracted_cost", "list_cost", "reporting_effective_cost"):
            row[name] = money(row[name])
    return rows


def unit_cost(answer):
    rows = grouped(answer, {
        "requests": "sum(requests)", "priced_requests": f"sum(CASE WHEN {WHOLE} THEN requests ELSE 0 END)",
        "effective_cost": f"sum(CASE WHEN {WHOLE} THEN spent END)",
        "priced_tokens": f"sum(CASE WHEN {WHOLE} THEN ins + cached + wrote + outs ELSE 0 END)",
    }, f"(FROM {picked(answer)} WHERE {CALL})")
    for row in rows:
        row["effective_cost"] = money(row["effective_cost"])
        row["cost_per_request"] = ratio(row["effective_cost"], row["priced_requests"])
        row["cost_per_million_tokens"] = ratio(row["effective_cost"], row["priced_tokens"], 1_000_000)
        row["coverage"] = ratio(row["priced_requests"], row["requests"])
    return rows


def savings(answer):
    """Each way to the charge beside the next cheaper one that is known; a subscription saves its list price alone, and what is no call nothing."""
    kinds = ["uncached", "unbatched", "standard_tier", "baseline_model", "cheapest_equal_class", "other_provider", "retail"]
    costs = ", ".join(
        f"CAST(list_filter(counterfactuals, lambda other: other.kind = '{kind}')[1].cost * 1000000000000 AS HUGEINT) AS {kind}"
        for kind in kinds)
    # Without a cache in play, what stands before batch or tier is the list price.
    below = "coalesce(uncached, CASE WHEN cached = 0 AND wrote = 0 THEN at_list END)"
    ways = {"uncached": "at_list", "unbatched": below, "standard_tier": below,
            "baseline_model": "coalesce(unbatched, standard_tier, uncached, at_list)", "cheapest_equal_class": "at_list",
            "other_provider": "at_list", "retail": "spent", "at_list": "spent"}
    pairs = ", ".join(f"{{'kind': '{kind.replace('at_list', 'list_price')}', 'dear': {kind}, 'cheap': {beside}}}"
                      for kind, beside in ways.items())
    other = f"""(
        SELECT *, way.kind AS kind, way.dear AS dear, way.cheap AS cheap
        FROM (SELECT *, unnest([{pairs}]) AS way FROM (SELECT *, {costs} FROM {picked(answer)} WHERE {CALL}))
        WHERE way.dear IS NOT NULL AND way.cheap IS NOT NULL
          AND CASE WHEN cost_basis = 'on_demand' THEN way.kind <> 'retail' ELSE way.kind = 'retail' END)"""
    rows = grouped(answer, {
        "requests": "sum(requests)", "effective_cost": "sum(spent)", "compared_cost": "sum(cheap)", "other_cost": "sum(dear)",
        "saved": "sum(dear - cheap)",
    }, other, ["kind"])
    for row in rows:
        row["saved_share"] = ratio(row["saved"], row["other_cost"])
        for name in ("effective_cost", "compared_cost", "other_cost", "saved"):
            row[name] = money(row[name])
    return rows


def unpriced(answer):
    source = f"""(
        SELECT *, gap.meter AS meter, gap.reason AS reason,
               CAST(gap.quantity AS HUGEINT) * CASE WHEN requests < 0 THEN -1 ELSE 1 END AS used
        FROM (SELECT *, unnest(unpriced) AS gap FROM {picked(answer)}))"""
    return grouped(answer, {
        "requests": "sum(requests)", "quantity": "sum(used)", "first_day": "min(day)", "last_day": "max(day)",
    }, source, ["meter", "reason"], lambda row: row["requests"] or row["quantity"])


def unallocated(answer):
    rows = grouped(answer, {
        "requests": "sum(requests)", "effective_cost": "sum(spent)", "list_cost": "sum(at_list)", "first_day": "min(day)",
        "last_day": "max(day)",
    }, f"(FROM {picked(answer)} WHERE team IS NULL)", keep=lambda row: row["requests"] or row["effective_cost"])
    for row in rows:
        row["effective_cost"], row["list_cost"] = money(row["effective_cost"]), money(row["list_cost"])
    return rows


def late(answer):
    for_hour = f"arrived >= called - called % {HOUR} + {2 * HOUR}"
    for_day = f"arrived >= called - called % {DAY} + {30 * HOUR}"
    rows = grouped(answer, {
        "requests": "sum(requests)", "effective_cost": "sum(spent)",
        "late_for_hour_requests": f"sum(CASE WHEN {for_hour} THEN requests ELSE 0 END)",
        "late_for_hour_cost": f"sum(CASE WHEN {for_hour} THEN spent END)",
        "late_for_day_requests": f"sum(CASE WHEN {for_day} THEN requests ELSE 0 END)",
        "late_for_day_cost": f"sum(CASE WHEN {for_day} THEN spent END)",
    }, f"(FROM {picked(answer)} WHERE class = 'original')")
    for row in rows:
        for name in ("hour", "day"):
            row[f"late_for_{name}_share"] = ratio(row[f"late_for_{name}_requests"], row["requests"])
        for name in ("effective_cost", "late_for_hour_cost", "late_for_day_cost"):
            row[name] = money(row[name])
    return rows


def quality(answer):
    aspects = ["pricing_status", "attribution_confidence", "identity", "cost_basis"]
    pairs = ", ".join(f"{{'aspect': '{name}', 'value': {name}}}" for name in aspects)
    flags = "list_transform(flags, lambda flag: {'aspect': 'flag', 'value': flag})"
    source = f"""(SELECT *, said.aspect AS aspect, said.value AS value FROM (
        SELECT *, unnest(list_concat([{pairs}], {flags})) AS said FROM {picked(answer)}))"""
    rows = grouped(answer, {"requests": "sum(requests)", "effective_cost": "sum(spent)"}, source, ["aspect", "value"],
                   lambda row: row["requests"] or row["effective_cost"])
    for row in rows:
        row["effective_cost"] = money(row["effective_cost"])
    return rows


REPORTS = {"spend": spend, "unit-cost": unit_cost, "savings": savings, "unpriced": unpriced, "unallocated": unallocated,
           "late": late, "quality": quality}


def plain(value):
    """A cell as something that compares: numbers as exact decimals, days and words as text."""
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return Decimal(value).quantize(PLACES)
    return str(value) if isinstance(value, (date, str)) else value


def number(name, value):
    """A cell of JSON: amounts are strings there."""
    words = {"day", "month", "first_day", "last_day", "currency", "reporting_currency", "kind", "meter", "reason", "aspect", "value"}
    if name in words or name in WORDS or value is None:
        return plain(value)
    return plain(Decimal(value))


def comparable(rows, names):
    with localcontext(prec=60):
        return sorted(([plain(row.get(name)) for name in names] for row in rows), key=lambda row: [str(cell) for cell in row])


def differ(what, found, expected, names):
    for ours, theirs in zip(found, expected):
        if ours != theirs:
            cells = [f"{name}: {a} is not {b}" for name, a, b in zip(names, ours, theirs) if a != b]
            sys.exit(f"{what}: {'; '.join(cells)}\nours   {ours}\ntheirs {theirs}")
    if len(found) != len(expected):
        sys.exit(f"{what}: {len(found)} rows, not {len(expected)}")


WORDS = set()
figures = 0
with localcontext(prec=60):
    for path in sorted(Path(answers).glob("[0-9]*.json"), key=lambda path: int(path.stem)):
        answer = json.loads(path.read_text())
        WORDS = set(answer["by"])
        what = f"{answer['report']} by {answer['by']} from {answer['from']} to {answer['to']} as of {answer['as_of']}"
        expected = REPORTS[answer["report"]](answer)
        names = list(expected[0])
        ours = [{name: number(name, value) for name, value in row.items()} for row in answer["rows"]]
        strange = {name for row in ours for name in row} - set(names)
        if strange:
            sys.exit(f"{what}: nobody reckons {strange}")
        found = comparable(ours, names)
        differ(f"{what}, reckoned anew", found, comparable(expected, names), names)
        figures += len(found) * len(names)
        # The query itself, in order: ratios are not its business.
        shipped = duck.execute(answer["query"])
        names = [column[0] for column in shipped.description]
        in_order = [[row.get(name) for name in names] for row in ours]
        by_duck = [[plain(cell) for cell in row] for row in shipped.fetchall()]
        differ(f"{what}, its query in DuckDB", in_order, by_duck, names)
        table = session.sql(answer["query"]).to_arrow_table().to_pylist()
        differ(f"{what}, its query in DataFusion", in_order, [[plain(cell) for cell in row.values()] for row in table], names)
        print(f"{what}: {len(found)} rows agree")


def price_of(card, unit, team, workload, at):
    """The row of the card that holds: of the one that states more, else the team's; of one scope, the one that began last."""
    holding = []
    for row in card:
        of_team, of_workload = row.get("team"), row.get("workload")
        for_us = row["unit"] == unit and of_team in (None, team) and of_workload in (None, workload)
        if for_us and row["begins"] <= at < row["ends"]:
            holding.append(((bool(of_team) + bool(of_workload), bool(of_team), row["begins"]), row))
    return max(holding, key=lambda held: held[0])[1] if holding else None


def moment(text, otherwise):
    return duck.execute("SELECT epoch_us(CAST(? AS TIMESTAMPTZ))", [text]).fetchone()[0] if text else otherwise


def margin(answer, card):
    """Units at the price of their time, and what the calls of their workload cost."""
    for row in card:
        row["begins"], row["ends"] = moment(row.get("valid_from"), -10**18), moment(row.get("valid_to"), 10**18)
    where = ["kind = 'value_units'"]
    if answer["from"]:
        where.append(f"CAST(event_date AS VARCHAR) >= '{answer['from']}'")
    if answer["to"]:
        where.append(f"CAST(event_date AS VARCHAR) <= '{answer['to']}'")
    if answer["as_of"]:
        where.append(f"epoch_us(received_at) <= {moment(answer['as_of'], None)}")
    found = duck.execute(f"""
        SELECT fact_id, name, workload, element_at(claimed, 'team'), CAST(quantity * 1000000000000 AS HUGEINT),
               epoch_us(event_time), strftime(event_date, '%Y-%m-01'), CAST(event_date AS VARCHAR)
        FROM facts WHERE {' AND '.join(where)} ORDER BY {ARRIVED}""").fetchall()
    first = {}
    for row in found:
        first.setdefault(row[0], row[1:])
    facts = list(first.values())
    delivered = {}

    def work(workload, team):
        """Whose units and calls belong together: a workload's, else a team's, else nobody's."""
        return ("workload", workload) if workload else ("team", team) if team else None

    # Ingest has its own word for what states no workload.
    facts = [(unit, None if workload == "default" else workload, team[0] if isinstance(team, list) and team else team or None, *rest)
             for unit, workload, team, *rest in facts]
    for unit, workload, team, *_ in facts:
        delivered.setdefault(work(workload, team), set()).add(unit)
    groups = {}

    def group(unit, said):
        place = (*(said.get(name) for name in answer["by"]), unit)
        return groups.setdefault(place, {"unrated": 0, "sides": {}})

    def side(of, currency):
        return of["sides"].setdefault(currency, {"units": 0, "exact": 0, "prices": set(), "requests": 0, "unpriced": 0, "cost": None})

    for unit, workload, team, quantity, at, month, day in facts:
        of = group(unit, {"team": team, "workload_profile": workload, "month": month, "day": day})
        row = price_of(card, unit, team, workload, at)
        if row is None:
            of["unrated"] += quantity
            continue
        into = side(of, row.get("currency", "USD"))
        into["units"] += quantity
        into["exact"] += quantity * int(Decimal(row["price"]).scaleb(12))
        into["prices"].add(Decimal(row["price"]))
    for team, workload, month, day, currency, requests, spent, gaps in duck.execute(f"""
        SELECT team, workload_profile, month, day, currency, sum(requests), sum(spent),
               sum(CASE WHEN pricing_status IN ('unpriced', 'partial') THEN requests ELSE 0 END)
        FROM {picked(answer)} GROUP BY ALL""").fetchall():
        units = delivered.get(work(workload, team), ()) if work(workload, team) else ()
        unit = next(iter(units)) if len(units) == 1 else None
        into = side(group(unit, {"team": team, "workload_profile": workload, "month": month, "day": day}), currency)
        into["requests"] += requests
        into["unpriced"] += gaps
        if spent is not None:
            into["cost"] = (into["cost"] or 0) + spent
    rows = []
    for place, of in groups.items():
        unrated, sides = of["unrated"] or None, of["sides"]
        everything = (unrated or 0) + sum(one["units"] for one in sides.values())
        costs = [one for one in sides.values() if one["cost"] is not None]
        for currency in sorted(sides) + ([None] if unrated and all(one["units"] for one in sides.values()) else []):
            one = sides.get(currency) or {"units": 0, "cost": None, "requests": 0, "unpriced": 0}
            row = dict(zip([*answer["by"], "unit"], place), currency=currency, units=money(one["units"] or None))
            row["unrated_units"] = None if one["units"] else money(unrated)
            if not one["units"]:
                unrated = None
            row["unit_price"] = row["chargeback"] = None
            if one["units"]:
                row["chargeback"] = Decimal(one["exact"]).scaleb(-24).quantize(PLACES, ROUND_HALF_EVEN)
                average = ratio(row["chargeback"], row["units"])
                row["unit_price"] = next(iter(one["prices"])) if len(one["prices"]) == 1 else average
            row["requests"], row["unpriced_requests"] = one["requests"], one["unpriced"]
            row["effective_cost"] = money(one["cost"])
            row["cost_per_unit"] = ratio(row["effective_cost"], money(everything)) if costs == [one] else None
            whole = not of["unrated"] and len(sides) == 1 and one["units"] and one["cost"] is not None
            row["margin"] = row["chargeback"] - row["effective_cost"] if whole else None
            row["margin_share"] = ratio(row["margin"], row["chargeback"])
            rows.append(row)
    return rows


def benchmark(found):
    """Every figure of the benchmark, from charges, facts and budgets."""
    known = "9e18" if not found["as_of"] else str(
        duck.execute("SELECT epoch_us(CAST(? AS TIMESTAMPTZ))", [found["as_of"]]).fetchone()[0])

    def quarter(text):
        year, part = int(text[:4]), int(text[5])
        last = {1: "03-31", 2: "06-30", 3: "09-30", 4: "12-31"}[part]
        return f"{year}-{part * 3 - 2:02}-01", f"{year}-{last}"

    def reckon(text):
        first, last = quarter(text)
        days = f"CAST(event_date AS VARCHAR) BETWEEN '{first}' AND '{last}'"
        values = {}
        named = duck.execute("""SELECT DISTINCT workload_profile FROM c WHERE workload_profile IS NOT NULL
                                UNION SELECT DISTINCT workload FROM facts WHERE workload <> 'default'""").fetchall()
        for profile in [None, *named, ()]:
            name = "all" if profile is None else profile[0] if profile else "none stated"
            scope = {"all": "true", "none stated": "workload_profile IS NULL"}.get(name, f"workload_profile = '{name}'")
            where = f"FROM c WHERE {days} AND booked <= {known} AND {scope}"
            one = lambda expression, more="true": duck.execute(f"SELECT {expression} {where} AND {more}").fetchone()[0]
            # Ingest has its own word for what states no workload.
            workload = {"all": "true", "none stated": "workload = 'default'"}.get(name, f"workload = '{name}'")
            facts = f"""FROM (SELECT DISTINCT ON (fact_id, kind) kind, name, workload, quantity FROM facts
                              WHERE {days} AND epoch_us(received_at) <= {known} ORDER BY {ARRIVED})
                        WHERE {workload}"""
            total = duck.execute(f"SELECT sum(quantity) {facts} AND kind = 'outcome'").fetchone()[0]
            bad = duck.execute(f"SELECT sum(quantity) {facts} AND kind = 'outcome' AND name <> 'allowed'").fetchone()[0]
            if total or name == "all":
                values["blocked_or_escalated_rate", name] = ratio(bad or 0, total)
            units = duck.execute(f"SELECT sum(quantity) {facts} AND kind = 'value_units'").fetchone()[0]
            if units and name != "all":
                currencies = one("count(DISTINCT currency)", "spent IS NOT NULL")
                values["cost_per_value_unit", name] = ratio(money(one("sum(spent)")), units) if currencies == 1 else None
            if not one("count(*)"):
                continue
            classed, premium, user = f"{CALL} AND model_class IS NOT NULL", f"{CALL} AND model_class = 'premium'", "\"user\" IS NOT NULL"
            calls, whole_calls, spent = one("sum(requests)", CALL), f"{WHOLE} AND {CALL}", one("sum(spent)")
            values["governed_spend", name] = money(spent) if spent or one("sum(requests)", whole_calls) else None
            values["governed_requests", name] = calls or None
            values["cost_per_request", name] = ratio(money(one("sum(spent)", whole_calls)), one("sum(requests)", whole_calls))
            values["premium_share_of_spend", name] = ratio(one("sum(spent)", premium) or 0, one("sum(spent)", classed))
            values["premium_share_of_requests", name] = ratio(one("sum(requests)", premium) or 0, one("sum(requests)", classed))
            values["cache_hit_rate", name] = ratio(one("sum(cached)", CALL), one("sum(cached + wrote + ins)", CALL))
            uncached = "list_filter(counterfactuals, lambda other: other.kind = 'uncached')"
            saved = one(f"sum(CAST({uncached}[1].cost * 1000000000000 AS HUGEINT) - at_list)",
                        f"len({uncached}) > 0 AND cost_basis = 'on_demand' AND {CALL}")
            values["cache_savings", name] = money(saved)
            # Whoever has nothing left was no user, whatever had been said of them.
            each = duck.execute(f'SELECT sum(requests), sum(spent) {where} AND {user} GROUP BY "user"').fetchall()
            active = sum(1 for of_user in each if any(of_user))
            values["cost_per_active_user", name] = ratio(money(one("sum(spent)", user)), active)
        return values

    now, before = reckon(found["quarter"]), reckon(found["previous_quarter"])
    first, last = quarter(found["quarter"])
    def variances(text):
        """What was spent above budgets, by whose they are and the month of the quarter, with that month's name."""
        first, last = quarter(text)
        newest, kept, together = {}, {}, {}
        for tenant, identity, name, scope, month, amount, spent in duck.execute(f"""
                SELECT tenant, budget_id, name, scope, strftime(period_start, '%Y-%m'), amount, spent FROM budgets
                WHERE epoch_us(emitted_at) <= {known} AND strftime(period_start, '%Y-%m-%d') BETWEEN '{first}' AND '{last}'
                ORDER BY kafka_offset""").fetchall():
            newest[tenant, identity, month] = name, frozenset(json.loads(scope).items()), amount, spent
        for (tenant, identity, month), (name, scope, amount, spent) in newest.items():
            place = (int(month[5:]) - 1) % 3
            kept[f"{name} ({identity}) of {tenant}", place] = spent - amount, amount, month
            for word, dimension in (("team", "team"), ("business unit", "business_unit")):
                if of := dict(scope).get(dimension):
                    together.setdefault((f"{word} {of} of {tenant}", place), (month, []))[1].append((scope, amount, spent))
        for whose, (month, budgets) in together.items():
            # What a scope names more than another lies within it; what is in no dimension told apart may be the same spend.
            outer = [one for one in budgets if not any(other[0] < one[0] for other in budgets)]
            clear = all(any(dict(other[0]).get(name, value) != value for name, value in one[0])
                        for at, one in enumerate(outer) for other in outer[:at])
            amount = sum((amount for _, amount, _ in outer), Decimal(0)) if clear else Decimal(0)
            kept[whose] = sum((spent for *_, spent in outer), Decimal(0)) - amount, amount, month
        return kept

    variance, variance_before = variances(found["quarter"]), variances(found["previous_quarter"])
    budgets = {f"{whose}, month of {month}": (ratio(over, amount), ratio(*variance_before.get((whose, place), (0, 0))[:2]))
               for (whose, place), (over, amount, month) in variance.items()}
    agreed = 0
    read = lambda text: None if text == "no coverage" else Decimal(text)
    for measure in found["measures"]:
        name = measure["name"]
        if name == "budget_variance":
            ours = {figure["subject"]: (read(figure["value"]), read(figure["previous"])) for figure in measure["figures"]}
            if ours != budgets:
                sys.exit(f"{name}: {ours} is not {budgets}")
            agreed += 2 * len(ours)
            continue
        profiles = {profile for of, profile in [*now, *before] if of == name}
        if {figure["profile"] for figure in measure["figures"]} != profiles:
            sys.exit(f"{name}: profiles {[figure['profile'] for figure in measure['figures']]} are not {profiles}")
        for figure in measure["figures"]:
            for which, values in (("value", now), ("previous", before)):
                theirs = values.get((name, figure["profile"]))
                if read(figure[which]) != theirs:
                    sys.exit(f"{name} of {figure['profile']}, {which}: {figure[which]} is not {theirs}")
                agreed += 1
    newest = duck.execute(f"""SELECT max(CAST(event_date AS VARCHAR)) FROM c
                              WHERE CAST(event_date AS VARCHAR) BETWEEN '{first}' AND '{last}' AND booked <= {known}""").fetchone()[0]
    if found["charges_until"] != (newest if newest != last else None):
        sys.exit(f"charges of {found['quarter']} until {found['charges_until']}, not {newest}")
    for table in found["evidence"]["tables"]:
        for file in table["files"]:
            content = (Path(lake) / table["name"] / file["path"]).read_bytes()
            if hashlib.sha256(content).hexdigest() != file["sha256"] or len(content) != file["bytes"]:
                sys.exit(f"{table['name']}/{file['path']} is not as the evidence says")
    return agreed


with localcontext(prec=60):
    for path in sorted(Path(answers).glob("margin*.json")):
        answer = json.loads(path.read_text())
        what = f"{path.stem} by {answer['by']} from {answer['from']} to {answer['to']} as of {answer['as_of']}"
        expected = margin(answer, json.loads((Path(answers) / "card.json").read_text())["rate_card"])
        names, WORDS = list(expected[0]), {*answer["by"], "unit"}
        ours = [{name: number(name, value) for name, value in row.items()} for row in answer["rows"]]
        found = comparable(ours, names)
        differ(f"{what}, reckoned anew", found, comparable(expected, names), names)
        figures += len(found) * len(names)
        shipped = duck.execute(answer["query"])
        names = [column[0] for column in shipped.description]
        by_duck = [[plain(cell) for cell in row] for row in shipped.fetchall()]
        table = session.sql(answer["query"]).to_arrow_table().to_pylist()
        by_datafusion = [[plain(cell) for cell in row.values()] for row in table]
        differ(f"{what}, its query in DuckDB and DataFusion", by_datafusion, by_duck, names)
        print(f"{what}: {len(found)} rows agree")
    # Rows in columns of FOCUS: all of the costs, by owner and month, and the same rows in both engines.
    shipped = duck.execute((Path(__file__).parents[2] / "schemas/lake/focus.sql").read_text())
    names = [column[0] for column in shipped.description]
    rows = [dict(zip(names, row)) for row in shipped.fetchall()]
    table = session.sql((Path(__file__).parents[2] / "schemas/lake/focus.sql").read_text()).to_arrow_table().to_pylist()
    cells = lambda rows: [[plain(cell) for cell in row.values()] for row in rows]
    differ("rows of FOCUS in DuckDB and DataFusion", cells(rows), cells(table), names)
    sums, priced = {}, 0
    for row in rows:
        owner = json.loads(row["Tags"])
        group = (row["BillingCurrency"], row["ChargePeriodStart"][:7], owner.get("team"), owner.get("business_unit"))
        costs = sums.setdefault(group, [Decimal(0)] * 3)
        for at, name in enumerate(("EffectiveCost", "ContractedCost", "ListCost")):
            costs[at] += row[name] or 0
        priced += row["SkuPriceId"] is not None
    expected = {row[:4]: [money(cell) for cell in row[4:]] for row in duck.execute("""
        SELECT currency, month[:7], team, business_unit, sum(spent), sum(at_contract), sum(at_list)
        FROM c GROUP BY ALL HAVING sum(spent) IS NOT NULL""").fetchall()}
    sums, expected = ({group: costs for group, costs in of.items() if any(costs)} for of in (sums, expected))
    if sums != expected or not priced:
        sys.exit(f"rows of FOCUS: {sums} is not {expected}, {priced} with a price")
    figures += len(rows) * len(names) + 3 * len(sums)
    print(f"{len(rows)} rows of FOCUS agree")
    for path in sorted(Path(answers).glob("benchmark*.json")):
        agreed = benchmark(json.loads(path.read_text()))
        figures += agreed
        print(f"{path.stem}: {agreed} figures agree")
print(f"{figures} figures agree")

# Their libraries have threads of their own, which may abort an interpreter that is ending. Everything has been said.
sys.stdout.flush()
os._exit(0)
