//! `charges`: one row per charge, with all that is needed to reprice, re-attribute and reconcile it.

use schemas::codec::Format;
use schemas::{
    Batch, Charge, ChargeClass, Costs, Counterfactual, Dimensions, Line, Meter, Quantity, UnpricedMeter, topics,
};
use stream::Record;

use super::{Decoded, Row, Rows, items_of_batch};
use crate::column::{Column, boolean, id, int, list, long, money, pairs, price, quantity, text, texts, time};

/// The table `charges`.
#[derive(Debug)]
pub struct Charges(Format<Batch<Box<Charge>>>);

impl Rows for Charges {
    // Boxed: a charge has some two and a half kilobytes, and is handed on several times.
    type Item = Box<Charge>;
    const TABLE: &'static str = "charges";
    const TOPIC: &'static str = topics::CHARGES;
    const ABOUT: &'static str = "One row per charge. Originals, reversals and replacements add up: plain sums of money, \
         requests and meters are net of corrections.";
    const SORT: &'static [&'static str] = &["tenant", "team", "event_time"];
    const LOOKUPS: &'static [&'static str] = &["charge_id", "call_key"];

    fn new() -> Self {
        Charges(Format::new())
    }

    fn decode(&self, record: &Record<'_>) -> Result<Decoded<Box<Charge>>, String> {
        items_of_batch(&self.0, record)
    }

    fn event_date(charge: &Self::Item) -> i32 {
        charge.event.event_time.days()
    }

    fn columns() -> Vec<Column<Row<Box<Charge>>>> {
        let mut columns = identity();
        columns.extend(costs());
        columns.extend(call());
        columns.extend(owner());
        columns.extend(Meter::ALL.iter().map(|meter| meter_column(*meter)));
        columns.extend(evidence());
        columns
    }
}

fn identity() -> Vec<Column<Row<Box<Charge>>>> {
    vec![
        text("tenant", "Tenant.", |row| Some(&row.item.event.tenant)),
        id("charge_id", "Id of the row: hash of dedup key, revision and class.", |row| Some(row.item.charge_id)),
        text("class", "original, reversal, replacement or allocation.", |row| Some(row.item.class.as_str())),
        int("revision", "", "0 for the original; grows with every replacement.", |row| Some(row.item.revision)),
        id("corrects", "Charge this row takes back or replaces.", |row| row.item.corrects),
        text("correction_reason", "Why it was corrected.", |row| {
            row.item.correction_reason.map(|reason| reason.as_str())
        }),
        id("correction_id", "Correction that asked for it.", |row| row.item.correction_id),
        text("call_key", "Strongest identity of the call.", |row| Some(&row.item.event.call_key)),
        text("identity", "How strong that identity is: response_id, span, event_id or position.", |row| {
            Some(row.item.event.identity.as_str())
        }),
        texts("weaker_keys", "Weaker identities the same call is known by.", |row, each| {
            row.item.event.weaker_keys.iter().for_each(|key| each(key));
        }),
        int("iteration", "", "Index of the model call within one body.", |row| Some(row.item.event.iteration)),
        id("dedup_key", "Copies that share it are one call.", |row| Some(row.item.event.dedup_key)),
        id("content_hash", "Hash of everything the charge depends on.", |row| Some(row.item.event.content_hash)),
        int("precedence", "", "Precedence of the source among copies; smaller wins.", |row| {
            Some(row.item.event.precedence)
        }),
        boolean("amends", "True when the producer stated that this replaces an earlier copy.", |row| {
            Some(row.item.event.amends)
        }),
        text("event_id", "The producer's own event id.", |row| row.item.event.event_id.as_deref()),
        text("source", "The producer.", |row| Some(&row.item.event.source)),
        time("event_time", "When the call was made.", |row| Some(row.item.event.event_time)),
        time("received_at", "When the raw record arrived.", |row| Some(row.item.event.received_at)),
        time("booked_at", "When what caused this row arrived: the event, or the correction.", |row| {
            Some(row.item.booked_at)
        }),
        time("charge_period_start", "Start of the period charged for, for resources billed by time.", |row| {
            row.item.event.charge_period_start
        }),
        time("charge_period_end", "End of that period, exclusive.", |row| row.item.event.charge_period_end),
    ]
}

