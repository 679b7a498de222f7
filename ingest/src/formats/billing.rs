//! What platforms of GPUs and clusters say a resource cost: RunPod, OpenCost and Kubecost, SkyPilot. The cost is theirs and
//! stated; GPU time stands beside it. A later copy of the same row has seen more, so it amends the earlier one.

use std::borrow::Cow;

use schemas::{ChargeCategory, Meter, Quantity, ReportedCost, Text};
use smallvec::smallvec;

use crate::assemble::{Call, Out, Part, precedence};
use crate::envelope::{self, Envelope, time};
use crate::identity;
use crate::item::IgnoreReason;
use crate::json::{Json, Object};
use crate::problem::{Problem, Result};
use crate::usage::Counts;

/// A row of RunPod's billing history: what a pod or endpoint cost in one bucket of time
/// (<https://docs.runpod.io/api-reference/billing>, read 2026-11-27; no sample of one's own traffic).
pub(crate) fn runpod<'a>(json: Json<'a>, object: &Object<'a>, envelope: Envelope<'a>, out: &mut Out<'_>) -> Result<()> {
    let mut bill = Bill::new("runpod.billing", "runpod", object, envelope, out)?;
    let milliseconds = Counts::new(object, "").quantity("timeBilledMs")?.unwrap_or(Quantity::ZERO);
    bill.gpu_seconds(milliseconds.picos() / 1_000);
    let resource = first(object, &["podId", "endpointId", "gpuTypeId", "gpuId"])?;
    let resource = resource.ok_or_else(|| Problem::missing("podId", "group the history by pod, endpoint or GPU"))?;
    // Its own command line spells it otherwise (output that others published, read 2026-11-30).
    let gpu = first(object, &["gpuTypeId", "gpuId"])?;
    bill.call.model = Some(gpu.unwrap_or(Cow::Borrowed("gpu")));
    bill.call.time = time(object, "time")?;
    bill.cost(envelope::cost(object, "amount", "billed_by_provider")?, "amount")?;
    bill.identify(&[&resource, &object.string("time").unwrap_or_default()]);
    bill.envelope.resource = Some(Text::from(&*resource));
    bill.done(json, out);
    Ok(())
}

/// A row of Modal's billing report: what an app cost in one interval, without a word on the machines it ran on
/// (<https://modal.com/docs/guide/billing>, not opened; rows others published, 2026-11-29).
pub(crate) fn modal<'a>(json: Json<'a>, object: &Object<'a>, envelope: Envelope<'a>, out: &mut Out<'_>) -> Result<()> {
    let mut bill = Bill::new("modal.billing", "modal", object, envelope, out)?;
    let app = envelope::text(object, "object_id")?;
    let app = app.ok_or_else(|| Problem::missing("object_id", "it is what the row is about"))?;
    bill.call.model = Some(Cow::Borrowed("compute"));
    bill.call.time = time(object, "interval_start")?;
    bill.cost(envelope::cost(object, "cost", "billed_by_provider")?, "cost")?;
    bill.identify(&[&app, &object.string("interval_start").unwrap_or_default()]);
    bill.envelope.resource = Some(Text::from(&*app));
    bill.envelope.claimed.application = envelope::owned(object, "description")?;
    bill.envelope.claimed.environment = envelope::owned(object, "environment_name")?;
    if let Some(tags) = object.object("tags") {
        bill.envelope.add_labels(&tags, out.config);
    }
    bill.done(json, out);
    Ok(())
}

/// What OpenCost (or Kubecost) allocates: one allocation, or the sets its API answers. Only workloads that held a GPU are
/// AI spend; theirs is the whole allocation, with the processor and memory beside the GPU
/// (<https://opencost.io/docs/integrations/api>, read 2026-11-27).
pub(crate) fn opencost<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    let Some(sets) = object.array("data") else { return allocation(json, object, envelope, out) };
    for set in sets.into_iter().filter_map(Json::object) {
        for (_, json) in set.iter() {
            out.room("data")?;
            let one = json.object().ok_or_else(|| Problem::wrong_type("data", json, "allocations"));
            if let Err(problem) = one.and_then(|one| allocation(json, &one, envelope.clone(), out)) {
                out.reject(problem, Some(json));
            }
        }
    }
    Ok(())
}

