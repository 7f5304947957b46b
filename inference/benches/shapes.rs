//! The plan for any shape beside one made for the shape at hand, as docs/decisions/0024 has them.
//!
//! `cargo bench -p inference --bench shapes -- FILE SHAPE [FILE SHAPE]…`, a shape as `1x3x640x640` for all inputs of
//! the file: one row of a table for each, medians of one thread.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program whose output is read by whoever started it"
)]

use std::path::Path;

use inference::{Datatype, Model, Signature, Tensor, Values};
use sha2::{Digest, Sha256};

fn main() {
    let arguments: Vec<_> = std::env::args()
        .skip(1)
        .filter(|it| it != "--bench")
        .collect();
    println!("| model | shape | any shape µs | this shape µs | this / any | plans kept |");
    println!("|---|---|---|---|---|---|");
    for pair in arguments.chunks_exact(2) {
        let (file, shape) = (Path::new(&pair[0]), &pair[1]);
        let bytes = std::fs::read(file).expect("a file");
        let model = Model::load(&bytes, &Sha256::digest(&bytes).into()).expect("a model");
        let lengths: Vec<_> = shape.split('x').map(|it| it.parse().unwrap()).collect();
        let inputs: Vec<_> = model
            .inputs()
            .iter()
            .map(|it| input(it, &lengths))
            .collect();
        let trial = model.try_with(&inputs).expect("it runs");
        let name = file.file_stem().unwrap().to_string_lossy();
        let kept = if model.plan_counts().is_some() {
            "yes"
        } else {
            "no"
        };
        match trial.comparison {
            Some(compared) => {
                let [any, this] = [compared.open, compared.own].map(|it| it.as_secs_f64() * 1e6);
                println!(
                    "| {name} | {shape} | {any:.0} | {this:.0} | {:.2} | {kept} |",
                    this / any
                );
            }
            None => {
                let any = trial.cost.time().as_secs_f64() * 1e6;
                println!("| {name} | {shape} | {any:.0} | | | {kept} |");
            }
        }
    }
}

fn input(signature: &Signature, shape: &[usize]) -> Tensor {
    let count = shape.iter().product();
    Tensor {
        name: signature.name.clone(),
        shape: shape.to_vec(),
        values: match signature.datatype {
            Datatype::Int64 => Values::Int64(vec![1; count]),
            Datatype::Int32 => Values::Int32(vec![1; count]),
            Datatype::Uint8 => Values::Uint8(vec![128; count]),
            _ => Values::Fp32(vec![0.5; count]),
        },
    }
}
