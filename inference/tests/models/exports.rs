//! Models as people export them answer whole data sets as ONNX Runtime and their own library do.
//!
//! `make` has `tests/peers/models.py` train, export and ask them; what it wrote is read here.

use std::path::{Path, PathBuf};

use inference::{Model, Tensor, Values};
use prost::Message;
use tract_onnx::pb::TensorProto;
use tract_onnx::pb::tensor_proto::DataType;

use crate::onnx::{load, told};

/// Of a value, or of one if the value is less.
const TOLERANCE: f64 = 1e-5;

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv-models/cases");
    let entries = std::fs::read_dir(&folder);
    let entries = entries.expect("`make` writes .venv-models/cases");
    let mut cases: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    cases.retain(|case| case.is_dir());
    cases.sort();
    assert!(cases.len() > 50, "only {} cases", cases.len());
    cases
}

fn tensors(case: &Path, of: &str) -> Vec<Tensor> {
    let files = (0..).map(|index| case.join(format!("{of}_{index}.pb")));
    files
        .map_while(|file| std::fs::read(file).ok())
        .map(|bytes| tensor(&TensorProto::decode(&*bytes).unwrap()))
        .collect()
}

fn tensor(proto: &TensorProto) -> Tensor {
    fn each<const N: usize, T>(bytes: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
        let chunks = bytes.chunks_exact(N);
        chunks
            .map(|chunk| read(chunk.try_into().unwrap()))
            .collect()
    }
    let raw = proto.raw_data.as_slice();
    let values = match DataType::try_from(proto.data_type).unwrap() {
        DataType::Float => Values::Fp32(each(raw, f32::from_le_bytes)),
        DataType::Double => Values::Fp64(each(raw, f64::from_le_bytes)),
        DataType::Int64 => Values::Int64(each(raw, i64::from_le_bytes)),
        DataType::Int32 => Values::Int32(each(raw, i32::from_le_bytes)),
        DataType::String => Values::Bytes(proto.string_data.clone()),
        other => unreachable!("{other:?}"),
    };
    Tensor {
        name: proto.name.clone(),
        shape: proto
            .dims
            .iter()
            .map(|length| usize::try_from(*length).unwrap())
            .collect(),
        values,
    }
}

fn name(case: &Path) -> String {
    case.file_name().unwrap().to_string_lossy().into_owned()
}

fn model(case: &Path) -> Result<Model, String> {
    load(&std::fs::read(case.join("model.onnx")).unwrap()).map_err(|error| told(&error))
}

/// What the model answers, as many rows at once as a request may have.
fn answers(model: &Model, inputs: &[Tensor], at_once: usize) -> Result<Vec<Tensor>, String> {
    let rows = inputs[0].shape[0];
    let mut all: Vec<Tensor> = Vec::new();
    for start in (0..rows).step_by(at_once) {
        let part = inputs
            .iter()
            .map(|input| slice(input, start, at_once))
            .collect();
        let outputs = model.run(part).map_err(|error| told(&error))?;
        if all.is_empty() {
            all = outputs;
        } else {
            all.iter_mut()
                .zip(outputs)
                .for_each(|(all, output)| append(all, output));
        }
    }
    Ok(all)
}

fn slice(tensor: &Tensor, start: usize, count: usize) -> Tensor {
    fn part<T: Clone>(values: &[T], rows: usize, start: usize, count: usize) -> Vec<T> {
        let width = values.len() / rows;
        let end = rows.min(start + count);
        values[start * width..end * width].to_vec()
    }
    let rows = tensor.shape[0];
    let mut shape = tensor.shape.clone();
    shape[0] = rows.min(start + count) - start;
    let values = match &tensor.values {
        Values::Fp32(values) => Values::Fp32(part(values, rows, start, count)),
        Values::Fp64(values) => Values::Fp64(part(values, rows, start, count)),
        Values::Int64(values) => Values::Int64(part(values, rows, start, count)),
        Values::Int32(values) => Values::Int32(part(values, rows, start, count)),
        Values::Bytes(values) => Values::Bytes(part(values, rows, start, count)),
        other => unreachable!("{other:?}"),
    };
    let name = tensor.name.clone();
    Tensor {
        name,
        shape,
        values,
    }
}

fn append(all: &mut Tensor, more: Tensor) {
    all.shape[0] += more.shape[0];
    match (&mut all.values, more.values) {
        (Values::Fp32(all), Values::Fp32(more)) => all.extend(more),
        (Values::Fp64(all), Values::Fp64(more)) => all.extend(more),
        (Values::Int64(all), Values::Int64(more)) => all.extend(more),
        (Values::Bytes(all), Values::Bytes(more)) => all.extend(more),
        (all, more) => unreachable!("{all:?} {more:?}"),
    }
}

