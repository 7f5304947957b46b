//! What an operator writes: the YAML document, read with positions so that every problem in it is
//! reported at once, with its line, its code and its remedy.
//!
//! This crate is pure: it turns text into a [`Document`] or into [`Problems`]. What a document
//! *means* is decided by the `policy` crate, which adds its own problems at the places kept here.

pub mod code;
mod decode;
pub mod document;
mod place;
mod problem;
mod read;
mod schema;
mod tree;
pub mod value;
mod variable;

pub use code::Code;
pub use document::Document;
pub use place::{Path, Place, Places};
pub use problem::{Problem, Problems, Severity};
pub use read::read;
pub use schema::schema;
