//! Under which conditions a price holds, as written in a row.

use schemas::{Meter, Text};
use serde::{Deserialize, Serialize};

/// All stated conditions must hold.
///
/// `tier`, `speed` and `batch` change what a call *is*, so a row that does not state them is for the standard tier and
/// speed and for calls outside a batch, and `any` says otherwise. All other conditions restrict only where stated. A
/// negotiated factor is for every tier and speed and for batches too, as far as it states none of them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct When {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<Choice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<Choice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<Batch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Choice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub residency: Option<Choice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Choice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Choice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<Choice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Choice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search_context: Option<Choice>,
    /// Days of the month in which the call, or the period it is for, begins: how a price by the month becomes one by the day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub month_days: Option<u8>,
    /// Tenant a contract is with. A row that names a tenant, account or team is a contract row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Choice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<Choice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<Choice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub band: Option<Band>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
}

impl When {
    /// Whether no condition is stated.
    pub fn is_empty(&self) -> bool {
        *self == When::default()
    }

    /// The same for calls of any tier and speed, in a batch or not, but where it states which.
    ///
    /// A price that says nothing of the tier is that of the standard one; a percentage off the list is off the price of
    /// every tier, because each has a list price of its own.
    pub fn whatever_the_tier(&self) -> When {
        let any = || Some(Choice::One(Text::const_new("any")));
        let mut when = self.clone();
        when.tier = when.tier.or_else(any);
        when.speed = when.speed.or_else(any);
        when.batch = when.batch.or(Some(Batch::Both(Any::Any)));
        when
    }

    /// Whether it names a party, so that the price is negotiated and not public.
    pub fn is_contract(&self) -> bool {
        self.tenant.is_some() || self.account.is_some() || self.team.is_some()
    }
}

/// One value, several, `any`, or any stated one but some.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Choice {
    One(Text),
    Many(Vec<Text>),
    Except {
        /// Values that do not meet it; neither does a call that states nothing.
        except: Vec<Text>,
    },
}

/// Whether the row is for calls that ran in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Batch {
    Only(bool),
    Both(Any),
}

/// The word `any`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Any {
    Any,
}

/// A range of the size of a call. The whole call is priced by the range it falls into, never slice by slice.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Band {
    /// What is measured; all input tokens, cached ones too, when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<Measure>,
    /// More than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub above: Option<i64>,
    /// This or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
    /// This or less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up_to: Option<i64>,
    /// Less than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub below: Option<i64>,
}

/// What a [`Band`] measures, by its name: `input_tokens`, `output_tokens`, or that of a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "Text")]
pub(crate) enum Measure {
    /// Everything the model read.
    #[default]
    InputTokens,
    /// Everything the model wrote.
    OutputTokens,
    /// One meter.
    Meter(Meter),
}

impl TryFrom<Text> for Measure {
    type Error = String;

    fn try_from(name: Text) -> Result<Self, String> {
        match name.as_str() {
            "input_tokens" => Ok(Measure::InputTokens),
            "output_tokens" => Ok(Measure::OutputTokens),
            meter => {
                let meter =
                    meter.parse().map_err(|_| format!("{meter:?} is no meter, nor input_tokens or output_tokens"));
                meter.map(Measure::Meter)
            }
        }
    }
}

impl From<Measure> for Text {
    fn from(measure: Measure) -> Text {
        match measure {
            Measure::InputTokens => Text::const_new("input_tokens"),
            Measure::OutputTokens => Text::const_new("output_tokens"),
            Measure::Meter(meter) => Text::const_new(meter.as_str()),
        }
    }
}

/// Hours of the week, by the wall clock of a time zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hours {
    /// IANA time zone.
    pub zone: Text,
    /// `mon` to `sun`; empty for every day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Text>,
    /// `HH:MM-HH:MM`, start included, end not; an end at or before the start lies on the next day.
    pub windows: Vec<Text>,
    /// Calendar of days on which these hours do not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub except: Option<Text>,
}
