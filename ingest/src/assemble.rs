//! Puts a normalised call and its envelope together: identity, time, context, hashes, flags. Collects a record's items.

use std::borrow::Cow;

use schemas::ids::{self, hash_parts};
use schemas::wire::{Wire, put_long};
use schemas::{
    ChargeCategory, CostBasis, Fact, Flag, Id128, IdentityKind, Link, Meter, Position, PriceContext, RejectReason,
    ReportedCost, Text, Timestamp, UsageEvent,
};
use smallvec::SmallVec;

use crate::bound::Bound;
use crate::config::{Config, RAW_USAGE_BYTES_MAX, TEXT_BYTES_MAX};
use crate::envelope::{Envelope, has_word, provider_name};
use crate::formats::families;
use crate::identity::{self, Known};
use crate::item::{IgnoreReason, Item, RawRecord};
use crate::json::Json;
use crate::problem::{self, Problem, Result};
use crate::recognise::Shape;
use crate::usage::{Flags, Usage};

/// Version of all extractors: grows when any of them reads the same bytes differently.
const EXTRACTOR_VERSION: i32 = 15;

/// Model of a provider's answer that names none and stands in no envelope that does.
const MODEL_UNKNOWN: &str = "unknown";

/// No call was made before this.
const TIME_MIN: Timestamp = Timestamp::from_millis(1_420_070_400_000); // 2015-01-01
/// A time this far ahead of its arrival is a mistake, not a plan.
const AHEAD_MAX_SECONDS: i64 = 366 * 86_400;
/// Most items a record may become when its periods are spread over their days, or its bodies expanded.
const SPREAD_MAX: usize = 50_000;
/// A time this far ahead of its arrival is taken, and flagged.
const SKEW_MAX_SECONDS: i64 = 300;

/// Precedence of sources among copies of one call: smaller wins. The table is in `DESIGN.md`.
pub(crate) mod precedence {
    pub(crate) const PROVIDER: i32 = 10;
    pub(crate) const GATEWAY: i32 = 20;
    pub(crate) const STATED: i32 = 30;
    pub(crate) const SPAN: i32 = 40;
    pub(crate) const AGENT: i32 = 50;
}

/// One call as a body describes it.
#[derive(Debug, Clone)]
pub(crate) struct Call<'a> {
    pub extractor: &'static str,
    /// Who serves it, as the body says.
    pub provider: Option<Text>,
    /// Who serves bodies of this shape unless somebody knows better.
    pub usual_provider: &'static str,
    pub publisher: Option<Text>,
    pub model: Option<Cow<'a, str>>,
    pub requested_model: Option<Text>,
    pub operation: Cow<'static, str>,
    pub response_id: Option<Cow<'a, str>>,
    pub time: Option<Timestamp>,
    pub context: PriceContext,
    pub parts: SmallVec<[Part; 1]>,
    pub raw_usage: Cow<'a, str>,
    pub reported_cost: Option<ReportedCost>,
    pub cost_basis: Option<CostBasis>,
    pub charge_category: ChargeCategory,
    pub precedence: i32,
    pub flags: Flags,
}

/// One billable model call within a body.
#[derive(Debug, Clone, Default)]
pub(crate) struct Part {
    pub iteration: i32,
    /// Where it is not the body's model.
    pub model: Option<Text>,
    pub usage: Usage,
    pub checked: &'static str,
    pub flags: Flags,
    /// The share of a period that this part is, where a period is spread over its days.
    pub share: Option<Box<Share>>,
}

/// Counts that stand apart already, of emitters that tell no modalities apart.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tokens {
    pub input: i64,
    pub cache_read: i64,
    /// Written to a cache, without a word on how long it lives.
    pub written: i64,
    pub written_5m: i64,
    pub written_1h: i64,
    pub output: i64,
    pub reasoning: i64,
}

impl Part {
    /// What a model that draws puts out is counted as images, where nobody tells what it is.
    pub(crate) fn draw(&mut self) {
        let images = self.usage.get(Meter::OutputTextTokens);
        self.usage.set(Meter::OutputTextTokens, 0);
        self.usage.add_quantity(Meter::OutputImageTokens, images);
    }

