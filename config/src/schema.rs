//! The JSON Schema of the document, for editors and checks outside Wald.

use crate::Document;
use crate::decode::Field;
use schemars::Schema;
use schemars::generate::SchemaSettings;

/// The document's schema, JSON Schema 2020-12.
///
/// It describes a document after its `${VARIABLES}` are replaced.
#[must_use]
pub fn schema() -> Schema {
    SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<Document>()
}

/// Sets which fields a record's schema requires, from the list that its decoder follows.
pub(crate) fn require(schema: &mut Schema, fields: &[Field]) {
    let required: Vec<_> = fields
        .iter()
        .filter(|field| field.required)
        .map(|field| field.name)
        .collect();
    schema.remove("required");
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
}
