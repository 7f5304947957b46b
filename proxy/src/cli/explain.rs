//! `wald explain`: what would happen to a request, and why, by the functions that serve requests.

use std::fs;
use std::path::{Path, PathBuf};

use http::header::HOST;
use http::{HeaderName, HeaderValue, Method, request};
use policy::{
    Answer, Asked, Believed, Caller, Explanation, Listener, Policy, Request, SpiffeId, Stage,
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::document::{DocumentArgs, Source};
use super::output::Output;
use super::{Exit, Failure, problems};
use crate::gateway;
use crate::gateway::model::{Scanner, Unsound};
use crate::identify::TokenError;
use crate::observe::Moment;
use crate::refusal::{Refusal, kind};

/// Say which route, arm and backend a request would get, and why
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wald explain -c wald.yaml --method POST --path /v2/models/fraud/infer
  wald explain -c wald.yaml --method POST --path /v2/models/fraud/infer --header x-user:ada -o json
  wald explain -c wald.yaml --path /v2/models/fraud --claims '{\"sub\": \"ada\", \"scope\": \"infer\"}'

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
    /// The SPIFFE id that its connection proves
    #[arg(long, value_name = "ID")]
    spiffe: Option<SpiffeId>,
    /// The claims of a token that holds, as JSON; what is left out of `iss`, `aud` and `exp` is as it must be
    #[arg(long, value_name = "JSON", value_parser = claims)]
    claims: Option<Claims>,
    /// A file with its body
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// The listener it comes in at; the first of the document if absent
    #[arg(long, value_name = "NAME")]
    listener: Option<String>,
    #[command(flatten)]
    output: Output,
}

/// A request that nobody has sent, and who would be sending it.
#[derive(Debug)]
pub(crate) struct Inquiry<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) host: &'a str,
    pub(crate) headers: &'a [(HeaderName, HeaderValue)],
    pub(crate) spiffe: Option<&'a SpiffeId>,
    pub(crate) claims: Option<&'a Map<String, Value>>,
    pub(crate) body: Option<&'a [u8]>,
    /// The first of the document if absent.
    pub(crate) listener: Option<&'a str>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// The document has no such listener.
    #[error("the document has no listener {0:?}")]
    Listener(String),
    /// No request could look like that.
    #[error("this is no request")]
    Request(#[from] http::Error),
}

/// What `-o json` prints: a field that says nothing is `null`, not absent.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
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
        let body = self.body.as_deref().map(read).transpose()?;
        let inquiry = Inquiry {
            method: &self.method,
            path: &self.path,
            host: &self.host,
            headers: &self.headers,
            spiffe: self.spiffe.as_ref(),
            claims: self.claims.as_ref().map(|Claims(claims)| claims),
            body: body.as_deref(),
            listener: self.listener.as_deref(),
        };
        let first = |_: &policy::Experiment| Stage::first(1);
        let stages: Vec<Stage> = policy.experiments().iter().map(first).collect();
        inquiry.answer(policy, &stages).map_err(|none| match none {
            NoAnswer::Listener(asked) => Failure::NoListener { asked },
            NoAnswer::Request(error) => error.into(),
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|source| Failure::Body {
        path: path.to_owned(),
        source,
    })
}

