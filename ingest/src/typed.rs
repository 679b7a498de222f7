//! Values that say of what type they are, as databases write their rows down: DynamoDB (`{"N":"9"}`), MongoDB's extended JSON
//! (`{"$numberInt":"9"}`), Firestore (`{"integerValue":"9"}`) and Avro's unions (`{"int":9}`). They are written as the plain values they
//! hold (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html>,
//! <https://www.mongodb.com/docs/manual/reference/mongodb-extended-json/>,
//! <https://firebase.google.com/docs/firestore/reference/rest/v1/Value> and
//! <https://avro.apache.org/docs/1.12.0/specification/#json-encoding>, not opened: from knowledge of them, 2026-11-30).

use crate::config::DEPTH_MAX;
use crate::json::{Json, Kind, Object, deeper_than};

/// A document without the types of its values; `None` where no value states one.
pub(crate) fn json(text: &str) -> Option<String> {
    if deeper_than(text.as_bytes(), DEPTH_MAX) {
        return None;
    }
    let document = Json::parse(text).ok()?;
    let mut plain = Plain { text: String::with_capacity(text.len()), changed: false };
    plain.value(document);
    plain.changed.then_some(plain.text)
}

struct Plain {
    text: String,
    changed: bool,
}

impl Plain {
    fn value(&mut self, value: Json<'_>) {
        match (value.kind(), value.object()) {
            (Kind::Array, _) => self.list(&value.array().unwrap_or_default()),
            (_, Some(object)) => match typed(&object) {
                Some(inner) => {
                    self.changed = true;
                    self.inner(inner);
                }
                None => self.object(&object),
            },
            _ => self.text.push_str(value.text()),
        }
    }

    fn inner(&mut self, inner: Typed<'_>) {
        match inner {
            Typed::As(value) => self.text.push_str(value.text()),
            Typed::Number(digits) => self.text.push_str(digits),
            Typed::Object(object) => self.object(&object),
            Typed::List(list) => self.list(&list),
            Typed::Null => self.text.push_str("null"),
        }
    }

    fn object(&mut self, object: &Object<'_>) {
        self.text.push('{');
        // What a row of DynamoDB was before it changed is told already.
        let fields = object.iter().filter(|(name, _)| *name != "OldImage");
        for (index, (name, value)) in fields.enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            self.text.push_str(&serde_json::Value::from(name).to_string());
            self.text.push(':');
            self.value(value);
        }
        self.text.push('}');
    }

    fn list(&mut self, list: &[Json<'_>]) {
        self.text.push('[');
        for (index, value) in list.iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            self.value(*value);
        }
        self.text.push(']');
    }
}

/// What a typed value holds.
enum Typed<'a> {
    As(Json<'a>),
    Number(&'a str),
    Object(Box<Object<'a>>),
    List(Vec<Json<'a>>),
    Null,
}

/// The value within an object that has one field, named as a type; `None` for any other.
fn typed<'a>(object: &Object<'a>) -> Option<Typed<'a>> {
    let mut fields = object.iter();
    let (name, value) = fields.next()?;
    if fields.next().is_some() {
        return None;
    }
    let text = || (value.kind() == Kind::String).then_some(Typed::As(value));
    let digits = || value.number().filter(|digits| is_number(digits)).map(Typed::Number);
    match name {
        "S" | "stringValue" | "string" | "$oid" | "timestampValue" | "referenceValue" => text(),
        "N" | "integerValue" | "doubleValue" | "$numberInt" | "$numberLong" | "$numberDouble" | "$numberDecimal"
        | "int" | "long" | "float" | "double" => digits(),
        "BOOL" | "booleanValue" | "boolean" => value.boolean().map(|_| Typed::As(value)),
        "NULL" | "nullValue" => Some(Typed::Null),
        "M" => value.object().map(|fields| Typed::Object(Box::new(fields))),
        "L" => value.array().map(Typed::List),
        "mapValue" => value.object()?.object("fields").map(|fields| Typed::Object(Box::new(fields))),
        "arrayValue" => value.object()?.array("values").map(Typed::List),
        _ => None,
    }
}

/// True for digits that are a number of JSON.
fn is_number(digits: &str) -> bool {
    Json::parse(digits).is_ok_and(|value| value.kind() == Kind::Number)
}

#[cfg(test)]
mod tests {
    use super::json;

    #[test]
    fn values_are_written_without_their_types() {
        for (typed, plain) in [
            (
                r#"{"Item":{"a":{"S":"x \"y\""},"n":{"N":"9"},"m":{"M":{"k":{"BOOL":true}}},"l":{"L":[{"N":"1.5"},{"NULL":true}]}}}"#,
                r#"{"Item":{"a":"x \"y\"","n":9,"m":{"k":true},"l":[1.5,null]}}"#,
            ),
            (
                r#"{"_id":{"$oid":"65"},"n":{"$numberLong":"9"},"d":{"$date":{"$numberLong":"1785578390000"}}}"#,
                r#"{"_id":"65","n":9,"d":{"$date":1785578390000}}"#,
            ),
            (
                r#"{"fields":{"u":{"mapValue":{"fields":{"n":{"integerValue":"9"}}}},"e":{"arrayValue":{"values":[]}}}}"#,
                r#"{"fields":{"u":{"n":9},"e":[]}}"#,
            ),
            (r#"{"model":{"string":"m"},"n":{"long":9}}"#, r#"{"model":"m","n":9}"#),
            (r#"{"NewImage":{"n":{"N":"2"}},"OldImage":{"n":{"N":"1"}}}"#, r#"{"NewImage":{"n":2}}"#),
        ] {
            assert_eq!(json(typed).as_deref(), Some(plain));
        }
        // Digits that are none stay what they are.
        for plain in [r#"{"a":1}"#, r#"{"n":{"N":"many"}}"#, r#"{"n":{"N":"1","S":"1"}}"#, "{"] {
            assert_eq!(json(plain), None);
        }
    }
}
