//! Terms of a book: allowances, ladders and commitments, checked against its SKUs.

use schemas::Text;
use std::collections::HashMap;

use super::Builder;
use crate::price::book::PriceBook;
use crate::price::row::Row;
use crate::price::terms::{Commitment, Ladder, Term, Terms, clash, held};

impl Builder<'_> {
    /// The terms known by then. What they cover must be in the book, in their currency.
    pub(super) fn terms(&mut self, by_name: &HashMap<Text, u32>, book: &PriceBook) -> Terms {
        let (rows, as_of) = (self.rows, self.as_of);
        let known = rows.iter().filter(|(_, row)| match row {
            Row::Ladder(row) => row.period.known_at(as_of),
            Row::Commitment(row) => row.period.known_at(as_of),
            _ => false,
        });
        let mut ladders: Vec<(&str, &Ladder)> = Vec::new();
        let mut commitments: Vec<(&str, &Commitment)> = Vec::new();
        for (place, row) in known {
            match row {
                Row::Ladder(row) => ladders.push((place, row)),
                Row::Commitment(row) => commitments.push((place, row)),
                _ => {}
            }
        }
        let mut wrong = Vec::new();
        let mut note = |place: &str, what| wrong.push((place.to_owned(), what));
        let terms = Terms { ladders: held(&ladders, &mut note), commitments: held(&commitments, &mut note) };
        for (place, (message, remedy)) in wrong {
            self.error(&place, message, remedy);
        }
        for (place, row) in &ladders {
            self.known_skus(place, row.covers(), by_name);
        }
        for (place, row) in &commitments {
            self.known_skus(place, row.covers(), by_name);
            let foreign = row
                .covers
                .iter()
                .find(|name| by_name.get(*name).is_some_and(|sku| book.skus[*sku as usize].currency != row.currency));
            if let Some(sku) = foreign {
                let message = format!("is in {} and covers {sku}, which is not", row.currency);
                self.error(place, message, "make one commitment for each currency");
            }
        }
        if let Some((one, other)) = clash(&terms.ladders) {
            let place = ladders.iter().find(|(_, row)| row.id == other.id).map_or("", |(place, _)| *place);
            let message = format!("counts units that {} counts too", one.id);
            self.error(place, message, "state a free quantity as the first band of the one ladder");
        }
        terms
    }

    fn known_skus(&mut self, place: &str, covers: &[Text], by_name: &HashMap<Text, u32>) {
        for sku in covers.iter().filter(|sku| !by_name.contains_key(*sku)) {
            self.error(place, format!("covers sku {sku:?}, which is not in the book"), "add it under skus");
        }
    }
}