impl Inquiry<'_> {
    /// What would happen to it, with experiments at these stages.
    pub(crate) fn answer(&self, policy: &Policy, stages: &[Stage]) -> Result<Row, NoAnswer> {
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
        let read = match Asked::by_path(head.uri.path()) {
            Asked::Unknown if policy.asks_for_models() => Some(self.model()),
            _ => None,
        };
        let mut request = Request {
            listener: listener.id,
            host,
            path: head.uri.path(),
            method: &head.method,
            headers: &head.headers,
            model: Asked::by_path(head.uri.path()),
        };
        let asks = policy
            .route(&request)
            .is_ok_and(policy::Route::asks_for_model);
        match &read {
            Some(Err(unsound)) if asks => return Ok(Row::refused(&Refusal::Model(*unsound))),
            Some(Ok(Some(model))) => request.model = Asked::Model(model),
            _ if request.model == Asked::Unknown => request.model = Asked::Nothing,
            _ => {}
        }
        // The same chance each time: who asks twice wants the same answer.
        let (caller, doubt) = self.caller(policy);
        let mut row = Row::of(policy.explain(&request, caller, stages, 0));
        if let Some(doubt) = doubt {
            row.doubt(doubt);
        }
        if asks {
            row.why.insert(0, named(request.model));
        }
        if let (Some(body), Ok(route)) = (self.body, policy.route(&request)) {
            let limit = route.body_bytes.unwrap_or(listener.limits.body_bytes);
            row.weigh(body.len() as u64, limit);
        }
        Ok(row)
    }

    /// The model that the body names.
    fn model(&self) -> Result<Option<String>, Unsound> {
        let Some(body) = self.body else {
            return Ok(None);
        };
        let mut scanner = Scanner::new();
        scanner.feed(body).and_then(|()| scanner.finish())?;
        Ok(scanner.model().map(str::to_owned))
    }

    /// Who would be calling, and what would be wrong with the token.
    fn caller(&self, policy: &Policy) -> (Caller, Option<TokenError>) {
        let caller = Caller::anonymous();
        let caller = match self.spiffe {
            Some(id) => caller.with_workload(id.clone()),
            None => caller,
        };
        let Some(claims) = self.claims else {
            return (caller, None);
        };
        match suppose(policy, claims) {
            Ok(believed) => (caller.with_user(believed.user), None),
            Err(doubt) => (caller, Some(doubt)),
        }
    }

    fn listener<'a>(&self, policy: &'a Policy) -> Result<&'a Listener, NoAnswer> {
        let mut listeners = policy.listeners().iter();
        let found = match self.listener {
            Some(name) => listeners.find(|listener| *listener.name == *name),
            None => listeners.next(),
        };
        found.ok_or_else(|| NoAnswer::Listener(self.listener.unwrap_or_default().to_owned()))
    }

    fn head(&self) -> Result<request::Parts, http::Error> {
        let mut request = http::Request::builder().method(self.method).uri(self.path);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let (mut head, ()) = request.body(())?.into_parts();
        if !head.headers.contains_key(HOST) {
            head.headers.insert(HOST, HeaderValue::from_str(self.host)?);
        }
        Ok(head)
    }
}

/// Which model the request asks for, where that matters.
fn named(asked: Asked<'_>) -> String {
    match asked {
        Asked::Model(model) => format!("the request asks for model {model}"),
        Asked::Nothing | Asked::Unknown => {
            "neither path nor body names a model (--body FILE gives a body)".to_owned()
        }
    }
}

/// A token that holds, of the issuer that its claims name or of the only one there is.
fn suppose(policy: &Policy, claims: &Map<String, Value>) -> Result<Believed, TokenError> {
    let named = claims.get("iss").and_then(Value::as_str);
    let issuer = match (named, policy.issuers()) {
        (None, [only]) => Some(only),
        (named, issuers) => issuers.iter().find(|issuer| named == Some(&*issuer.name)),
    };
    let issuer = issuer.ok_or_else(|| TokenError::Issuer(named.unwrap_or_default().to_owned()))?;
    issuer
        .suppose(claims.clone(), Moment::now().unix_millis)
        .map_err(TokenError::Doubt)
}

/// The claims of a token.
#[derive(Clone, Debug)]
struct Claims(Map<String, Value>);

fn claims(text: &str) -> Result<Claims, String> {
    serde_json::from_str(text)
        .map(Claims)
        .map_err(|bad| format!("not a JSON object: {bad}"))
}

/// A header field as people write it.
pub(crate) fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
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

    /// Adds that the token would prove nothing, which matters where a user is asked for.
    fn doubt(&mut self, doubt: TokenError) {
        self.why
            .insert(0, format!("the token proves nothing: {doubt}"));
        if self.code.as_deref() == Some(&*kind::UNPROVEN.code.to_string()) {
            self.code = Some(Refusal::Token(doubt).kind().code.to_string());
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
