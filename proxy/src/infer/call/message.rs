//! The messages of `inference.GRPCInferenceService`.
//!
//! Source: `grpc_predict_v2.proto` of the Open Inference Protocol V2; `ModelStreamInfer` is Triton's.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::{Message, Oneof};

/// The most inputs, outputs and raw tensors of one request together. An empty one takes two bytes on the wire, and
/// hundreds once it has been read.
const TENSORS_MAX: usize = 1024;

/// The most elements of BYTES in one: an empty one has two bytes here and 24 once it is read.
const TEXTS_MAX: usize = 1 << 20;

/// `ServerLiveResponse`, `ServerReadyResponse` and `ModelReadyResponse`.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Yes {
    #[prost(bool, tag = "1")]
    pub(super) is_so: bool,
}

/// `ServerMetadataResponse`
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Server {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) version: String,
    #[prost(string, repeated, tag = "3")]
    pub(super) extensions: Vec<String>,
}

/// `ModelReadyRequest` and `ModelMetadataRequest`.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Which {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) version: String,
}

/// `ModelMetadataResponse`
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Metadata {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, repeated, tag = "2")]
    pub(super) versions: Vec<String>,
    #[prost(string, tag = "3")]
    pub(super) platform: String,
    #[prost(message, repeated, tag = "4")]
    pub(super) inputs: Vec<Declared>,
    #[prost(message, repeated, tag = "5")]
    pub(super) outputs: Vec<Declared>,
}

/// `ModelMetadataResponse.TensorMetadata`
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Declared {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) datatype: String,
    #[prost(int64, repeated, tag = "3")]
    pub(super) shape: Vec<i64>,
}

/// `ModelInferRequest`
#[derive(Clone, PartialEq, Message)]
pub(super) struct Request {
    #[prost(string, tag = "1")]
    pub(super) model_name: String,
    #[prost(string, tag = "2")]
    pub(super) model_version: String,
    #[prost(string, tag = "3")]
    pub(super) id: String,
    #[prost(btree_map = "string, message", tag = "4")]
    pub(super) parameters: BTreeMap<String, Parameter>,
    #[prost(message, repeated, tag = "5")]
    pub(super) inputs: Vec<Tensor>,
    #[prost(message, repeated, tag = "6")]
    pub(super) outputs: Vec<Requested>,
    /// `raw_input_contents`
    #[prost(bytes = "bytes", repeated, tag = "7")]
    pub(super) raw: Vec<Bytes>,
}

/// `ModelInferRequest.InferRequestedOutputTensor`
#[derive(Clone, PartialEq, Message)]
pub(super) struct Requested {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(btree_map = "string, message", tag = "2")]
    pub(super) parameters: BTreeMap<String, Parameter>,
}

/// `ModelInferResponse`
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Response {
    #[prost(string, tag = "1")]
    pub(crate) model_name: String,
    #[prost(string, tag = "2")]
    pub(crate) model_version: String,
    #[prost(string, tag = "3")]
    pub(crate) id: String,
    #[prost(btree_map = "string, message", tag = "4")]
    pub(crate) parameters: BTreeMap<String, Parameter>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) outputs: Vec<Tensor>,
    /// `raw_output_contents`
    #[prost(bytes = "bytes", repeated, tag = "6")]
    pub(crate) raw: Vec<Bytes>,
}

/// `ModelStreamInferResponse`
#[derive(Clone, PartialEq, Message)]
pub(super) struct Streamed {
    #[prost(string, tag = "1")]
    pub(super) error_message: String,
    #[prost(message, optional, tag = "2")]
    pub(super) infer_response: Option<Response>,
}

/// `ModelInferRequest.InferInputTensor` and `ModelInferResponse.InferOutputTensor`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Tensor {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) datatype: String,
    #[prost(int64, repeated, tag = "3")]
    pub(crate) shape: Vec<i64>,
    #[prost(btree_map = "string, message", tag = "4")]
    pub(crate) parameters: BTreeMap<String, Parameter>,
    #[prost(message, optional, tag = "5")]
    pub(crate) contents: Option<Contents>,
}

/// `InferParameter`
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Parameter {
    #[prost(oneof = "Choice", tags = "1, 2, 3, 4, 5")]
    pub(crate) choice: Option<Choice>,
}

/// `InferParameter.parameter_choice`
#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Choice {
    #[prost(bool, tag = "1")]
    Bool(bool),
    #[prost(int64, tag = "2")]
    Int(i64),
    #[prost(string, tag = "3")]
    Text(String),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(uint64, tag = "5")]
    Uint(u64),
}