fn allocation<'a>(json: Json<'a>, object: &Object<'a>, envelope: Envelope<'a>, out: &mut Out<'_>) -> Result<()> {
    let counts = Counts::new(object, "");
    let hours = counts.quantity("gpuHours")?.unwrap_or(Quantity::ZERO);
    if hours.is_zero() {
        out.ignore(IgnoreReason::NotAModelCall);
        return Ok(());
    }
    let mut bill = Bill::new("opencost.allocation", "kubernetes", object, envelope, out)?;
    bill.gpu_seconds(hours.picos() * 3_600);
    let window = counts.inner("window")?.unwrap_or_default();
    let (start, end) = (time(&window, "start")?, time(&window, "end")?);
    bill.envelope.period = start.zip(end).filter(|(start, end)| start < end);
    bill.call.time = start;
    let name = envelope::text(object, "name")?.unwrap_or_default();
    let properties = counts.inner("properties")?.unwrap_or_default();
    let cluster = envelope::text(&properties, "cluster")?.unwrap_or_default();
    let labels = properties.object("labels").unwrap_or_default();
    const GPU_LABELS: [&str; 3] =
        ["nvidia.com/gpu.product", "cloud.google.com/gke-accelerator", "karpenter.k8s.aws/instance-gpu-name"];
    bill.call.model = Some(match first(&labels, &GPU_LABELS)? {
        Some(gpu) => gpu,
        None => Cow::Borrowed("gpu"),
    });
    bill.cost(envelope::cost(object, "totalCost", "allocated")?, "totalCost")?;
    bill.identify(&[&cluster, &name, &window.string("start").unwrap_or_default()]);
    bill.envelope.resource = Some(Text::from(&*name)).filter(|name| !name.is_empty());
    bill.envelope.add_labels(&labels, out.config);
    for (tag, property) in [("k8s.cluster.name", "cluster"), ("k8s.namespace.name", "namespace"), ("k8s.node", "node")]
    {
        if let Some(value) = envelope::text(&properties, property)? {
            bill.envelope.add_tag(tag, &value, out.config);
        }
    }
    if name.contains("__idle__") {
        bill.envelope.add_tag("idle", "true", out.config);
    }
    bill.done(json, out);
    Ok(())
}

/// A cluster in SkyPilot's cost report: what it cost since it was launched
/// (<https://docs.skypilot.co/en/latest/reference/cli.html>, from documentation only).
pub(crate) fn skypilot<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    let mut bill = Bill::new("skypilot.cluster", "skypilot", object, envelope, out)?;
    let counts = Counts::new(object, "");
    let seconds = counts.quantity("duration")?.unwrap_or(Quantity::ZERO);
    let nodes = counts.count("num_nodes")?.unwrap_or(1);
    // Newer versions keep what was asked for in an object of its own.
    let asked = object.object("resources").unwrap_or_default();
    let place = |name: &str| if object.has(name) { object } else { &asked };
    // `{"H100": 8}`: GPUs of each node by their name.
    let accelerators = place("accelerators").object("accelerators").unwrap_or_default();
    let accelerator = accelerators.iter().next().map(|(name, _)| name.to_owned());
    if let Some(name) = &accelerator {
        let gpus = Counts::new(&accelerators, "accelerators").or_zero(name)?;
        let gpus = i128::from(gpus.min(100_000)) * i128::from(nodes.min(100_000));
        bill.gpu_seconds(seconds.picos().saturating_mul(gpus));
    }
    let mut resources = envelope::text(object, "resources_str")?.or(envelope::text(&asked, "instance_type")?);
    if resources.is_none() && asked.is_empty() {
        resources = envelope::text(object, "resources")?;
    }
    bill.call.model = accelerator.map(Cow::Owned).or(resources).or(Some(Cow::Borrowed("cluster")));
    bill.call.time = time(object, "launched_at")?;
    bill.call.context.region = envelope::owned(place("region"), "region")?;
    if place("use_spot").get("use_spot").and_then(Json::boolean) == Some(true) {
        bill.call.context.service_tier = Some("spot".into());
    }
    if let Some(cloud) = envelope::owned(place("cloud"), "cloud")? {
        bill.envelope.provider = Some(cloud.to_ascii_lowercase());
    }
    bill.cost(envelope::cost(object, "total_cost", "estimate_at_list_price")?, "total_cost")?;
    let hash = envelope::text(object, "cluster_hash")?.unwrap_or_default();
    bill.identify(&[&hash]);
    bill.envelope.resource = envelope::owned(object, "name")?;
    bill.done(json, out);
    Ok(())
}

