//! What ingest makes of a raw record: [`UsageEvent`], [`Fact`], [`Link`], [`Rejection`], and the [`Correction`]s jobs write.

use crate::charge::Charge;
use crate::wire::Reader;
use crate::{Id128, Metered, Money, Quantity, Text, Timestamp, record, symbols};

record! {
    /// Where an item stands in a raw topic. Orders copies of a call when nothing else does.
    pub struct Position {
        /// Topic name.
        pub topic: Text,
        /// Partition.
        pub partition: i32,
        /// Offset of the record.
        pub offset: i64,
        /// Index of the item within the record, from 0.
        pub item: i32,
    }
}

symbols! {
    /// How strong the identity of a call is; strongest first.
    pub enum IdentityKind {
        /// The provider's response id, for providers whose ids are known to be unique.
        ResponseId = "response_id",
        /// Trace and span id.
        Span = "span",
        /// The producer's source and event id.
        EventId = "event_id",
        /// The position in the raw topic: nothing else was there. Such a call cannot be recognised when sent again.
        Position = "position",
    }
}

symbols! {
    /// Remarks on the quality of an event or its price. Closed list; counted in telemetry and queryable in the lake.
    pub enum Flag {
        /// Identity is the position in the raw topic; a second copy cannot be recognised.
        IdFromPosition = "id_from_position",
        /// No time was stated anywhere; the Kafka timestamp stands in.
        TimeAssumed = "time_assumed",
        /// The stated time is more than five minutes ahead of its arrival.
        ClockSkew = "clock_skew",
        /// A cache write without lifetime was taken for five minutes.
        Assumed5m = "assumed_5m",
        /// Reasoning tokens were seen only in the total.
        HiddenReasoning = "hidden_reasoning",
        /// One body was expanded into several billable calls.
        IterationsExpanded = "iterations_expanded",
        /// The body says a call happened but holds no usage.
        UsageMissing = "usage_missing",
        /// A stream that ended before its final usage.
        PartialStream = "partial_stream",
        /// The stated total is not the sum of the parts, and a documented emitter bug explains it.
        TotalMismatch = "total_mismatch",
        /// The usage object holds a field this version does not know.
        UnknownUsageField = "unknown_usage_field",
        /// The original usage object was longer than 16 KB and was cut.
        UsageTruncated = "usage_truncated",
        /// The tier the producer asked for is not the one it got.
        TierNotServed = "tier_not_served",
        /// Charged beyond the dedup horizon, where a copy can no longer be recognised.
        Unverified = "unverified",
        /// Another copy of this call had contradictory content.
        Conflict = "conflict",
        /// The model name is a deployment or a profile, resolved through an alias.
        AliasedModel = "aliased_model",
        /// Part of the usage has no price.
        PartiallyPriced = "partially_priced",
        /// More tags were sent than are kept.
        TagsDropped = "tags_dropped",
        /// A copy that arrived with another identity gave way to this one.
        Linked = "linked",
    }
}

symbols! {
    /// Who bears the marginal cost of a call, so that a subscription and its calls are never counted twice.
    pub enum CostBasis {
        /// Billed by use. The only basis whose calls add marginal cost by themselves.
        OnDemand = "on_demand",
        /// Covered by a commitment or provisioned capacity.
        Committed = "committed",
        /// Covered by a seat or subscription.
        Included = "included",
        /// Served by one's own hardware.
        SelfHosted = "self_hosted",
        /// Answered from a gateway's cache: no provider was called.
        GatewayCache = "gateway_cache",
        /// Billed to somebody else's key.
        BringYourOwnKey = "bring_your_own_key",
    }
}

symbols! {
    /// FOCUS charge category.
    pub enum ChargeCategory {
        /// Metered use.
        Usage = "usage",
        /// A purchase: seats, commitments, capacity.
        Purchase = "purchase",
        /// A credit.
        Credit = "credit",
        /// A tax.
        Tax = "tax",
        /// An adjustment.
        Adjustment = "adjustment",
    }
}

