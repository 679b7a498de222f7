//! One call under two keys: what was charged under the weaker gives way, and is sent on to where the stronger lives.

use schemas::ids::{call_slot, dedup_key, partition};
use schemas::{CorrectionReason, EventItem, Flag, IdentityKind, Link, Position, Text, UsageEvent};
use stream::Halt;

use super::{Desk, Turn};
use crate::calls::{Linked, Marks, call_id};
use crate::charge::Cause;

impl Desk {
    pub(super) fn link(&mut self, turn: &mut Turn<'_>, link: Link) -> Result<(), Halt> {
        turn.books.count("links", 1);
        // A link that does not lead upwards could send a copy round in circles.
        if identity(&link.stronger) >= identity(&link.weaker) {
            turn.books.count("links.ignored", 1);
            return Ok(());
        }
        let call = call_id(&link.tenant, &link.weaker);
        if let Some(known) = self.calls.links.get(&call)? {
            if known.stronger != link.stronger {
                turn.books.count("links.ambiguous", 1);
            }
            return Ok(());
        }
        self.calls.links.insert(call, Linked { stronger: link.stronger.clone(), received_at: link.received_at });
        let keys = self.calls.weak.get(&call)?.map(|weak| weak.keys).unwrap_or_default();
        self.calls.weak.remove(&call)?;
        let cause = Cause { booked_at: link.received_at, reason: Some(CorrectionReason::Link), correction_id: None };
        for key in keys {
            let Some(standing) = self.calls.standing.get(&key)? else { continue };
            let Some(row) = self.standing_row(turn, &key, &standing, None)? else {
                turn.books.count("unreversible", 1);
                continue;
            };
            let mut event = row.event.clone();
            self.take_back(turn, row, cause)?;
            self.calls.standing.remove(&key)?;
            self.calls.open.remove(&key);
            // A copy that said the same and arrived earlier has lent this one its rank.
            event.received_at = standing.received_at;
            event.precedence = standing.precedence;
            event.amends = standing.marks.has(Marks::AMENDS);
            event.position = Position {
                topic: self.calls.names.text(standing.topic).into(),
                partition: standing.partition,
                offset: standing.offset,
                item: standing.item,
            };
            if standing.marks.has(Marks::CONFLICT) && !event.flags.contains(&Flag::Conflict) {
                event.flags.push(Flag::Conflict);
            }
            turn.books.count("links.moved", 1);
            self.resend(turn, event, link.stronger.clone())?;
        }
        Ok(())
    }

    /// Sends a copy to the partition of a stronger key.
    pub(super) fn resend(
        &mut self,
        turn: &mut Turn<'_>,
        mut event: Box<UsageEvent>,
        stronger: Text,
    ) -> Result<(), Halt> {
        turn.books.count("resent", 1);
        event.identity = identity(&stronger);
        event.weaker_keys.retain(|key| *key != stronger);
        let weaker = std::mem::replace(&mut event.call_key, stronger);
        if !event.weaker_keys.contains(&weaker) {
            event.weaker_keys.push(weaker);
        }
        event.dedup_key = dedup_key(&event.tenant, &event.call_key, event.iteration, &event.model);
        if !event.flags.contains(&Flag::Linked) {
            event.flags.push(Flag::Linked);
        }
        let to = partition(call_slot(&event.tenant, &event.call_key), self.event_partitions);
        self.resends.push(to, &EventItem::Event(event))
    }
}

/// How strong a call key is, by its form.
fn identity(call_key: &str) -> IdentityKind {
    match call_key.split_once('/') {
        Some(("span", _)) => IdentityKind::Span,
        Some(("event", _)) => IdentityKind::EventId,
        Some(("position", _)) => IdentityKind::Position,
        _ => IdentityKind::ResponseId,
    }
}
