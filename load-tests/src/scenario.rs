//! The scenarios: each says who takes part, how they are driven, and what had been asked for.

mod grpc;
mod handshakes;
mod idle;
mod inline;
mod instructions;
mod large;
mod many;
mod mirror;
mod paced;
mod plain;
mod reload;
mod scaling;
mod secure;
mod shadow;
mod stream;

use clap::ValueEnum;

use crate::{peer::PeerError, report::Section, stage::Stage};

/// What is compared with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Every one that needs no servers in Python.
    All,
    /// A small POST over plain HTTP/1.1.
    Plain,
    /// The same with everybody proving who they are, and an experiment.
    Secure,
    /// The first two at a fixed rate: how long answers take.
    Paced,
    /// Unary gRPC.
    Grpc,
    /// Streams of events.
    Stream,
    /// Bodies of 1 MiB.
    Large,
    /// Whole TLS handshakes.
    Handshakes,
    /// Connections that nobody uses.
    Idle,
    /// Every request copied.
    Mirror,
    /// A document of a thousand routes.
    Many,
    /// The same document, read anew under load.
    Reload,
    /// One worker and two.
    Scaling,
    /// Instructions of a request, counted by callgrind.
    Instructions,
    /// Wald without a shadow, and with one that is slow, silent or dead, at a rate that leaves cores free.
    Shadow,
    /// A perceptron inside Wald, and inside servers in Python.
    Mlp,
    /// A forest inside Wald, and inside servers in Python.
    Forest,
    /// Embeddings of short texts inside Wald, and inside a server in Python.
    #[value(name = "minilm-16")]
    MiniLm16,
    /// The same of longer texts.
    #[value(name = "minilm-128")]
    MiniLm128,
}

impl Scenario {
    const ALL: [Self; 14] = [
        Self::Plain,
        Self::Secure,
        Self::Paced,
        Self::Grpc,
        Self::Stream,
        Self::Large,
        Self::Handshakes,
        Self::Idle,
        Self::Mirror,
        Self::Many,
        Self::Reload,
        Self::Scaling,
        Self::Instructions,
        Self::Shadow,
    ];

    /// Those that were asked for.
    pub(crate) fn among(asked: &[Self]) -> Vec<Self> {
        if asked.contains(&Self::All) {
            Self::ALL.to_vec()
        } else {
            asked.to_vec()
        }
    }

    /// What it is called on the command line, and in the names of files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Plain => "plain",
            Self::Secure => "secure",
            Self::Paced => "paced",
            Self::Grpc => "grpc",
            Self::Handshakes => "handshakes",
            Self::Idle => "idle",
            Self::Mirror => "mirror",
            Self::Stream => "stream",
            Self::Large => "large",
            Self::Many => "many",
            Self::Reload => "reload",
            Self::Scaling => "scaling",
            Self::Instructions => "instructions",
            Self::Shadow => "shadow",
            Self::Mlp => "mlp",
            Self::Forest => "forest",
            Self::MiniLm16 => "minilm-16",
            Self::MiniLm128 => "minilm-128",
        }
    }

    /// Runs it.
    pub(crate) fn run(self, stage: &Stage) -> Result<Section, PeerError> {
        match self {
            Self::All | Self::Plain => plain::run(stage),
            Self::Secure => secure::run(stage),
            Self::Paced => paced::run(stage),
            Self::Grpc => grpc::run(stage),
            Self::Handshakes => handshakes::run(stage),
            Self::Idle => idle::run(stage),
            Self::Mirror => mirror::run(stage),
            Self::Stream => stream::run(stage),
            Self::Large => large::run(stage),
            Self::Many => many::run(stage),
            Self::Reload => reload::run(stage),
            Self::Scaling => scaling::run(stage),
            Self::Instructions => instructions::run(stage),
            Self::Shadow => shadow::run(stage),
            Self::Mlp => inline::run(stage, inline::Model::Mlp),
            Self::Forest => inline::run(stage, inline::Model::Forest),
            Self::MiniLm16 => inline::run(stage, inline::Model::MiniLm16),
            Self::MiniLm128 => inline::run(stage, inline::Model::MiniLm128),
        }
    }
}
