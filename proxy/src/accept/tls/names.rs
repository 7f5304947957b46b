//! The DNS names on a certificate of ours.

/// Names in lower case, some of them with `*` as their first label.
#[derive(Debug)]
pub(super) struct Names(Vec<Box<str>>);

impl Names {
    /// The names of a certificate.
    pub(super) fn new(names: &[String]) -> Self {
        let lower = names.iter().map(|name| name.to_ascii_lowercase().into());
        Self(lower.collect())
    }

    /// Whether the certificate is good for the name that a client asks for (RFC 6125 §6.4.3: `*` is one label).
    pub(super) fn contain(&self, asked: &str) -> bool {
        let asked = asked.to_ascii_lowercase();
        let parent = asked.split_once('.').map(|(_, parent)| parent);
        self.0.iter().any(|name| match name.strip_prefix("*.") {
            Some(zone) => parent == Some(zone),
            None => **name == asked,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_one_label() {
        let names = Names::new(&["A.test".to_owned(), "*.b.test".to_owned()]);
        let found = [
            "a.test",
            "A.TEST",
            "x.b.test",
            "b.test",
            "x.y.b.test",
            "c.test",
        ]
        .map(|asked| names.contain(asked));
        assert_eq!(found, [true, true, true, false, false, false]);
    }
}
