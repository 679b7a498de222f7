//! A charge is a pure function of an event, a price book, a directory and what caused it; a reversal is one of a charge.

use schemas::ids::{charge_id, hash_parts};
use schemas::wire::Wire;
use schemas::{
    Charge, ChargeCategory, ChargeClass, CorrectionReason, Costs, Flag, Id128, Money, Timestamp, UsageEvent,
};

use crate::owner::Directory;
use crate::price::PriceBook;

/// What a row is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    /// `received_at` of the event or correction; for a price that became known, the time its version took effect.
    pub booked_at: Timestamp,
    /// Why an earlier row is corrected; none for the first charge of a call.
    pub reason: Option<CorrectionReason>,
    /// Correction that asked for it, where one did.
    pub correction_id: Option<Id128>,
}

impl Cause {
    /// The first charge of a call: nothing but its arrival.
    pub fn arrival(booked_at: Timestamp) -> Self {
        Cause { booked_at, reason: None, correction_id: None }
    }
}

/// Class of the row that stands at a revision.
pub fn standing_class(revision: i32) -> ChargeClass {
    if revision == 0 { ChargeClass::Original } else { ChargeClass::Replacement }
}

/// Charges an event: what it cost by `book`, who pays by `directory`.
///
/// Revision 0 is the original; a later one replaces the row before it. `flags` are remarks made while charging, added
/// to the event's and the price book's.
pub fn charge(
    event: Box<UsageEvent>,
    book: &PriceBook,
    directory: &Directory,
    revision: i32,
    cause: Cause,
    flags: &[Flag],
) -> Charge {
    let attribution = directory.attribute(&event);
    let priced = book.price_for(&event, &attribution.owner);
    let class = standing_class(revision);
    let before = revision - 1;
    let corrects = (revision > 0).then(|| charge_id(event.dedup_key, before, standing_class(before)));
    let mut remarks = event.flags.clone();
    for flag in priced.flags.iter().chain(flags) {
        if !remarks.contains(flag) {
            remarks.push(*flag);
        }
    }
    // A purchase or a credit is no call; neither are further iterations within one body.
    let is_call = event.iteration == 0 && event.charge_category == ChargeCategory::Usage;
    Charge {
        charge_id: charge_id(event.dedup_key, revision, class),
        revision,
        class,
        corrects,
        correction_reason: cause.reason,
        correction_id: cause.correction_id,
        booked_at: cause.booked_at,
        event,
        requests: i32::from(is_call),
        status: priced.status,
        lines: priced.lines,
        unpriced: priced.unpriced,
        costs: priced.costs,
        reporting: priced.reporting,
        fx_rate_id: priced.fx_rate_id,
        counterfactuals: priced.counterfactuals,
        sku: priced.sku,
        model_class: priced.model_class,
        book_version: book.version().into(),
        owner: attribution.owner,
        rule: attribution.rule,
        confidence: attribution.confidence,
        directory_version: directory.version().into(),
        allocation: None,
        flags: remarks,
    }
}

/// Takes a charge back: the same row with money and requests negated.
///
/// The event and the quantities of the lines stay as they were charged, so that the reversal falls into the same windows
/// and scopes; what is summed of them takes its sign from the class.
pub fn reversal(standing: Charge, cause: Cause) -> Charge {
    let mut row = standing;
    row.corrects = Some(row.charge_id);
    row.charge_id = charge_id(row.event.dedup_key, row.revision, ChargeClass::Reversal);
    row.class = ChargeClass::Reversal;
    row.correction_reason = cause.reason;
    row.correction_id = cause.correction_id;
    row.booked_at = cause.booked_at;
    row.requests = -row.requests;
    for line in &mut row.lines {
        turn(&mut line.list_cost);
        turn(&mut line.contracted_cost);
    }
    row.counterfactuals.iter_mut().for_each(|other| turn(&mut other.cost));
    turn_costs(&mut row.costs);
    row.reporting.iter_mut().for_each(turn_costs);
    row
}

/// A charge as it is written, encoded once for everything that wants its bytes.
#[derive(Debug, Default)]
pub(crate) struct Encoded {
    bytes: Vec<u8>,
    event: usize,
    requests: usize,
    allocation: usize,
}

impl Encoded {
    /// Encodes a charge in place of the one before it. Its event is copied where it is at hand as it was written: events
    /// have one form.
    pub(crate) fn set(&mut self, charge: &Charge, event_written: Option<&[u8]>) {
        debug_assert!(event_written.is_none_or(|written| written == encoded(&charge.event)));
        let Encoded { bytes, event, requests, allocation } = self;
        bytes.clear();
        charge.put_with(bytes, |field, bytes| {
            match field {
                "event" => *event = bytes.len(),
                "requests" => *requests = bytes.len(),
                "allocation" => *allocation = bytes.len(),
                _ => {}
            }
            let copied = event_written.filter(|_| field == "event");
            copied.inspect(|written| bytes.extend_from_slice(written)).is_some()
        });
    }

    /// The whole row.
    pub(crate) fn row(&self) -> &[u8] {
        &self.bytes
    }

    /// Its event.
    pub(crate) fn event(&self) -> &[u8] {
        &self.bytes[self.event..self.requests]
    }

    /// Recognises a charge whatever revision it has and whenever it was booked: same event, same lines, costs and owner.
    ///
    /// Eight bytes are enough: it is only ever compared with one other row, the one that claims to be it.
    pub(crate) fn fingerprint(&self) -> u64 {
        short(hash_parts([&self.bytes[self.event..self.allocation]]))
    }
}

fn encoded(event: &UsageEvent) -> Vec<u8> {
    let mut bytes = Vec::new();
    event.put(&mut bytes);
    bytes
}

/// [`Encoded::fingerprint`] of a charge.
pub(crate) fn fingerprint(charge: &Charge) -> u64 {
    let mut encoded = Encoded::default();
    encoded.set(charge, None);
    encoded.fingerprint()
}

/// The first eight bytes of a hash.
pub(crate) fn short(id: Id128) -> u64 {
    let mut head = [0; 8];
    head.copy_from_slice(&id.0[..8]);
    u64::from_be_bytes(head)
}

fn turn(amount: &mut Money) {
    *amount = amount.negated();
}

fn turn_costs(costs: &mut Costs) {
    for amount in [&mut costs.list, &mut costs.contracted, &mut costs.effective, &mut costs.billed] {
        amount.iter_mut().for_each(turn);
    }
}