    /// True for a part that put out text, with thoughts or without.
    pub(crate) fn puts_out(&self) -> bool {
        [Meter::OutputTextTokens, Meter::OutputReasoningTokens].iter().any(|meter| !self.usage.get(*meter).is_zero())
    }
}

impl Tokens {
    /// As it was, with what was written to caches by how long they live, where somebody says one of the two.
    pub(crate) fn written(self, whole: i64, short: Option<i64>, long: Option<i64>) -> Self {
        if short.is_none() && long.is_none() {
            return Tokens { written: whole, ..self };
        }
        let written_1h = long.unwrap_or(0).min(whole);
        Tokens { written_5m: whole - written_1h, written_1h, ..self }
    }

    /// A part of a call. A cache without lifetime is taken for the shorter, which is every provider's default.
    pub(crate) fn part(self, checked: &'static str) -> Part {
        let mut part = Part { checked, ..Part::default() };
        let vector = &mut part.usage;
        vector.add(Meter::InputTextTokens, self.input);
        vector.add(Meter::CacheReadTextTokens, self.cache_read);
        vector.add(Meter::CacheWrite5mTokens, self.written_5m + self.written);
        vector.add(Meter::CacheWrite1hTokens, self.written_1h);
        vector.add(Meter::OutputTextTokens, self.output);
        vector.add(Meter::OutputReasoningTokens, self.reasoning);
        if self.written > 0 {
            part.flags.set(Flag::Assumed5m);
        }
        part
    }
}

/// What an event does not say of the call it is of.
#[derive(Debug, Clone, Copy)]
struct About {
    /// Which iteration it is, where the envelope says so.
    iteration: Option<i32>,
    /// Its time was stated.
    timed: bool,
    /// Its customer is a person.
    personal: bool,
}

/// One of the days of a period, and what it costs.
#[derive(Debug, Clone)]
pub(crate) struct Share {
    pub start: Timestamp,
    pub end: Timestamp,
    pub stated_cost: Option<ReportedCost>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(extractor: &'static str, operation: &'static str, precedence: i32) -> Self {
        Call {
            extractor,
            provider: None,
            usual_provider: "",
            publisher: None,
            model: None,
            requested_model: None,
            operation: Cow::Borrowed(operation),
            response_id: None,
            time: None,
            context: PriceContext::default(),
            parts: SmallVec::new(),
            raw_usage: Cow::Borrowed(""),
            reported_cost: None,
            cost_basis: None,
            charge_category: ChargeCategory::Usage,
            precedence,
            flags: Flags::default(),
        }
    }
}

/// Collects the items of one record.
pub(crate) struct Out<'r> {
    pub record: &'r RawRecord<'r>,
    pub config: &'r Config,
    pub items: Vec<Item>,
    pub recognised_as: Text,
    pub evidence: Text,
    pub bound: Option<Bound<'r>>,
    pub claims_not_allowed: i64,
    /// When it arrived for the first time: what stands in for a time nobody states.
    pub arrived: Timestamp,
    /// Whether only the time of the first call or fact is wanted. No events and facts are made then.
    seeks_time: bool,
    /// That time, once it was told.
    pub time: Option<Timestamp>,
    /// Of the whole record, once one of its items was rejected: there may be thousands of them.
    payload_hash: Option<Id128>,
    /// What a hash is taken of: kept, so that the next item needs no memory of its own for it.
    hashed: Vec<u8>,
    next: i32,
}

impl<'r> Out<'r> {
    pub(crate) fn new(record: &'r RawRecord<'r>, config: &'r Config) -> Self {
        Out {
            record,
            config,
            items: Vec::new(),
            recognised_as: Text::default(),
            evidence: Text::default(),
            bound: Bound::of(record),
            claims_not_allowed: 0,
            arrived: record.timestamp,
            seeks_time: false,
            time: None,
            payload_hash: None,
            hashed: Vec::new(),
            next: 0,
        }
    }

    /// Finds when the first call or fact was made.
    pub(crate) fn for_its_time(record: &'r RawRecord<'r>, config: &'r Config) -> Self {
        Out { seeks_time: true, ..Out::new(record, config) }
    }