/// Rows of bills that are read by nobody here: they are what is reconciled with, and would count a second time what is metered. Columns
/// of FOCUS (<https://focus.finops.org/focus-specification/v1-2/>), of the exports of AWS, Azure and Google Cloud, and of OpenAI's
/// costs.
pub(crate) fn told(object: &Object<'_>) -> Option<&'static str> {
    let has = |names: &[&str]| names.iter().all(|name| object.has(name));
    match () {
        () if has(&["BilledCost", "ChargeCategory"]) => Some("a row of a FOCUS report"),
        () if has(&["line_item_usage_type", "line_item_product_code"]) => Some("a row of a bill of AWS"),
        () if has(&["lineItem/UsageType", "lineItem/ProductCode"]) => Some("a row of a bill of AWS"),
        () if has(&["MeterCategory", "MeterName"]) || has(&["meterCategory", "meterName"]) => {
            Some("a row of a bill of Azure")
        }
        () if has(&["billing_account_id", "sku", "usage_start_time"]) => Some("a row of a bill of Google Cloud"),
        () if has(&["amount_value", "amount_currency", "line_item"]) => Some("a row of OpenAI's costs"),
        () => None,
    }
}

/// True for a row of GitHub's usage reports, in the spelling of its exports or of its API.
pub(crate) fn is_github(object: &Object<'_>) -> bool {
    object.has("product")
        && object.has("sku")
        && object.has("quantity")
        && (object.has("net_amount") || object.has("netAmount"))
}

/// A row of GitHub's usage reports: premium requests, AI credits and seats of Copilot, which GitHub bills by what it calls net amount
/// (<https://docs.github.com/en/billing/reference/billing-reports>, not opened; reports others published, read 2026-11-29). Other
/// products are no AI spend. Rows have no id: day, user, model and sku make one, and a later report amends.
pub(crate) fn github<'a>(
    json: Json<'a>,
    object: &Object<'a>,
    mut envelope: Envelope<'a>,
    out: &mut Out<'_>,
) -> Result<()> {
    let product = envelope::text(object, "product")?.unwrap_or_default().to_ascii_lowercase();
    if !["copilot", "spark", "models"].iter().any(|name| product.contains(name)) {
        out.ignore(IgnoreReason::NotAModelCall);
        return Ok(());
    }
    let sku = envelope::text(object, "sku")?.unwrap_or_default();
    let mut call = Call::new("github.usage_report", "credits", precedence::PROVIDER);
    call.usual_provider = "github";
    call.model = envelope::text(object, "model")?.or(Some(sku.clone()));
    call.time = time(object, "date")?;
    let quantity = Counts::new(object, "").quantity("quantity")?.unwrap_or(Quantity::ZERO);
    let unit = first(object, &["unit_type", "unitType"])?.unwrap_or_default().to_ascii_lowercase();
    let mut part = Part::default();
    if unit.contains("request") || unit.contains("credit") {
        part.usage.add_quantity(Meter::Credits, quantity);
    } else {
        // Seats are billed by the month, and stated by the day.
        call.operation = Cow::Borrowed("seat");
        call.charge_category = ChargeCategory::Purchase;
    }
    let net = if object.has("net_amount") { "net_amount" } else { "netAmount" };
    envelope.stated_cost = envelope::cost(object, net, "billed_by_provider")?;
    call.raw_usage = Cow::Owned(format!("{{\"quantity\":\"{quantity}\"}}"));
    call.parts = smallvec![part];
    envelope.provider = Some("github".into());
    if let Some(user) = envelope::text(object, "username")? {
        envelope.claim_user(&user, out.config);
    }
    envelope.claimed.business_unit = first(object, &["organization", "organizationName"])?.map(Text::from);
    envelope.claimed.cost_center = first(object, &["cost_center_name", "costCenterName"])?.map(Text::from);
    envelope.claimed.cost_category.get_or_insert_with(|| "api_and_licences".into());
    if envelope.event_id.is_none() {
        const NAMES: [&str; 7] =
            ["date", "username", "sku", "model", "organization", "organizationName", "cost_center_name"];
        let parts = NAMES.iter().map(|name| envelope::text(object, name).ok().flatten().unwrap_or_default());
        // One of them names a person, who must not stand in an id.
        let row = parts.collect::<Vec<_>>().join("/");
        envelope.event_id = Some(Cow::Owned(identity::pseudonym(b"spendstream/github-row", &row).into_string()));
        envelope.source = Some(Cow::Borrowed("github"));
    }
    envelope.amends = true;
    out.call(call, envelope, json);
    Ok(())
}