record! {
    /// Everything a price may depend on besides meter, model and time. Names are those of the provider's response.
    #[derive(Default)]
    pub struct PriceContext {
        /// Tier that served the call (`default`, `flex`, `priority`, ...); null when the response names none.
        pub service_tier: Option<Text>,
        /// Tier the producer asked for. Never used for pricing.
        pub requested_tier: Option<Text>,
        /// True when the call ran in a batch.
        pub batch: bool,
        /// Speed class (`standard`, `fast`).
        pub speed: Option<Text>,
        /// Region that served the call.
        pub region: Option<Text>,
        /// Data residency the price depends on (`us`, `eu`).
        pub residency: Option<Text>,
        /// Kind of endpoint (`global`, `regional`), where it changes the price.
        pub endpoint: Option<Text>,
        /// Size of an image or video (`1024x1024`).
        pub size: Option<Text>,
        /// Quality of an image (`low`, `hd`).
        pub quality: Option<Text>,
        /// Resolution of a video (`1080p`).
        pub resolution: Option<Text>,
        /// Search context size (`low`, `medium`, `high`).
        pub search_context: Option<Text>,
    }
}

record! {
    /// Who and what a charge belongs to. Null is "not known", never "none".
    #[derive(Default, Eq, Hash)]
    pub struct Dimensions {
        /// Team that pays.
        pub team: Option<Text>,
        /// Project.
        pub project: Option<Text>,
        /// Cost centre.
        pub cost_center: Option<Text>,
        /// Business unit.
        pub business_unit: Option<Text>,
        /// Environment (`production`, `staging`, ...).
        pub environment: Option<Text>,
        /// Customer served.
        pub customer: Option<Text>,
        /// User, as a keyed hash; never the identifier itself.
        pub user: Option<Text>,
        /// Application.
        pub application: Option<Text>,
        /// Feature of the application.
        pub feature: Option<Text>,
        /// Use case.
        pub use_case: Option<Text>,
        /// Workload profile (`support`, `finance`, `engineering`, ...).
        pub workload_profile: Option<Text>,
        /// Task class.
        pub task_class: Option<Text>,
        /// Routing lane of a gateway.
        pub routing_lane: Option<Text>,
        /// Agent.
        pub agent: Option<Text>,
        /// Conversation or session id.
        pub session: Option<Text>,
        /// Run or job id.
        pub run_id: Option<Text>,
        /// Billing account at the provider.
        pub billing_account: Option<Text>,
        /// Sub-account (project, workspace) at the provider.
        pub sub_account: Option<Text>,
        /// Invoice.
        pub invoice: Option<Text>,
        /// Cost category: compute, api_and_licences, data_and_labelling, people, tooling, compliance.
        pub cost_category: Option<Text>,
        /// Spend class: production, development, experimental, embedded.
        pub spend_class: Option<Text>,
        /// Parent call or charge.
        pub parent: Option<Text>,
    }
}

record! {
    /// A label a producer put on its usage. Only allowed keys are kept.
    #[derive(Eq, Hash, PartialOrd, Ord)]
    pub struct Tag {
        /// Name.
        pub key: Text,
        /// Value.
        pub value: Text,
    }
}

record! {
    /// A cost somebody else computed. Kept beside ours, never added to it.
    pub struct ReportedCost {
        /// Amount.
        pub amount: Money,
        /// ISO 4217 currency.
        pub currency: Text,
        /// What the amount is, in the producer's terms (`estimate_at_list_price`, `upstream`, ...).
        pub basis: Text,
    }
}