    /// Names what the record is; the first name stays.
    pub(crate) fn recognised(&mut self, wrapped: &str, name: &str, evidence: &str) {
        // A stream may begin with a piece that says nothing; what follows names it.
        if self.recognised_as.is_empty() || self.recognised_as == Shape::Fragment.as_str() {
            self.recognised_as = identity::join(&[wrapped, name]);
            self.evidence = evidence.into();
        }
    }

    fn position(&mut self) -> Position {
        let item = self.next;
        self.next += 1;
        Position { topic: self.record.topic.into(), partition: self.record.partition, offset: self.record.offset, item }
    }

    /// Room for one more of what `field` lists.
    pub(crate) fn room(&self, field: &str) -> Result<()> {
        if self.next as usize >= self.config.items_max {
            let message = format!("the record holds more than {} items", self.config.items_max);
            return Err(Problem::new(RejectReason::TooLarge, field, message));
        }
        Ok(())
    }

    pub(crate) fn reject(&mut self, problem: Problem, item: Option<Json<'_>>) {
        let position = self.position();
        let record = self.record;
        let hash = *self.payload_hash.get_or_insert_with(|| hash_parts([record.payload.unwrap_or_default()]));
        let rejection = problem::reject(problem, &self.recognised_as, item, position, hash, record, self.config);
        self.items.push(Item::Rejected(rejection));
    }

    pub(crate) fn ignore(&mut self, reason: IgnoreReason) {
        let item = self.position().item;
        self.items.push(Item::Ignored { item, reason });
    }

    /// A fact, made from its position.
    pub(crate) fn fact(&mut self, make: impl FnOnce(Position) -> Fact) {
        let position = self.position();
        let fact = make(position);
        if self.seeks_time {
            self.time.get_or_insert(fact.event_time);
            return;
        }
        self.items.push(Item::Fact(Box::new(fact)));
    }