fn costs() -> Vec<Column<Row<Box<Charge>>>> {
    const IN: &str = "`currency`";
    const REPORTING: &str = "`reporting_currency`";
    fn reporting(row: &Row<Box<Charge>>) -> Option<&Costs> {
        row.item.reporting.as_ref()
    }
    vec![
        long(
            "requests",
            "calls",
            "Calls this row adds: 1, or 0 for further iterations; negated in a reversal.",
            |row| Some(i64::from(row.item.requests)),
        ),
        text("pricing_status", "priced, partial, unpriced or free.", |row| Some(row.item.status.as_str())),
        text("currency", "ISO 4217 currency of the costs.", |row| Some(&row.item.costs.currency)),
        money("list_cost", IN, "At public prices; null is unknown, never zero.", |row| row.item.costs.list),
        money("contracted_cost", IN, "At contract prices.", |row| row.item.costs.contracted),
        money(
            "effective_cost",
            IN,
            "Contracted, commitments and purchases spread: what windows and budgets sum.",
            |row| row.item.costs.effective,
        ),
        money("billed_cost", IN, "On the invoice; null until invoiced.", |row| row.item.costs.billed),
        text("reporting_currency", "Reporting currency; null when it is `currency`.", |row| {
            Some(&reporting(row)?.currency)
        }),
        money("reporting_list_cost", REPORTING, "List cost.", |row| reporting(row)?.list),
        money("reporting_contracted_cost", REPORTING, "Contracted cost.", |row| reporting(row)?.contracted),
        money("reporting_effective_cost", REPORTING, "Effective cost.", |row| reporting(row)?.effective),
        money("reporting_billed_cost", REPORTING, "Billed cost.", |row| reporting(row)?.billed),
        text("fx_rate_id", "Exchange rate used for the reporting costs.", |row| row.item.fx_rate_id.as_deref()),
        money("reported_cost", "`reported_currency`", "Cost the producer reports. Never added to ours.", |row| {
            row.item.event.reported_cost.as_ref().map(|cost| cost.amount)
        }),
        text("reported_currency", "ISO 4217 currency of the reported cost.", |row| {
            row.item.event.reported_cost.as_ref().map(|cost| cost.currency.as_str())
        }),
        text("reported_basis", "What the reported cost is, in the producer's terms.", |row| {
            row.item.event.reported_cost.as_ref().map(|cost| cost.basis.as_str())
        }),
        money("stated_cost", "`stated_currency`", "Cost that was stated, not computed.", |row| {
            row.item.event.stated_cost.as_ref().map(|cost| cost.amount)
        }),
        text("stated_currency", "ISO 4217 currency of the stated cost.", |row| {
            row.item.event.stated_cost.as_ref().map(|cost| cost.currency.as_str())
        }),
        text("stated_basis", "What the stated cost is.", |row| {
            row.item.event.stated_cost.as_ref().map(|cost| cost.basis.as_str())
        }),
        list(
            "lines",
            "Priced meters; they add up to the costs. In a reversal their costs are negated, their quantities are not.",
            lines(),
            |row| &row.item.lines,
        ),
        list(
            "unpriced",
            "Meters without a price, and why. The quantities of a reversal are not negated.",
            unpriced(),
            |row| &row.item.unpriced,
        ),
        list(
            "counterfactuals",
            "What it would have cost otherwise; never netted into cost.",
            counterfactuals(),
            |row| &row.item.counterfactuals,
        ),
        text("cost_basis", "Who bears the marginal cost: only on_demand adds any by itself.", |row| {
            Some(row.item.event.cost_basis.as_str())
        }),
        text("charge_category", "FOCUS charge category.", |row| Some(row.item.event.charge_category.as_str())),
    ]
}

fn lines() -> Vec<Column<Line>> {
    vec![
        text("meter", "Meter.", |line: &Line| Some(line.meter.as_str())),
        quantity("quantity", "meter's unit", "Used.", |line: &Line| Some(line.quantity)),
        quantity("billed_quantity", "meter's unit", "Charged for.", |line: &Line| Some(line.billed_quantity)),
        price("list_unit_price", "currency per `per`", "Public price.", |line| Some(line.list_unit_price)),
        price("contracted_unit_price", "currency per `per`", "Contract price.", |line| line.contracted_unit_price),
        long("per", "meter's unit", "Quantity the price is for.", |line| Some(line.per)),
        text("currency", "Currency.", |line| Some(&line.currency)),
        text("rate_id", "Rate row.", |line| Some(&line.rate_id)),
        text("contracted_rate_id", "Contract row.", |line| line.contracted_rate_id.as_deref()),
        money("list_cost", "currency", "List cost.", |line| Some(line.list_cost)),
        money("contracted_cost", "currency", "Contracted cost.", |line| Some(line.contracted_cost)),
    ]
}

fn unpriced() -> Vec<Column<UnpricedMeter>> {
    vec![
        text("meter", "Meter.", |row: &UnpricedMeter| Some(row.meter.as_str())),
        quantity("quantity", "meter's unit", "How much.", |row: &UnpricedMeter| Some(row.quantity)),
        text("reason", "Why.", |row| Some(&row.reason)),
    ]
}