record! {
    /// One billable model call (or one period of a resource), normalised to an exclusive usage vector.
    pub struct UsageEvent {
        /// Tenant.
        pub tenant: Text,
        /// Call key: the strongest identity known, as text (`openai/resp_1`, `span/<trace>/<span>`, `event/<source>/<id>`).
        pub call_key: Text,
        /// How strong that identity is.
        pub identity: IdentityKind,
        /// Weaker call keys the same call is also known by.
        pub weaker_keys: Vec<Text>,
        /// Index of this model call within one body (0 unless a body reports several).
        pub iteration: i32,
        /// Keyed hash of tenant, call key, iteration and model: copies that share it count once.
        pub dedup_key: Id128,
        /// Hash of everything a charge depends on (usage, model, context, time, attribution inputs).
        pub content_hash: Id128,
        /// Precedence of the source among copies; smaller wins.
        pub precedence: i32,
        /// True when the producer states that this replaces an earlier copy, whatever the precedence.
        pub amends: bool,
        /// The producer's own event id.
        pub event_id: Option<Text>,
        /// The producer (CloudEvents `source`).
        pub source: Text,
        /// Where the raw record stands.
        pub position: Position,
        /// When the call was made.
        pub event_time: Timestamp,
        /// When the raw record arrived: its Kafka timestamp. Decides lateness and which reference data holds.
        pub received_at: Timestamp,
        /// Period the charge covers, for resources billed by time: start.
        pub charge_period_start: Option<Timestamp>,
        /// Period the charge covers: end, exclusive.
        pub charge_period_end: Option<Timestamp>,
        /// Who bills for the call, in OpenTelemetry's `gen_ai.provider.name` terms.
        pub provider: Text,
        /// Who made the model, where it is not the provider.
        pub publisher: Option<Text>,
        /// Model that served the call.
        pub model: Text,
        /// Model that was asked for, where it differs.
        pub requested_model: Option<Text>,
        /// Operation (`chat`, `embeddings`, ...), in OpenTelemetry's terms.
        pub operation: Text,
        /// What the price may depend on.
        pub price_context: PriceContext,
        /// Exclusive usage vector: disjoint meters, non-zero, in registry order.
        pub usage: Vec<Metered>,
        /// The identity that was checked when normalising (`prompt = uncached + cached`), empty when none applies.
        pub checked: Text,
        /// Original usage object as JSON, at most 16 KB.
        pub raw_usage: Text,
        /// Hash of the whole original usage object.
        pub raw_usage_hash: Id128,
        /// Extractor that normalised it.
        pub extractor: Text,
        /// Version of that extractor.
        pub extractor_version: i32,
        /// Quality remarks.
        pub flags: Vec<Flag>,
        /// API key id or alias (never the key).
        pub key_id: Option<Text>,
        /// Resource (deployment, inference profile, host).
        pub resource: Option<Text>,
        /// Labels, allowed keys only, sorted by key.
        pub tags: Vec<Tag>,
        /// Dimensions the producer states itself. A claim, weighed by the attribution rules.
        pub claimed: Dimensions,
        /// Who bears the marginal cost.
        pub cost_basis: CostBasis,
        /// FOCUS charge category.
        pub charge_category: ChargeCategory,
        /// Cost the producer reports.
        pub reported_cost: Option<ReportedCost>,
        /// Cost that is stated, not computed: a manual ledger entry or an invoice line.
        pub stated_cost: Option<ReportedCost>,
    }
}

record! {
    /// Two identities of one call: whatever was charged under the weaker gives way to the stronger.
    pub struct Link {
        /// Tenant.
        pub tenant: Text,
        /// The weaker call key. The link is sent to its partition.
        pub weaker: Text,
        /// The stronger call key.
        pub stronger: Text,
        /// Arrival of the event that knew both.
        pub received_at: Timestamp,
        /// Where that event stands in its raw topic.
        pub position: Position,
    }
}

symbols! {
    /// Why a correction was made.
    pub enum CorrectionReason {
        /// A price became known or changed.
        Reprice = "reprice",
        /// An owner became known or changed.
        Reattribute = "reattribute",
        /// A better copy of the call came.
        Supersede = "supersede",
        /// The call is known under a stronger key.
        Link = "link",
        /// A person asked.
        Amend = "amend",
    }
}

record! {
    /// Asks enrich to reverse the current charge of a call and, unless withdrawn, to charge it anew.
    pub struct Correction {
        /// Deterministic id: the same request made twice has the same id and changes nothing the second time.
        pub correction_id: Id128,
        /// Tenant.
        pub tenant: Text,
        /// Call key, which decides the partition.
        pub call_key: Text,
        /// Which charge.
        pub dedup_key: Id128,
        /// Why.
        pub reason: CorrectionReason,
        /// Content hash the current charge must have; null for any.
        pub expected_content: Option<Id128>,
        /// Revision the current charge must have; null for any.
        pub expected_revision: Option<i32>,
        /// The event to charge instead; null re-evaluates the same event.
        pub replacement: Option<Box<UsageEvent>>,
        /// The charge being reversed, carried when the original may have left `usage.events`.
        pub reversed: Option<Box<Charge>>,
        /// Arrival of the correction itself: its Kafka timestamp.
        pub received_at: Timestamp,
        /// Price book to use; null for the one in force at `received_at`.
        pub book_version: Option<Text>,
    }
}