    /// One call: an event for each model call in it, and a link for each weaker key.
    pub(crate) fn call<'j>(&mut self, call: Call<'_>, envelope: Envelope<'_>, item: impl Into<Option<Json<'j>>>) {
        if self.seeks_time {
            let stated = call.time.or(envelope.time).or(self.config.time);
            let first = call.parts.first().and_then(|part| part.share.as_ref());
            let time = stated.map(|time| first.map_or(time, |share| share.start));
            let usable = time.filter(|time| check_time(*time, self.record.timestamp).is_ok());
            self.time = self.time.or(usable);
            return;
        }
        if call.parts.is_empty() {
            // Nothing of it was billed.
            return self.ignore(IgnoreReason::FailedCall);
        }
        // Positions are taken by items, so an item that is rejected after all gives its own back.
        let first = self.next;
        if let Err(problem) = self.assemble(call, envelope) {
            self.next = first;
            self.reject(problem, item.into());
        }
    }

    fn assemble(&mut self, mut call: Call<'_>, mut envelope: Envelope<'_>) -> Result<()> {
        let config = self.config;
        if let Some(bound) = self.bound {
            self.claims_not_allowed += i64::from(bound.bind(&mut envelope));
        }
        let personal = config.conceal(&mut envelope.claimed);
        let received_at = self.record.timestamp;
        let mut flags = call.flags.union(envelope.flags);

        let model = model(&call, &envelope)?;
        // What the envelope or the body says, then the operator's word for bodies that say nothing, then the model's family.
        let provider = envelope
            .provider
            .or(call.provider)
            .or_else(|| config.provider.as_deref().map(provider_name))
            .or_else(|| Some(call.usual_provider).filter(|usual| !usual.is_empty()).map(Text::const_new))
            .or_else(|| families::family(&model).map(Text::const_new))
            .unwrap_or_else(|| "unknown".into());
        let model = if provider == "aws.bedrock" && model.starts_with("claude-") {
            profile([&envelope.requested_model, &envelope.model, &call.requested_model]).unwrap_or(model)
        } else {
            model
        };
        let operation = envelope.operation.unwrap_or_else(|| operation(&call.operation, &call.parts, &model));
        fill_context(&mut call.context, envelope.price_context);
        if is_tier_not_served(&call.context) {
            flags.set(Flag::TierNotServed);
        }
        let stated_time = call.time.or(envelope.time).or(config.time);
        let event_time = self.event_time(stated_time, envelope.period.is_some(), &mut flags)?;

        if call.parts.len() > 1 && self.items.len() + call.parts.len() > SPREAD_MAX {
            let message =
                format!("the record's periods cover more than {SPREAD_MAX} days together: send fewer rows a record");
            return Err(Problem::new(RejectReason::TooLarge, "period_end", message));
        }

        let source = envelope.source.unwrap_or(Cow::Borrowed(self.record.topic));
        let read = |part: &Part| !part.usage.get(Meter::CacheReadTextTokens).is_zero();
        let cached = envelope.cached && !call.parts.iter().any(read);
        let cost_basis = envelope.cost_basis.or(cached.then_some(CostBasis::GatewayCache)).or(call.cost_basis);
        let cost_basis = cost_basis.unwrap_or(CostBasis::OnDemand);
        // A cached answer repeats the id of the call it was copied from, but is not that call.
        let response_id = call.response_id.as_deref().or(envelope.response_id.as_deref());
        let response_id = response_id.filter(|_| cost_basis != CostBasis::GatewayCache);
        let known = Known {
            provider: &provider,
            response_id,
            span: envelope.trace_id.as_deref().zip(envelope.span_id.as_deref()),
            source: &source,
            event_id: envelope.event_id.as_deref(),
        };
        let keys = known.keys();
        let position = self.position();
        let (identity, call_key, weaker_keys) = match keys {
            Some(keys) => (keys.kind, keys.strongest, keys.weaker),
            None => {
                flags.set(Flag::IdFromPosition);
                let Position { topic, partition, offset, item } = &position;
                let key = format!("position/{topic}/{partition}/{offset}/{item}").into();
                (IdentityKind::Position, key, Vec::new())
            }
        };
        check_length(&call_key, "id")?;

        let raw_usage_hash = hash_parts([call.raw_usage.as_bytes()]);
        let raw_usage = kept_usage(call.raw_usage, &mut flags);
        let mut tags = envelope.tags;
        tags.sort_unstable();
        let requested_model = call.requested_model.or(envelope.requested_model).or(envelope.model);
        let requested_model = requested_model.filter(|requested| *requested != model);

        let links = weaker_keys.iter().map(|weaker| Link {
            tenant: config.tenant.clone(),
            weaker: weaker.clone(),
            stronger: call_key.clone(),
            received_at,
            position: position.clone(),
        });
        let links: SmallVec<[Link; 2]> = links.collect();

        let template = Box::new(UsageEvent {
            tenant: config.tenant.clone(),
            call_key,
            identity,
            weaker_keys,
            iteration: 0,
            dedup_key: Default::default(),
            content_hash: Default::default(),
            precedence: envelope.precedence.unwrap_or(call.precedence),
            amends: envelope.amends,
            event_id: envelope.event_id.map(Text::from),
            source: Text::from(source),
            position,
            event_time,
            received_at,
            charge_period_start: envelope.period.map(|(start, _)| start),
            charge_period_end: envelope.period.map(|(_, end)| end),
            provider,
            publisher: call.publisher.or(envelope.publisher),
            model: Text::default(),
            requested_model,
            operation,
            price_context: call.context,
            usage: Vec::new(),
            checked: Text::default(),
            raw_usage,
            raw_usage_hash,
            extractor: Text::const_new(call.extractor),
            extractor_version: EXTRACTOR_VERSION,
            flags: Vec::new(),
            key_id: envelope.key_id,
            resource: envelope.resource,
            tags,
            claimed: envelope.claimed,
            cost_basis,
            charge_category: envelope.charge_category.unwrap_or(call.charge_category),
            reported_cost: call.reported_cost.or(envelope.reported_cost),
            stated_cost: envelope.stated_cost,
        });
        let about = About { iteration: envelope.iteration, timed: stated_time.is_some(), personal };
        self.expand(template, &mut call.parts, &model, flags, about);
        self.items.extend(links.into_iter().map(Item::Link));
        Ok(())
    }

    /// When a call was made: as stated, else when it arrived.
    fn event_time(&self, stated: Option<Timestamp>, in_period: bool, flags: &mut Flags) -> Result<Timestamp> {
        let received_at = self.record.timestamp;
        let event_time = stated.unwrap_or(self.arrived);
        if stated.is_none() {
            flags.set(Flag::TimeAssumed);
        }
        check_time(event_time, received_at)?;
        // A period may be paid for ahead of it.
        if event_time > received_at.plus_seconds(SKEW_MAX_SECONDS) && !in_period {
            flags.set(Flag::ClockSkew);
        }
        Ok(event_time)
    }

    /// An event for each part, of what they have in common.
    fn expand(&mut self, template: Box<UsageEvent>, parts: &mut [Part], model: &Text, flags: Flags, about: About) {
        let last = parts.len().saturating_sub(1);
        let mut template = Some(template);
        for (index, part) in parts.iter_mut().enumerate() {
            let template = if index == last { template.take() } else { template.clone() };
            let Some(mut event) = template else { break };
            event.iteration = about.iteration.unwrap_or(part.iteration);
            // The body's own model is the same call under whichever of its names a copy knows it by, so only the model
            // of a part that ran elsewhere (an advisor) tells it apart.
            let apart = part.model.as_deref().unwrap_or("");
            event.dedup_key = ids::dedup_key(&event.tenant, &event.call_key, event.iteration, apart);
            event.model = part.model.take().unwrap_or_else(|| model.clone());
            event.usage = part.usage.vector();
            event.checked = Text::const_new(part.checked);
            event.flags = flags.union(part.flags).list();
            if let Some(share) = part.share.take() {
                event.event_time = share.start;
                (event.charge_period_start, event.charge_period_end) = (Some(share.start), Some(share.end));
                event.stated_cost = share.stated_cost;
            }
            if index > 0 {
                // What the producer reports is for the whole body: it stands once.
                event.reported_cost = None;
            }
            event.content_hash = content_hash(&mut event, &about, &mut self.hashed);
            self.items.push(Item::Event(event));
        }
    }
}

