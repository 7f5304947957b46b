//! Panics of Tract become errors: a model must not take the process down.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work`; if it panics, gives what the panic said.
///
/// Asserted to be unwind safe because nothing that `work` was changing is used afterwards: loading
/// drops its half-built graph, and each run has a state of its own.
pub(crate) fn contain<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| said(&*payload))
}

fn said(payload: &(dyn Any + Send)) -> String {
    let literal = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    literal
        .or_else(|| payload.downcast_ref().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(
            contain(|| panic!("index {} is out of bounds", 3)),
            Err::<(), _>("index 3 is out of bounds".into())
        );
        assert_eq!(contain(|| panic!("plain")), Err::<(), _>("plain".into()));
    }
}
