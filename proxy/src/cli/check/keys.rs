//! Whether the keys of an issuer can be had, and verify anything.

use std::fs;

use policy::{Issuer, KeySource};

use super::finding::Finding;
use crate::causes::causes;
use crate::identify::KeySet;
use crate::identify::key_servers::fetch;

/// Gets an issuer's keys as a running Wald would.
pub(super) async fn look(issuer: &Issuer) -> Finding {
    let subject = format!("keys of {}", issuer.name);
    match &issuer.keys {
        KeySource::File(path) => {
            let subject = format!("{subject} {}", path.display());
            let text = match fs::read(path) {
                Ok(text) => text,
                Err(error) => {
                    let remedy = "put the key set there, or mend `keys.file`";
                    return Finding::failed(subject, error.to_string(), remedy);
                }
            };
            match KeySet::parse(&text) {
                Ok(set) => judge(subject, &set),
                Err(error) => {
                    let remedy = "write the issuer's JSON Web Key Set into the file";
                    Finding::failed(subject, causes(&error), remedy)
                }
            }
        }
        // Wald starts without the server, and believes no token of the issuer until it answers.
        KeySource::Url(server) => {
            let subject = format!("{subject} {}", server.url);
            match fetch(server).await {
                Ok(set) => judge(subject, &set),
                Err(error) => {
                    let remedy = "start the server, or mend `keys.url` and `keys.trust`";
                    Finding::doubtful(subject, causes(&error), remedy)
                }
            }
        }
    }
}

fn judge(subject: String, set: &KeySet) -> Finding {
    match (set.len(), set.unusable()) {
        (0, unusable) => {
            let detail = format!("no key that verifies signatures, {unusable} others");
            let remedy = "no token of this issuer can be believed: is it the right key set?";
            Finding::doubtful(subject, detail, remedy)
        }
        (usable, 0) => Finding::fine(subject, format!("{usable} keys")),
        (usable, unusable) => {
            Finding::fine(subject, format!("{usable} keys, {unusable} of no use here"))
        }
    }
}
