//! `wald explain`: what would happen to a request, and why, by the functions that serve requests.

use std::fs;
use std::path::{Path, PathBuf};

use http::header::HOST;
use http::{HeaderName, HeaderValue, Method, request};
use policy::{Answer, Caller, Explanation, Listener, Policy, Request, Stage};
use serde::Serialize;

use super::document::{DocumentArgs, Source};
use super::output::Output;
use super::{Exit, Failure, problems};
use crate::gateway;
use crate::refusal::Refusal;

/// Say which route, arm and backend a request would get, and why
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wald explain -c wald.yaml --method POST --path /v2/models/fraud/infer
  wald explain -c wald.yaml --method POST --path /v2/models/fraud/infer --header x-user:ada -o json

Experiments are taken to be at the first step of their ramp. Exits with 0 when the request is
permitted, with 3 when it is denied, with 4 when no route takes it, with 2 when the document is
refused.")]
pub(crate) struct Args {
    #[command(flatten)]
    document: DocumentArgs,
    /// The request's method
    #[arg(long, default_value = "GET")]
    method: Method,
    /// Its path; a query is ignored
    #[arg(long)]
    path: String,
    /// The host it asks for
    #[arg(long, default_value = "localhost")]
    host: String,
    /// A header field, as NAME:VALUE; may be repeated
    #[arg(long = "header", value_name = "NAME:VALUE", value_parser = header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// A file with its body
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// The listener it comes in at; the first of the document if absent
    #[arg(long, value_name = "NAME")]
    listener: Option<String>,
    #[command(flatten)]
    output: Output,
}

/// What `-o json` prints: a field that says nothing is `null`, not absent.
#[derive(Debug, Serialize)]
struct Row {
    outcome: Answer,
    route: Option<String>,
    code: Option<String>,
    experiment: Option<String>,
    arm: Option<String>,
    backend: Option<String>,
    shadows: Vec<String>,
    why: Vec<String>,
}

pub(crate) fn explain(args: &Args) -> Result<Exit, Failure> {
    let source = Source::open(&args.document.config)?;
    let policy = match source.compile() {
        Ok(compiled) => compiled.policy,
        Err(refused) => {
            problems::complain(&refused, &source);
            return Ok(Exit::BadDocument);
        }
    };
    let row = args.answer(&policy)?;
    args.output.write(&row, Row::page)?;
    Ok(match row.outcome {
        Answer::Permit => Exit::Done,
        Answer::Deny => Exit::Denied,
        Answer::NoRoute => Exit::NoRoute,
    })
}

impl Args {
    fn answer(&self, policy: &Policy) -> Result<Row, Failure> {
        let listener = self.listener(policy)?;
        let mut head = self.head()?;
        if let Err(refusal) = gateway::normalise(&mut head) {
            return Ok(Row::refused(&refusal));
        }
        let host = head
            .headers
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or_default();
        let request = Request {
            listener: listener.id,
            host,
            path: head.uri.path(),
            method: &head.method,
            headers: &head.headers,
        };
        let stages: Vec<Stage> = policy
            .experiments()
            .iter()
            .map(|_| Stage::first(1))
            .collect();
        // The same chance each time: who asks twice wants the same answer.
        let explanation = policy.explain(&request, Caller::anonymous(), &stages, 0);
        let mut row = Row::of(explanation);
        if let (Some(path), Ok(route)) = (&self.body, policy.route(&request)) {
            row.weigh(
                body_bytes(path)?,
                route.body_bytes.unwrap_or(listener.limits.body_bytes),
            );
        }
        Ok(row)
    }

    fn listener<'a>(&self, policy: &'a Policy) -> Result<&'a Listener, Failure> {
        let mut listeners = policy.listeners().iter();
        let found = match &self.listener {
            Some(name) => listeners.find(|listener| *listener.name == **name),
            None => listeners.next(),
        };
        found.ok_or_else(|| Failure::NoListener {
            asked: self.listener.clone().unwrap_or_default(),
        })
    }

    fn head(&self) -> Result<request::Parts, Failure> {
        let mut request = http::Request::builder()
            .method(&self.method)
            .uri(&self.path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let (mut head, ()) = request.body(())?.into_parts();
        if !head.headers.contains_key(HOST) {
            head.headers.insert(
                HOST,
                HeaderValue::from_str(&self.host).map_err(http::Error::from)?,
            );
        }
        Ok(head)
    }
}

fn body_bytes(path: &Path) -> Result<u64, Failure> {
    let found = fs::metadata(path).map_err(|source| Failure::Body {
        path: path.to_owned(),
        source,
    })?;
    Ok(found.len())
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text
        .split_once(':')
        .ok_or("no colon between name and value")?;
    let name = HeaderName::try_from(name.trim()).map_err(|bad| bad.to_string())?;
    let value = HeaderValue::try_from(value.trim()).map_err(|bad| bad.to_string())?;
    Ok((name, value))
}

impl Row {
    fn of(explanation: Explanation) -> Self {
        let Explanation {
            outcome,
            route,
            code,
            experiment,
            arm,
            backend,
            shadows,
            why,
            ..
        } = explanation;
        Self {
            outcome,
            route,
            code,
            experiment,
            arm,
            backend,
            shadows,
            why,
        }
    }

    /// A request that is refused before any route is asked.
    fn refused(refusal: &Refusal) -> Self {
        Self {
            outcome: Answer::Deny,
            route: None,
            code: Some(refusal.kind().code.to_string()),
            experiment: None,
            arm: None,
            backend: None,
            shadows: Vec::new(),
            why: vec![format!("refused before routing: {refusal}")],
        }
    }

    /// Adds what the size of the body changes.
    fn weigh(&mut self, bytes: u64, limit: u64) {
        if self.outcome != Answer::Permit {
            return;
        }
        if bytes <= limit {
            self.why
                .push(format!("the body has {bytes} bytes of at most {limit}"));
            return;
        }
        let refusal = Refusal::BodyTooLarge { limit };
        self.outcome = Answer::Deny;
        self.code = Some(refusal.kind().code.to_string());
        self.why
            .push(format!("the body has {bytes} bytes: {refusal}"));
    }

    fn page(&self) -> String {
        let verdict = match self.outcome {
            Answer::Permit => "permitted",
            Answer::Deny => "denied",
            Answer::NoRoute => "no route",
        };
        let code = self
            .code
            .as_ref()
            .map(|code| format!(" ({code})"))
            .unwrap_or_default();
        let mut page = format!("{verdict}{code}\n");
        let facts = [
            ("route", &self.route),
            ("experiment", &self.experiment),
            ("arm", &self.arm),
            ("backend", &self.backend),
        ];
        for (name, value) in facts {
            if let Some(value) = value {
                page += &format!("  {name:<11}{value}\n");
            }
        }
        page += "why\n";
        self.why
            .iter()
            .fold(page, |page, reason| page + &format!("  - {reason}\n"))
    }
}
