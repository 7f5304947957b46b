//! The JSON Schema says what the reader does.

use crate::EVERYTHING;
use serde_json::Value;

/// Follows `$ref` into the schema's definitions.
fn resolve<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => root
            .pointer(reference.trim_start_matches('#'))
            .expect("the definition is there"),
        None => schema,
    }
}

/// Whether `value` fits the parts of JSON Schema that the document's schema is made of.
fn fits(root: &Value, schema: &Value, value: &Value) -> bool {
    let schema = resolve(root, schema);
    let Some(rules) = schema.as_object() else {
        return schema.as_bool() == Some(true);
    };
    rules.iter().all(|(rule, wanted)| match rule.as_str() {
        "type" => is_of_type(wanted, value),
        "const" => wanted == value,
        "enum" => wanted.as_array().expect("a list").contains(value),
        "anyOf" => count(root, wanted, value) > 0,
        "oneOf" => count(root, wanted, value) == 1,
        "items" => items(value).all(|item| fits(root, wanted, item)),
        "required" => wanted
            .as_array()
            .expect("a list")
            .iter()
            .all(|name| value.get(name.as_str().expect("a name")).is_some()),
        "properties" => fields(value).all(|(name, field)| {
            wanted
                .get(name)
                .is_none_or(|schema| fits(root, schema, field))
        }),
        "additionalProperties" => fields(value)
            .filter(|(name, _)| {
                rules
                    .get("properties")
                    .is_none_or(|known| known.get(name).is_none())
            })
            .all(|(_, field)| fits(root, wanted, field)),
        "minimum" => value
            .as_f64()
            .is_none_or(|number| number >= wanted.as_f64().expect("a number")),
        "maximum" => value
            .as_f64()
            .is_none_or(|number| number <= wanted.as_f64().expect("a number")),
        "$schema" | "$defs" | "title" | "description" | "format" | "pattern" => true,
        other => panic!("this test does not know the rule {other}"),
    })
}

fn count(root: &Value, schemas: &Value, value: &Value) -> usize {
    schemas
        .as_array()
        .expect("a list")
        .iter()
        .filter(|schema| fits(root, schema, value))
        .count()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn is_of_type(wanted: &Value, value: &Value) -> bool {
    match wanted {
        Value::Array(types) => types.iter().any(|wanted| is_of_type(wanted, value)),
        _ => match wanted.as_str().expect("a type has a name") {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            other => panic!("this test does not know the type {other}"),
        },
    }
}

fn schema() -> Value {
    serde_json::to_value(config::schema()).expect("a schema is JSON")
}

fn everything() -> Value {
    serde_saphyr::from_str(EVERYTHING).expect("the example is YAML")
}

#[test]
fn the_document_that_uses_everything_fits_its_schema() {
    let schema = schema();
    assert!(fits(&schema, &schema, &everything()));
}

#[test]
fn an_unknown_field_does_not_fit_the_schema() {
    let (schema, mut document) = (schema(), everything());
    document["listeners"][0]["tlss"] = Value::Null;
    assert!(!fits(&schema, &schema, &document));
}

#[test]
fn a_document_without_routes_does_not_fit_the_schema() {
    let (schema, mut document) = (schema(), everything());
    document.as_object_mut().expect("a map").remove("routes");
    assert!(!fits(&schema, &schema, &document));
}

#[test]
fn every_field_of_the_schema_says_what_it_is() {
    let schema = schema();
    let mut silent = Vec::new();
    let definitions = fields(&schema["$defs"]).map(|(name, schema)| (name.as_str(), schema));
    for (name, definition) in definitions.chain([("Document", &schema)]) {
        for (field, schema) in fields(&definition["properties"]) {
            if schema.get("description").is_none() {
                silent.push(format!("{name}.{field}"));
            }
        }
    }
    assert_eq!(silent, Vec::<String>::new());
}