/// The model that served a call.
fn model(call: &Call<'_>, envelope: &Envelope<'_>) -> Result<Text> {
    let model = match (&call.model, &envelope.model) {
        (Some(model), _) if !model.is_empty() => {
            check_length(model, "model")?;
            Text::from(&**model)
        }
        (_, Some(model)) if !model.is_empty() => model.clone(),
        // Images, speech and others answer without a model: it is the one that was asked for.
        _ if call.precedence == precedence::PROVIDER
            && envelope.requested_model.as_ref().is_some_and(|model| !model.is_empty()) =>
        {
            envelope.requested_model.clone().unwrap_or_default()
        }
        // Some providers' answers never name it. Their tokens are counted, unpriced, until somebody says.
        _ if call.precedence == precedence::PROVIDER && !call.usual_provider.is_empty() => {
            Text::const_new(MODEL_UNKNOWN)
        }
        _ => return Err(Problem::missing("model", "name the model that served the call")),
    };
    // How large a context Claude Code asked for is no other model: the price goes by what was used of it.
    Ok(match model.strip_suffix("[1m]") {
        Some(plain) if !plain.is_empty() => Text::from(plain),
        _ => model,
    })
}

/// What was asked of a model. Rows of gateways and traces seldom say it; those that embed put nothing out.
fn operation(stated: &str, parts: &[Part], model: &str) -> Text {
    match stated {
        "chat" if !parts.iter().any(Part::puts_out) && has_word(model, "embed") => Text::const_new("embeddings"),
        "chat" if !parts.iter().any(Part::puts_out) && has_word(model, "rerank") => Text::const_new("rerank"),
        operation => Text::from(operation),
    }
}

/// True where another tier was served than the one that was asked for.
fn is_tier_not_served(context: &PriceContext) -> bool {
    match (&context.requested_tier, &context.service_tier) {
        (Some(asked), Some(served)) => asked != served && asked != "auto" && !(asked == "fast" && served == "priority"),
        _ => false,
    }
}