/// A row of a bill while it is read.
struct Bill<'a> {
    call: Call<'a>,
    part: Part,
    envelope: Envelope<'a>,
    source: &'static str,
}

impl<'a> Bill<'a> {
    fn new(
        extractor: &'static str,
        provider: &'static str,
        object: &Object<'a>,
        envelope: Envelope<'a>,
        out: &Out<'_>,
    ) -> Result<Self> {
        let mut call = Call::new(extractor, "gpu", precedence::PROVIDER);
        call.usual_provider = provider;
        call.charge_category = ChargeCategory::Usage;
        let mut envelope = envelope;
        // Whoever forwards a row may say whose it is.
        for name in ["team", "project", "environment"] {
            if let Some(claim) = envelope::owned(object, name).unwrap_or(None) {
                match name {
                    "team" => envelope.claimed.team = Some(claim),
                    "project" => envelope.claimed.project = Some(claim),
                    _ => envelope.claimed.environment = Some(claim),
                }
            }
        }
        if let Some(tags) = object.object("tags") {
            envelope.add_tags(&tags, out.config);
        }
        envelope.amends = true;
        envelope.claimed.cost_category.get_or_insert_with(|| "compute".into());
        Ok(Bill { call, part: Part::default(), envelope, source: provider })
    }

    fn gpu_seconds(&mut self, picos: i128) {
        let most = i128::from(crate::COUNT_MAX) * schemas::PICO;
        let seconds = Quantity::from_picos(picos.min(most)).unwrap_or(Quantity::ZERO);
        self.part.usage.add_quantity(Meter::GpuSeconds, seconds);
    }

    fn cost(&mut self, cost: Option<ReportedCost>, field: &str) -> Result<()> {
        let cost = cost.ok_or_else(|| Problem::missing(field, "it is what the row is about"))?;
        let raw = format!(
            "{{\"gpu_seconds\":\"{}\",\"{field}\":\"{}\"}}",
            self.part.usage.get(Meter::GpuSeconds),
            cost.amount
        );
        self.call.raw_usage = Cow::Owned(raw);
        self.envelope.stated_cost = Some(cost);
        Ok(())
    }

    /// Rows have no id: what they are about and when makes one.
    fn identify(&mut self, parts: &[&str]) {
        if self.envelope.event_id.is_none() {
            self.envelope.event_id = Some(Cow::Owned(parts.join("/")));
            self.envelope.source = Some(Cow::Borrowed(self.source));
        }
    }

    fn done(mut self, json: Json<'a>, out: &mut Out<'_>) {
        self.call.parts = smallvec![self.part];
        out.call(self.call, self.envelope, json);
    }
}

fn first<'a>(object: &Object<'a>, names: &[&'static str]) -> Result<Option<Cow<'a, str>>> {
    for name in names {
        if let Some(found) = envelope::text(object, name)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
