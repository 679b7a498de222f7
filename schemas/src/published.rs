//! The schemas as files for other people's tools.

use serde_json::Value;

use crate::codec::schema_json;
use crate::{
    Alert, Batch, BudgetState, Charge, EventItem, Fact, LedgerEntry, PartialItem, ReferenceItem, Rejection, Skip,
    TopicLayout, Window,
};

/// File name and schema of every payload, in the order data flows.
pub fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("usage.events.avsc", schema_json::<Batch<EventItem>>()),
        ("usage.facts.avsc", schema_json::<Batch<Fact>>()),
        ("usage.rejected.avsc", schema_json::<Batch<Rejection>>()),
        ("usage.charges.avsc", schema_json::<Batch<Charge>>()),
        ("spend.partials.avsc", schema_json::<Batch<PartialItem>>()),
        ("spend.windows.avsc", schema_json::<Window>()),
        ("budget.state.avsc", schema_json::<BudgetState>()),
        ("spend.alerts.avsc", schema_json::<Alert>()),
        ("spend.ledger.avsc", schema_json::<LedgerEntry>()),
        ("spend.skips.avsc", schema_json::<Skip>()),
        ("spend.topology.avsc", schema_json::<TopicLayout>()),
        ("ref.avsc", schema_json::<ReferenceItem>()),
    ]
}

/// Schemas of releases before, by the record's name: what they wrote is still on topics that are kept.
const OLDER: [(&str, &str); 1] = [("BudgetState", include_str!("../avro/older/budget.state.1.avsc"))];

/// Those of one record.
pub(crate) fn older(name: &str) -> Vec<&'static str> {
    OLDER.iter().filter(|(of, _)| *of == name).map(|(_, schema)| *schema).collect()
}

#[cfg(test)]
mod tests {
    use apache_avro::Schema;
    use apache_avro::schema_compatibility::SchemaCompatibility;

    use super::*;

    #[test]
    fn what_a_release_before_wrote_is_read_and_what_is_written_now_it_could_read() {
        let parse = |schema: &Value| Schema::parse(schema).expect("valid Avro");
        for (name, older) in OLDER {
            let older = parse(&serde_json::from_str(older).expect("JSON"));
            let all = schemas();
            let current = all.iter().find(|(_, schema)| schema["name"] == name).expect("it is still published");
            let current = parse(&current.1);
            assert_ne!(older, current, "{name}: a schema that is no other need not be kept");
            SchemaCompatibility::can_read(&older, &current).unwrap_or_else(|error| panic!("{name}: {error}"));
            SchemaCompatibility::can_read(&current, &older).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }

    /// With `UPDATE_SCHEMAS=1` the files are written instead of compared.
    #[test]
    fn the_schema_files_are_the_schemas_of_the_types() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("avro");
        for (name, schema) in schemas() {
            Schema::parse(&schema).unwrap_or_else(|error| panic!("{name}: {error}"));
            let text = serde_json::to_string_pretty(&schema).expect("a JSON value can be written") + "\n";
            let path = folder.join(name);
            if std::env::var_os("UPDATE_SCHEMAS").is_some() {
                std::fs::write(&path, &text).expect("write schema file");
            }
            let file = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(
                file, text,
                "{name} differs from its type; run the test with UPDATE_SCHEMAS=1 and read the diff"
            );
        }
    }
}