/// Where two outputs differ first, if they do.
fn difference(found: &Tensor, expected: &Tensor) -> Option<String> {
    let count = found.values.len();
    if count != expected.values.len() {
        return Some(format!("{:?} instead of {:?}", found.shape, expected.shape));
    }
    let at = |index: &usize| match (
        number(&found.values, *index),
        number(&expected.values, *index),
    ) {
        (Some(found), Some(expected)) => far(found, expected),
        _ => text(&found.values, *index) != text(&expected.values, *index),
    };
    let first = (0..count).find(at)?;
    let differ = (0..count).filter(at).count();
    let told = |values: &Values| format!("{:?} {:?}", number(values, first), text(values, first));
    let (found, expected) = (told(&found.values), told(&expected.values));
    Some(format!(
        "{differ} of {count}, at {first} {found} instead of {expected}"
    ))
}

fn far(found: f64, expected: f64) -> bool {
    let both_nan = found.is_nan() && expected.is_nan();
    let near = (found - expected).abs() <= TOLERANCE * expected.abs().max(1.0);
    !(near || both_nan || found.to_bits() == expected.to_bits())
}

fn number(values: &Values, index: usize) -> Option<f64> {
    match values {
        Values::Fp32(values) => Some(values[index].into()),
        Values::Fp64(values) => Some(values[index]),
        Values::Int32(values) => Some(values[index].into()),
        #[expect(clippy::cast_precision_loss, reason = "labels are small")]
        Values::Int64(values) => Some(values[index] as f64),
        _ => None,
    }
}

fn text(values: &Values, index: usize) -> Option<&[u8]> {
    match values {
        Values::Bytes(values) => Some(&values[index]),
        _ => None,
    }
}

/// Every case whose answers differ from those of the files of this name.
fn differences(of: &str, at_once: usize) -> Vec<String> {
    let mut differences = Vec::new();
    for case in cases() {
        let answers =
            model(&case).and_then(|model| answers(&model, &tensors(&case, "input"), at_once));
        match answers {
            Err(error) => differences.push(format!("{}: {error}", name(&case))),
            Ok(answers) => {
                for (found, expected) in answers.iter().zip(tensors(&case, of)) {
                    let told = difference(found, &expected);
                    let told = told.map(|told| format!("{} `{}`: {told}", name(&case), found.name));
                    differences.extend(told);
                }
            }
        }
    }
    differences
}

#[track_caller]
fn none(differences: &[String]) {
    assert!(differences.is_empty(), "\n{}\n", differences.join("\n"));
}

#[test]
fn every_exported_model_answers_as_onnx_runtime_does() {
    none(&differences("runtime", 1024));
}

#[test]
fn every_exported_model_answers_row_by_row_as_onnx_runtime_does() {
    none(&differences("runtime", 1));
}

#[test]
fn every_exported_model_answers_as_the_library_that_trained_it() {
    none(&differences("own", 1024));
}

/// Without it the others could compare nothing.
#[test]
fn another_answer_is_a_difference() {
    let of = |values| Tensor {
        name: "y".into(),
        shape: vec![2],
        values,
    };
    let floats = |second| of(Values::Fp32(vec![1.0, second]));
    assert_eq!(difference(&floats(2.0), &floats(2.0)), None);
    assert!(difference(&floats(2.0), &floats(2.0001)).is_some());
    assert!(difference(&floats(2.0), &floats(f32::NAN)).is_some());
    let texts = |second: &str| of(Values::Bytes(vec![b"a".to_vec(), second.into()]));
    assert!(difference(&texts("b"), &texts("c")).is_some());
}

/// Hostile files: of each small model a few hundred with one byte flipped, loaded and run.
#[test]
fn a_model_with_a_flipped_byte_answers_or_is_refused_and_never_panics() {
    let (mut loaded, mut refused) = (0, 0);
    for case in cases() {
        let whole = std::fs::read(case.join("model.onnx")).unwrap();
        let inputs = tensors(&case, "input");
        if whole.len() > 20_000 || name(&case).starts_with("neighbours") {
            continue;
        }
        for at in (0..whole.len()).step_by(whole.len() / 40) {
            let mut flipped = whole.clone();
            flipped[at] ^= 0xff;
            let answer = load(&flipped)
                .map_err(|error| told(&error))
                .and_then(|model| answers(&model, &inputs, 1024));
            match answer {
                Ok(_) => loaded += 1,
                Err(error) => {
                    refused += 1;
                    let ours = !error.contains("no entry found for key");
                    assert!(
                        !(error.contains("panicked") && ours),
                        "{}, byte {at}: {error}",
                        name(&case)
                    );
                }
            }
        }
    }
    assert!(
        loaded > 1000 && refused > 1000,
        "{loaded} loaded, {refused} refused"
    );
}
