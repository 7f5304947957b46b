//! Errors as one line of a log, an answer or a page has room for them.

/// An error and all that caused it.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |line, cause| format!("{line}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the outer")]
    struct Outer(#[source] std::fmt::Error);

    #[test]
    fn the_cause_stands_behind_what_it_caused() {
        let line = causes(&Outer(std::fmt::Error));
        assert_eq!(line, format!("the outer: {}", std::fmt::Error));
    }
}
