//! Which model a request asks for.

/// The model that a request asks for, as far as it was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked<'a> {
    /// Nobody has looked into the body, and the path does not say.
    Unknown,
    /// None is named.
    Nothing,
    /// This one.
    Model(&'a str),
}

/// What the verbs of TensorFlow Serving and KServe's first protocol follow a model's name with.
const VERBS: [&str; 6] = [
    "predict",
    "classify",
    "regress",
    "explain",
    "lookup",
    "multiInference",
];

impl<'a> Asked<'a> {
    /// What a normalised path says: `/v2/models/NAME…` and `/v2/repository/models/NAME…` of the Open Inference
    /// Protocol, `/v1/models/NAME…` of TensorFlow Serving, KServe and OpenAI.
    #[must_use]
    pub fn by_path(path: &'a str) -> Self {
        match parts(path) {
            Some((_, name, _)) => Self::Model(name),
            None => Self::Unknown,
        }
    }

    /// The same path with another model in it; none if it has none.
    pub(crate) fn rename(path: &str, model: &str) -> Option<String> {
        let (before, _, behind) = parts(path)?;
        Some(format!("{before}{model}{behind}"))
    }

    /// Whether it is one of these.
    pub(crate) fn is_one_of(self, models: &[Box<str>]) -> bool {
        matches!(self, Self::Model(name) if models.iter().any(|model| **model == *name))
    }
}

/// What stands before a model's name in a path, the name, and what stands behind it.
fn parts(path: &str) -> Option<(&str, &str, &str)> {
    let starts = ["/v2/models/", "/v2/repository/models/", "/v1/models/"];
    let start = starts.into_iter().find(|start| path.starts_with(start))?;
    let (before, rest) = path.split_at_checked(start.len())?;
    let segment = first(rest);
    let name = if start.starts_with("/v1") {
        without_verb(segment)
    } else {
        segment
    };
    let (name, behind) = rest.split_at_checked(name.len())?;
    (!name.is_empty()).then_some((before, name, behind))
}

fn first(rest: &str) -> &str {
    rest.split('/').next().unwrap_or_default()
}

/// Names of OpenAI may have colons, so only a known verb ends one.
fn without_verb(segment: &str) -> &str {
    match segment.rsplit_once(':') {
        Some((name, verb)) if VERBS.contains(&verb) => name,
        _ => segment,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_the_model_of_its_protocol() {
        for (path, expected) in [
            ("/v2/models/fraud/infer", "fraud"),
            ("/v2/models/fraud/versions/2/infer", "fraud"),
            ("/v2/models/fraud", "fraud"),
            ("/v2/repository/models/fraud/load", "fraud"),
            ("/v1/models/fraud:predict", "fraud"),
            ("/v1/models/fraud/versions/3:predict", "fraud"),
            ("/v1/models/ft:gpt:org", "ft:gpt:org"),
        ] {
            assert_eq!(Asked::by_path(path), Asked::Model(expected), "{path}");
        }
        for path in [
            "/v2/models",
            "/v2/models/",
            "/v1/models",
            "/v1/chat/completions",
            "/",
        ] {
            assert_eq!(Asked::by_path(path), Asked::Unknown, "{path}");
        }
    }
}