/// A provider's usage as it is kept: whole, or its beginning.
fn kept_usage(usage: Cow<'_, str>, flags: &mut Flags) -> Text {
    if usage.len() <= RAW_USAGE_BYTES_MAX {
        return Text::from(usage);
    }
    flags.set(Flag::UsageTruncated);
    let mut end = RAW_USAGE_BYTES_MAX;
    while !usage.is_char_boundary(end) {
        end -= 1;
    }
    Text::from(&usage[..end])
}

/// Refuses texts nobody needs at such a length.
fn check_length(text: &str, field: &str) -> Result<()> {
    if text.len() > TEXT_BYTES_MAX * 2 {
        let message = format!("{field} is {} bytes long; the most is {}", text.len(), TEXT_BYTES_MAX * 2);
        return Err(Problem::new(RejectReason::InvalidField, field, message));
    }
    Ok(())
}

/// Refuses times nobody can have meant.
pub(crate) fn check_time(time: Timestamp, received_at: Timestamp) -> Result<()> {
    if time < TIME_MIN || time > received_at.plus_seconds(AHEAD_MAX_SECONDS) {
        let message = format!(
            "the event's time is {time}; accepted are times from 2015 to a year after its arrival ({received_at})"
        );
        return Err(Problem::new(RejectReason::TimeOutOfRange, "time", message));
    }
    Ok(())
}

/// What Bedrock bills is a profile, which the address and the envelope name; the body of Claude names Anthropic's model alone.
fn profile(asked: [&Option<Text>; 3]) -> Option<Text> {
    let mut names =
        asked.into_iter().flatten().map(|asked| asked.rsplit_once('/').map_or(asked.as_str(), |(_, name)| name));
    names.find(|name| name.contains("anthropic.claude-")).map(Text::from)
}

/// What the body does not say, as the envelope says it.
fn fill_context(body: &mut PriceContext, envelope: PriceContext) {
    let PriceContext {
        service_tier,
        requested_tier,
        batch,
        speed,
        region,
        residency,
        endpoint,
        size,
        quality,
        resolution,
        search_context,
    } = envelope;
    let fill = |slot: &mut Option<Text>, stated: Option<Text>| {
        if slot.is_none() {
            *slot = stated;
        }
    };
    body.batch |= batch;
    fill(&mut body.service_tier, service_tier);
    fill(&mut body.requested_tier, requested_tier);
    fill(&mut body.speed, speed);
    fill(&mut body.region, region);
    fill(&mut body.residency, residency);
    fill(&mut body.endpoint, endpoint);
    fill(&mut body.size, size);
    fill(&mut body.quality, quality);
    fill(&mut body.resolution, resolution);
    fill(&mut body.search_context, search_context);
}

/// Everything a charge depends on, and nothing that differs between two sendings of the same call: not where or when it
/// arrived, so not a time that was assumed from it either; and not the user, nor a customer who is a person: they are other
/// pseudonyms once forgotten.
fn content_hash(event: &mut UsageEvent, about: &About, bytes: &mut Vec<u8>) -> Id128 {
    bytes.clear();
    bytes.reserve(512);
    event.provider.put(bytes);
    event.publisher.put(bytes);
    event.model.put(bytes);
    event.operation.put(bytes);
    event.price_context.put(bytes);
    event.usage.put(bytes);
    put_long(bytes, if about.timed { event.event_time.micros() } else { 0 });
    event.charge_period_start.put(bytes);
    event.charge_period_end.put(bytes);
    event.key_id.put(bytes);
    event.resource.put(bytes);
    event.source.put(bytes);
    event.tags.put(bytes);
    let user = event.claimed.user.take();
    let person = event.claimed.customer.take_if(|_| about.personal);
    event.claimed.put(bytes);
    event.claimed.user = user;
    if person.is_some() {
        event.claimed.customer = person;
    }
    event.cost_basis.put(bytes);
    event.charge_category.put(bytes);
    event.stated_cost.put(bytes);
    hash_parts([b"content".as_slice(), bytes])
}