fn counterfactuals() -> Vec<Column<Counterfactual>> {
    vec![
        text("kind", "Under which change.", |row: &Counterfactual| Some(row.kind.as_str())),
        money("cost", "currency", "Cost then.", |row| Some(row.cost)),
        text("currency", "Currency.", |row| Some(&row.currency)),
        text("basis", "Model, rate or rule it was computed with.", |row| Some(&row.basis)),
    ]
}

fn call() -> Vec<Column<Row<Box<Charge>>>> {
    vec![
        text("provider", "Who bills for the call.", |row| Some(&row.item.event.provider)),
        text("publisher", "Who made the model, where it is not the provider.", |row| {
            row.item.event.publisher.as_deref()
        }),
        text("model", "Model that served the call.", |row| Some(&row.item.event.model)),
        text("requested_model", "Model that was asked for, where it differs.", |row| {
            row.item.event.requested_model.as_deref()
        }),
        text("model_class", "Class of the model in this book: premium, standard, economy.", |row| {
            row.item.model_class.as_deref()
        }),
        text("sku", "SKU the model resolved to.", |row| row.item.sku.as_deref()),
        text("operation", "Operation: chat, embeddings, ...", |row| Some(&row.item.event.operation)),
        text("service_tier", "Tier that served the call.", |row| row.item.event.price_context.service_tier.as_deref()),
        text("requested_tier", "Tier that was asked for; never used for pricing.", |row| {
            row.item.event.price_context.requested_tier.as_deref()
        }),
        boolean("batch", "True when the call ran in a batch.", |row| Some(row.item.event.price_context.batch)),
        text("speed", "Speed class.", |row| row.item.event.price_context.speed.as_deref()),
        text("region", "Region that served the call.", |row| row.item.event.price_context.region.as_deref()),
        text("residency", "Data residency the price depends on.", |row| {
            row.item.event.price_context.residency.as_deref()
        }),
        text("endpoint", "Kind of endpoint, where it changes the price.", |row| {
            row.item.event.price_context.endpoint.as_deref()
        }),
        text("size", "Size of an image or video.", |row| row.item.event.price_context.size.as_deref()),
        text("quality", "Quality of an image.", |row| row.item.event.price_context.quality.as_deref()),
        text("resolution", "Resolution of a video.", |row| row.item.event.price_context.resolution.as_deref()),
        text("search_context", "Search context size.", |row| row.item.event.price_context.search_context.as_deref()),
    ]
}

/// A column for each dimension.
macro_rules! dimensions {
    ($($name:ident: $doc:literal),* $(,)?) => {
        fn owner() -> Vec<Column<Row<Box<Charge>>>> {
            vec![
                $(text(stringify!($name), $doc, |row: &Row<Box<Charge>>| row.item.owner.$name.as_deref()),)*
                text("attribution_rule", "Rule that named the owner; null when unallocated.", |row: &Row<Box<Charge>>| {
                    row.item.rule.as_deref()
                }),
                text("attribution_confidence", "exact, stated, assumed or none.", |row: &Row<Box<Charge>>| {
                    Some(row.item.confidence.as_str())
                }),
                text("directory_version", "Version of the directory.", |row: &Row<Box<Charge>>| {
                    Some(&row.item.directory_version)
                }),
                text("key_id", "API key id or alias, never the key.", |row: &Row<Box<Charge>>| {
                    row.item.event.key_id.as_deref()
                }),
                text("resource", "Deployment, inference profile or host.", |row: &Row<Box<Charge>>| {
                    row.item.event.resource.as_deref()
                }),
                pairs("tags", "Labels the producer put on the call; allowed keys only.", |row: &Row<Box<Charge>>, each| {
                    row.item.event.tags.iter().for_each(|tag| each(&tag.key, &tag.value));
                }),
                pairs("claimed", "Dimensions the producer stated itself, as the rules saw them.", |row: &Row<Box<Charge>>, each| {
                    each_dimension(&row.item.event.claimed, each);
                }),
            ]
        }
    };
}

dimensions! {
    team: "Team that pays; null is unallocated.",
    project: "Project.",
    cost_center: "Cost centre.",
    business_unit: "Business unit.",
    environment: "Environment: production, staging, ...",
    customer: "Customer served.",
    user: "User, as a keyed hash; never the identifier itself.",
    application: "Application.",
    feature: "Feature of the application.",
    use_case: "Use case.",
    workload_profile: "Workload profile.",
    task_class: "Task class.",
    routing_lane: "Routing lane of a gateway.",
    agent: "Agent.",
    session: "Conversation or session id.",
    run_id: "Run or job id.",
    billing_account: "Billing account at the provider.",
    sub_account: "Sub-account at the provider.",
    invoice: "Invoice.",
    cost_category: "compute, api_and_licences, data_and_labelling, people, tooling or compliance.",
    spend_class: "production, development, experimental or embedded.",
    parent: "Parent call or charge.",
}

