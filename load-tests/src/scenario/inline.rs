//! Small models: Wald, which runs them itself, beside servers that do nothing else.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use sha2::{Digest as _, Sha256};

use crate::{
    FOLDER,
    drive::{self, Load, Script},
    peer::{Drive, Peer, PeerError, compare},
    process::StartError,
    report::Section,
    stage::{Cast, Program, Stage, free_address},
};

/// How long a server may take until it answers with the model.
const LOADING: Duration = Duration::from_secs(60);

/// A model of `peers/inline.py`.
#[derive(Clone, Copy)]
pub(crate) enum Model {
    /// 64 pixels, two layers of 64 and 32, ten digits.
    Mlp,
    /// A hundred trees for the same.
    Forest,
    /// A text encoder of three layers (paraphrase-MiniLM-L3-v2), with texts of so many tokens.
    MiniLm16,
    MiniLm128,
}

impl Model {
    fn name(self) -> &'static str {
        match self {
            Self::Mlp => "mlp",
            Self::Forest => "forest",
            Self::MiniLm16 => "minilm-16",
            Self::MiniLm128 => "minilm-128",
        }
    }

    fn says(self) -> &'static str {
        match self {
            Self::Mlp => {
                "A perceptron for 64 pixels (64, 32, 10), one row a request, JSON of the Open Inference Protocol"
            }
            Self::Forest => {
                "A forest of 100 trees for 64 pixels, one row a request, JSON of the Open Inference Protocol"
            }
            Self::MiniLm16 => {
                "Embeddings of texts of 16 tokens by paraphrase-MiniLM-L3-v2, one text a request, as OpenAI's clients ask"
            }
            Self::MiniLm128 => {
                "Embeddings of texts of 128 tokens by paraphrase-MiniLM-L3-v2, one text a request, as OpenAI's clients ask"
            }
        }
    }

    fn takes_texts(self) -> bool {
        matches!(self, Self::MiniLm16 | Self::MiniLm128)
    }

    /// What clients ask.
    fn path(self) -> &'static str {
        if self.takes_texts() {
            "/v1/embeddings"
        } else {
            "/v2/models/served/infer"
        }
    }
}

/// Trains the model, starts whoever serves it, and asks them all.
pub(super) fn run(stage: &Stage, model: Model) -> Result<Section, PeerError> {
    let python = python();
    let models = stage.folder.join("models");
    let trained = Command::new(&python)
        .arg(Path::new(FOLDER).join("peers/inline.py"))
        .arg("prepare")
        .arg(&models)
        .arg(model.name())
        .status()
        .map_err(|source| StartError::new(&python.to_string_lossy(), source))?;
    if !trained.success() {
        return Err(PeerError::Untrained);
    }
    let of_model = models.join(model.name());
    let body = of_model.join("body.json");
    let mut peers = Vec::from_iter(wald(stage, model, &of_model)?);
    peers.push(in_python(stage, "fastapi", &python, &of_model)?);
    if !model.takes_texts() {
        peers.push(in_python(stage, "mlserver", &python, &of_model)?);
    }
    let json = fs::read(&body)?;
    for peer in &peers {
        await_answer(peer, model.path(), &json)?;
    }
    let load = stage.load(Load {
        connections: 16,
        ..Load::FULL
    });
    let path = model.path();
    let script = Script::Json { body, path };
    let wrk: Drive<'_> = &|address, load| drive::wrk(address, load, &script);
    let driven: Vec<_> = peers.iter().map(|peer| (peer, wrk)).collect();
    let mut section = Section {
        name: model.name(),
        says: format!(
            "{}. Wald with its defaults, FastAPI with ONNX Runtime in a process for each core, MLServer with scikit-learn: {}.",
            model.says(),
            load.sentence()
        ),
        rows: compare(&driven, load)?,
        bars: Vec::new(),
        notes: Vec::new(),
    };
    section.rate_bar("wald", &["fastapi"], 1.0);
    if !model.takes_texts() {
        section.rate_bar("wald", &["mlserver"], 1.0);
    }
    Ok(section)
}

/// Where `make bench-models` installs what these servers need.
fn python() -> PathBuf {
    Path::new(FOLDER).join("../.venv-bench/bin/python")
}

/// Wald as it comes, which runs the model of a folder itself.
fn wald(stage: &Stage, model: Model, folder: &Path) -> Result<Option<Peer>, PeerError> {
    let mut values = vec![
        ("MODEL", folder.to_string_lossy().into_owned()),
        ("SHA256", digest(&folder.join("model.onnx"))?),
    ];
    if model.takes_texts() {
        values.push(("TOKENIZER", digest(&folder.join("tokenizer.json"))?));
    }
    stage.start(&Cast {
        name: "wald",
        program: Program::Wald,
        template: if model.takes_texts() {
            "texts.yaml"
        } else {
            "inline.yaml"
        },
        workers: 0,
        values: &values,
    })
}

fn digest(file: &Path) -> io::Result<String> {
    let digest = Sha256::digest(fs::read(file)?);
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A model server in Python, as `peers/inline.py` starts it.
fn in_python(
    stage: &Stage,
    name: &'static str,
    python: &Path,
    model: &Path,
) -> Result<Peer, PeerError> {
    let address = free_address()?;
    let mut command = Command::new(python);
    command
        .arg(Path::new(FOLDER).join("peers/inline.py"))
        .arg(name)
        .arg(model)
        .arg(address.port().to_string());
    stage.run(name, address, &mut command)
}

fn await_answer(peer: &Peer, path: &str, json: &[u8]) -> Result<(), PeerError> {
    let until = Instant::now() + LOADING;
    while !is_answered(peer.address, path, json)? {
        if Instant::now() > until {
            return Err(PeerError::Silent(peer.name));
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Whether the model is served by now.
fn is_answered(address: SocketAddr, path: &str, json: &[u8]) -> io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    let length = json.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), json].concat())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer.starts_with(b"HTTP/1.1 200"))
}
