//! Dimensions by their names: what configuration, claims and reports know them by.

use crate::{Dimensions, Text};

/// Needs every field: one that is missing in the list does not compile.
macro_rules! named {
    ($($name:ident),* $(,)?) => {
        impl Dimensions {
            /// Names of all dimensions, in the order of the fields.
            pub const NAMES: &[&str] = &[$(stringify!($name)),*];

            /// Each dimension with its name, in the order of the fields.
            pub fn named(&self) -> impl Iterator<Item = (&'static str, &Option<Text>)> {
                let Dimensions { $($name),* } = self;
                Self::NAMES.iter().copied().zip([$($name),*])
            }

            /// The dimension of this name, to be written.
            pub fn named_mut(&mut self, name: &str) -> Option<&mut Option<Text>> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }

            /// How the dimension of this name is read: for whoever reads it of many.
            pub fn reader(name: &str) -> Option<fn(&Self) -> &Option<Text>> {
                match name {
                    $(stringify!($name) => Some(|of| &of.$name),)*
                    _ => None,
                }
            }

            /// Takes over what is null here and stated there.
            pub fn fill(&mut self, from: &Self) {
                $(if self.$name.is_none() { self.$name.clone_from(&from.$name); })*
            }
        }
    };
}

named! {
    team, project, cost_center, business_unit, environment, customer, user, application, feature, use_case, workload_profile,
    task_class, routing_lane, agent, session, run_id, billing_account, sub_account, invoice, cost_category, spend_class, parent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dimension_is_read_and_written_by_the_name_of_its_field() {
        let mut dimensions = Dimensions { team: Some("search".into()), ..Dimensions::default() };
        for name in Dimensions::NAMES {
            dimensions.named_mut(name).unwrap().get_or_insert((*name).into());
        }
        for (name, value) in dimensions.named() {
            let expected = if name == "team" { "search" } else { name };
            assert_eq!(value.as_deref(), Some(expected));
            assert_eq!(Dimensions::reader(name).unwrap()(&dimensions), value);
        }
        assert!(dimensions.named_mut("colour").is_none() && Dimensions::reader("colour").is_none());
        assert_eq!(dimensions.run_id.as_deref(), Some("run_id"));
    }

    #[test]
    fn only_what_is_null_is_filled() {
        let mut ours = Dimensions { team: Some("search".into()), ..Dimensions::default() };
        ours.fill(&Dimensions { team: Some("ads".into()), project: Some("ranking".into()), ..Dimensions::default() });
        assert_eq!((ours.team.as_deref(), ours.project.as_deref()), (Some("search"), Some("ranking")));
    }
}