/// Gives each known dimension to a callback.
pub(super) fn each_dimension(of: &Dimensions, each: &mut dyn FnMut(&str, &str)) {
    of.named().filter_map(|(name, value)| Some((name, value.as_deref()?))).for_each(|(name, value)| each(name, value));
}

/// Unit of a meter.
pub(super) fn unit(meter: Meter) -> &'static str {
    match meter {
        meter if meter.is_tokens() => "tokens",
        Meter::InputAudioSeconds | Meter::SessionAudioSeconds | Meter::OutputVideoSeconds => "seconds",
        Meter::ResourceSeconds | Meter::GpuSeconds => "seconds",
        Meter::OutputImages => "images",
        Meter::InputCharacters => "characters",
        Meter::OcrPages | Meter::AnnotatedPages | Meter::WebFetches => "pages",
        Meter::RerankSearches | Meter::WebSearches | Meter::FileSearches => "searches",
        Meter::SearchQueries => "queries",
        Meter::MapsGroundings => "groundings",
        Meter::CodeSessions => "sessions",
        Meter::SeatDays => "days",
        Meter::Credits => "credits",
        _ => "calls",
    }
}

/// Column of a meter: `requests` is what every table calls its count of calls, so the meter of that name yields.
pub(crate) fn meter_name(meter: Meter) -> &'static str {
    if meter == Meter::Requests { "billable_requests" } else { meter.as_str() }
}

fn meter_column(meter: Meter) -> Column<Row<Box<Charge>>> {
    let name = meter_name(meter);
    let doc =
        format!("Meter `{meter}`: disjoint from the other meters; null where none was used, negated in a reversal.");
    quantity(name, unit(meter), doc, move |row: &Row<Box<Charge>>| {
        let used = row.item.event.usage.iter().find(|used| used.meter == meter)?.quantity;
        Some(if row.item.class == ChargeClass::Reversal { used.negated() } else { used })
    })
}

fn evidence() -> Vec<Column<Row<Box<Charge>>>> {
    fn shared(row: &Row<Box<Charge>>) -> Option<&schemas::Allocation> {
        row.item.allocation.as_ref()
    }
    vec![
        text("book_version", "Version of the price book.", |row| Some(&row.item.book_version)),
        texts("flags", "Remarks on the quality of the event and its price.", |row, each| {
            row.item.flags.iter().for_each(|flag| each(flag.as_str()));
        }),
        texts("event_flags", "Those of them that are the event's own.", |row, each| {
            row.item.event.flags.iter().for_each(|flag| each(flag.as_str()));
        }),
        text("usage_checked", "Identity that was checked when the usage was normalised.", |row| {
            Some(&row.item.event.checked)
        }),
        text("raw_usage", "Original usage object as JSON, at most 16 KB.", |row| Some(&row.item.event.raw_usage)),
        id("raw_usage_hash", "Hash of the whole original usage object.", |row| Some(row.item.event.raw_usage_hash)),
        text("extractor", "Extractor that normalised the usage.", |row| Some(&row.item.event.extractor)),
        int("extractor_version", "", "Its version.", |row| Some(row.item.event.extractor_version)),
        text("raw_topic", "Raw topic of the event.", |row| Some(&row.item.event.position.topic)),
        int("raw_partition", "", "Its partition there.", |row| Some(row.item.event.position.partition)),
        long("raw_offset", "", "Its offset there.", |row| Some(row.item.event.position.offset)),
        int("raw_item", "", "Its index within the raw record.", |row| Some(row.item.event.position.item)),
        id("allocation_shared_charge", "Charge that was split.", |row| Some(shared(row)?.shared_charge)),
        text("allocation_rule", "Rule of the split, with its version.", |row| Some(&shared(row)?.rule)),
        text("allocation_method", "Method of the split.", |row| Some(&shared(row)?.method)),
        quantity(
            "allocation_weight",
            "weights",
            "Weight of this share.",
            |row: &Row<Box<Charge>>| -> Option<Quantity> { Some(shared(row)?.weight) },
        ),
        quantity(
            "allocation_weight_total",
            "weights",
            "Sum of all weights.",
            |row: &Row<Box<Charge>>| -> Option<Quantity> { Some(shared(row)?.weight_total) },
        ),
    ]
}