/// `InferTensorContents`, of whose fields the datatype uses one.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Contents {
    #[prost(bool, repeated, tag = "1")]
    pub(crate) bools: Vec<bool>,
    #[prost(int32, repeated, tag = "2")]
    pub(crate) ints: Vec<i32>,
    #[prost(int64, repeated, tag = "3")]
    pub(crate) longs: Vec<i64>,
    #[prost(uint32, repeated, tag = "4")]
    pub(crate) uints: Vec<u32>,
    #[prost(uint64, repeated, tag = "5")]
    pub(crate) ulongs: Vec<u64>,
    #[prost(float, repeated, tag = "6")]
    pub(crate) singles: Vec<f32>,
    #[prost(double, repeated, tag = "7")]
    pub(crate) doubles: Vec<f64>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    pub(crate) texts: Vec<Vec<u8>>,
}

impl Request {
    /// Reads a request that has no more tensors than it may, or says what was expected.
    pub(super) fn read(message: Bytes) -> Result<Self, String> {
        let Counts { tensors, texts } =
            Counts::of(&message).ok_or("it is not made of fields as a request is")?;
        if tensors > TENSORS_MAX {
            return Err(format!(
                "it has {tensors} tensors, at most {TENSORS_MAX} are taken"
            ));
        }
        if texts > TEXTS_MAX {
            return Err(format!(
                "it has {texts} elements of BYTES, at most {TEXTS_MAX} are taken"
            ));
        }
        Self::decode(message).map_err(|error| error.to_string())
    }
}

/// What a request is made of that takes more memory than it has bytes.
#[derive(Default)]
struct Counts {
    /// Inputs, outputs and raw tensors.
    tensors: usize,
    /// Elements of `bytes_contents`.
    texts: usize,
}

impl Counts {
    /// None if it is not made of fields.
    fn of(message: &[u8]) -> Option<Self> {
        let mut counts = Self::default();
        each_field(message, &mut |field, input| {
            counts.tensors += usize::from((5..=7).contains(&field));
            if field != 5 {
                return Some(());
            }
            each_field(input, &mut |field, contents| match field {
                5 => each_field(contents, &mut |field, _| {
                    counts.texts += usize::from(field == 8);
                    Some(())
                }),
                _ => Some(()),
            })
        })?;
        Some(counts)
    }
}

/// Looks at each field of a message, with what it holds if that has a length.
fn each_field<'m>(
    mut message: &'m [u8],
    see: &mut dyn FnMut(usize, &'m [u8]) -> Option<()>,
) -> Option<()> {
    while !message.is_empty() {
        // Both a key and a length are written as lengths are.
        let key = prost::decode_length_delimiter(&mut message).ok()?;
        let length = match key & 7 {
            0 => {
                prost::decode_length_delimiter(&mut message).ok()?;
                0
            }
            1 => 8,
            2 => prost::decode_length_delimiter(&mut message).ok()?,
            5 => 4,
            // A group, of which no field of ours is made, could hide some.
            _ => return None,
        };
        let (held, rest) = message.split_at_checked(length)?;
        see(key >> 3, held)?;
        message = rest;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_a_bound_number_of_texts() {
        let with = |texts: usize| Request {
            inputs: vec![Tensor {
                contents: Some(Contents {
                    texts: vec![Vec::new(); texts],
                    ..Contents::default()
                }),
                ..Tensor::default()
            }],
            ..Request::default()
        };
        let fits = with(1000);
        assert_eq!(Request::read(fits.encode_to_vec().into()), Ok(fits));
        let refused = Request::read(with(TEXTS_MAX + 1).encode_to_vec().into());
        assert!(refused.is_err_and(|why| why.contains("1048577 elements of BYTES")));
    }

    #[test]
    fn a_request_has_a_bound_number_of_tensors() {
        let with = |inputs: usize, raw: usize| Request {
            model_name: "m".to_owned(),
            inputs: vec![Tensor::default(); inputs],
            raw: vec![Bytes::new(); raw],
            ..Request::default()
        };
        let fits = with(1000, 24);
        assert_eq!(Request::read(fits.encode_to_vec().into()), Ok(fits));
        let refused = Request::read(with(1000, 25).encode_to_vec().into());
        let told = "it has 1025 tensors, at most 1024 are taken".to_owned();
        assert_eq!(refused, Err(told));
    }

    #[test]
    fn groups_hide_no_tensors() {
        // A group of field 9 that is never ended, and inputs behind.
        let hidden = [&[0x4b][..], &[0x2a, 0].repeat(2000)].concat();
        assert!(Request::read(hidden.into()).is_err());
        let ended = [&[0x4b, 0x4c][..], &[0x2a, 0].repeat(2000)].concat();
        assert!(Request::read(ended.into()).is_err());
    }

    #[test]
    fn any_bytes_are_a_request_or_none() {
        proptest::proptest!(|(bytes: Vec<u8>)| {
            if let Ok(request) = Request::read(bytes.into()) {
                assert!(request.inputs.len() + request.outputs.len() <= TENSORS_MAX);
            }
        });
    }
}