symbols! {
    /// What a [`Fact`] states.
    pub enum FactKind {
        /// What became of a call or task: allowed, blocked, escalated.
        Outcome = "outcome",
        /// Units of value delivered (resolutions, documents).
        ValueUnits = "value_units",
        /// A live business metric that budgets may depend on.
        BusinessMetric = "business_metric",
        /// A count of active users.
        UserCount = "user_count",
        /// Token totals of a metric stream, kept to check completeness; never priced.
        TokenTotals = "token_totals",
    }
}

record! {
    /// Something worth knowing that costs nothing by itself.
    pub struct Fact {
        /// Tenant.
        pub tenant: Text,
        /// Keyed hash that recognises copies.
        pub fact_id: Id128,
        /// What it states.
        pub kind: FactKind,
        /// Workload it is about; with the tenant it decides the partition.
        pub workload: Text,
        /// Name of the measure (`resolutions`, `blocked`, ...).
        pub name: Text,
        /// How much.
        pub quantity: Quantity,
        /// Unit, where the name does not say it.
        pub unit: Option<Text>,
        /// Value in money, where known.
        pub value: Option<Money>,
        /// Currency of the value.
        pub currency: Option<Text>,
        /// Call it is about, where it is about one.
        pub call_key: Option<Text>,
        /// When it held.
        pub event_time: Timestamp,
        /// When it arrived.
        pub received_at: Timestamp,
        /// Producer.
        pub source: Text,
        /// Where it stands in its raw topic.
        pub position: Position,
        /// Dimensions the producer states.
        pub claimed: Dimensions,
        /// Labels.
        pub tags: Vec<Tag>,
    }
}

symbols! {
    /// Why an item could not be used.
    pub enum RejectReason {
        /// Not JSON (or the encoding the topic declares).
        Malformed = "malformed",
        /// No known format.
        UnknownFormat = "unknown_format",
        /// A mandatory field is missing.
        MissingField = "missing_field",
        /// A field has the wrong type or an impossible value.
        InvalidField = "invalid_field",
        /// Two fields contradict each other.
        Contradiction = "contradiction",
        /// Larger, deeper or longer than the stated bounds.
        TooLarge = "too_large",
        /// The record is empty.
        Empty = "empty",
        /// The event time is outside what is accepted.
        TimeOutOfRange = "time_out_of_range",
        /// The record names a schema nobody knows.
        UnknownSchema = "unknown_schema",
    }
}

record! {
    /// An item that could not be used: where it stands and why. Its raw record stays where it is.
    pub struct Rejection {
        /// Tenant, where one could be told.
        pub tenant: Text,
        /// Where the raw record stands.
        pub position: Position,
        /// Why.
        pub reason: RejectReason,
        /// Field at fault, as a JSON path; empty when the whole item is.
        pub field: Text,
        /// One sentence for a person: what is wrong and what would mend it. Never holds contents.
        pub message: Text,
        /// What the item was recognised as; empty when nothing.
        pub recognised_as: Text,
        /// Hash of the raw bytes.
        pub payload_hash: Id128,
        /// Size of the raw record in bytes.
        pub payload_bytes: i64,
        /// Field names and types of the item without their values, as JSON, at most 16 KB.
        pub skeleton: Text,
        /// When the raw record arrived.
        pub received_at: Timestamp,
    }
}

/// One item of `usage.events`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventItem {
    /// A billable call.
    Event(Box<UsageEvent>),
    /// A request to charge a call anew.
    Correction(Correction),
    /// Two identities of one call.
    Link(Link),
}

crate::wire_union!(EventItem { Event(Box<UsageEvent>), Correction(Correction), Link(Link) });

impl EventItem {
    /// The event in an item as it is written; `None` where the item is something else.
    pub fn event_in(written: &[u8]) -> Option<&[u8]> {
        let mut from = Reader::new(written);
        (from.long() == Ok(0)).then(|| from.rest())
    }
}
