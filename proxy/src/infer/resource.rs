//! The resources that the Open Inference Protocol, TensorFlow Serving and OpenAI give a model.

use http::Method;

use super::embeddings;
use crate::refusal::Refusal;

/// What is asked of which version.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resource<'a> {
    pub(super) version: Option<&'a str>,
    pub(super) action: Action,
}

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Name and version of the server.
    ServerMetadata,
    /// Whether the server runs.
    Live,
    /// Whether the model can be asked: it can, or it would not be in the snapshot.
    Ready,
    /// Inputs and outputs of the model.
    Metadata,
    /// Whether TensorFlow Serving would serve it.
    Status,
    /// The models that OpenAI's clients may name.
    Models,
    /// To run it.
    Ask(Asks),
}

/// In which words a model is asked to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// Those of the Open Inference Protocol.
    Infer,
    /// Those of TensorFlow Serving.
    Predict,
    /// Those of OpenAI's clients, who want embeddings.
    Embeddings,
}

impl<'a> Resource<'a> {
    /// The resource at this path.
    pub(super) fn of(method: &Method, path: &'a str) -> Result<Self, Refusal> {
        let (version, action) = Self::find(path).ok_or(Refusal::NoSuchResource)?;
        match action {
            Action::Ask(_) if method != Method::POST => Err(Refusal::Method { allowed: "POST" }),
            Action::Ask(_) => Ok(Self { version, action }),
            _ if method != Method::GET && method != Method::HEAD => Err(Refusal::Method {
                allowed: "GET, HEAD",
            }),
            _ => Ok(Self { version, action }),
        }
    }

    fn find(path: &'a str) -> Option<(Option<&'a str>, Action)> {
        match path {
            embeddings::PATH => return Some((None, Action::Ask(Asks::Embeddings))),
            "/v1/models" => return Some((None, Action::Models)),
            _ => {}
        }
        if let Some(model) = path.strip_prefix("/v1/models/") {
            return tensorflow(model);
        }
        let (rest, version) = match path.strip_prefix("/v2")? {
            "" | "/" => return Some((None, Action::ServerMetadata)),
            "/health/live" => return Some((None, Action::Live)),
            "/health/ready" => return Some((None, Action::Ready)),
            model => version(model.strip_prefix("/models/")?)?,
        };
        let action = match rest {
            None => Action::Metadata,
            Some("ready") => Action::Ready,
            Some("infer") => Action::Ask(Asks::Infer),
            Some(_) => return None,
        };
        Some((version, action))
    }
}

/// `NAME[/versions/V][:predict]`; names may have colons, too.
fn tensorflow(model: &str) -> Option<(Option<&str>, Action)> {
    let (model, action) = match model.strip_suffix(":predict") {
        Some(model) => (model, Action::Ask(Asks::Predict)),
        None => (model, Action::Status),
    };
    let (rest, version) = version(model)?;
    rest.is_none().then_some((version, action))
}

/// Splits `NAME[/versions/V][/ACTION]` into the action and the version.
fn version(model: &str) -> Option<(Option<&str>, Option<&str>)> {
    let mut segments = model.split('/');
    segments.next().filter(|name| !name.is_empty())?;
    let found = match segments.next() {
        Some("versions") => {
            let version = segments.next().filter(|version| !version.is_empty())?;
            (segments.next(), Some(version))
        }
        action => (action, None),
    };
    segments.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, version: Option<&str>, action: Action) {
        let method = if matches!(action, Action::Ask(_)) {
            Method::POST
        } else {
            Method::GET
        };
        assert_eq!(
            Resource::of(&method, path).unwrap(),
            Resource { version, action }
        );
    }

    #[test]
    fn every_resource_of_the_protocol_is_found() {
        check("/v2", None, Action::ServerMetadata);
        check("/v2/health/live", None, Action::Live);
        check("/v2/health/ready", None, Action::Ready);
        check("/v2/models/m", None, Action::Metadata);
        check("/v2/models/m/ready", None, Action::Ready);
        let (infer, predict) = (Action::Ask(Asks::Infer), Action::Ask(Asks::Predict));
        check("/v2/models/m/infer", None, infer);
        check("/v2/models/m/versions/2", Some("2"), Action::Metadata);
        check("/v2/models/m/versions/2/ready", Some("2"), Action::Ready);
        check("/v2/models/versions/infer", None, infer);
        check("/v1/models/m", None, Action::Status);
        check("/v1/models/m:latest", None, Action::Status);
        check("/v1/models/m/versions/2", Some("2"), Action::Status);
        check("/v1/models/m:predict", None, predict);
        check("/v1/models/m/versions/2:predict", Some("2"), predict);
    }

    #[test]
    fn openai_clients_find_theirs() {
        check("/v1/embeddings", None, Action::Ask(Asks::Embeddings));
        check("/v1/models", None, Action::Models);
    }

    #[test]
    fn other_paths_are_not_found() {
        for path in [
            "/",
            "/v1/models/:predict",
            "/v1/models/m/metadata",
            "/v1/models/m/versions/:predict",
            "/v1/models/m/labels/stable:predict",
            "/v2/models",
            "/v2/models/",
            "/v2/models/m/versions",
            "/v2/models/m/infer/x",
        ] {
            assert!(
                matches!(
                    Resource::of(&Method::GET, path),
                    Err(Refusal::NoSuchResource)
                ),
                "{path}"
            );
        }
    }

    #[test]
    fn asking_with_the_wrong_method_says_the_right_one() {
        let refused = Resource::of(&Method::GET, "/v2/models/m/infer").unwrap_err();
        assert!(matches!(refused, Refusal::Method { allowed: "POST" }));
    }
}
