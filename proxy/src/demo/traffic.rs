//! The recorded images as requests: what a client sends, and what the right answer is.

use bytes::Bytes;
use serde::Deserialize;

use super::assets;

/// Why the recorded traffic cannot be replayed.
#[derive(Debug, thiserror::Error)]
#[error("the recorded traffic does not read as images")]
pub(crate) struct TrafficError(#[from] csv::Error);

/// One image, ready to be sent.
pub(super) struct Image {
    /// An Open Inference Protocol request that asks for its label.
    pub(super) request: Bytes,
    /// The digit that was really written.
    pub(super) label: i64,
}

/// The part of an inference response that says what the model saw.
#[derive(Deserialize)]
struct Response {
    outputs: Vec<Output>,
}

#[derive(Deserialize)]
struct Output {
    name: String,
    data: Vec<f64>,
}

/// Every recorded image.
pub(super) fn images() -> Result<Vec<Image>, TrafficError> {
    let mut reader = csv::Reader::from_reader(assets::TRAFFIC.as_bytes());
    reader
        .deserialize()
        .map(|row| Ok(Image::of(row?)))
        .collect()
}

/// A line of the recording: which image, its label, whether it is an easy one, its 64 pixels.
type Row = (u32, i64, u8, Vec<f32>);

impl Image {
    fn of((_, label, _, pixels): Row) -> Self {
        let request = serde_json::json!({
            "inputs": [{ "name": "pixels", "datatype": "FP32", "shape": [1, pixels.len()], "data": pixels }],
            "outputs": [{ "name": "label" }],
        });
        Self {
            request: request.to_string().into(),
            label,
        }
    }

    /// Whether `response` names the right digit; none if it names no digit at all.
    pub(super) fn judge(&self, response: &[u8]) -> Option<bool> {
        let response: Response = serde_json::from_slice(response).ok()?;
        let label = response
            .outputs
            .iter()
            .find(|output| output.name == "label")?;
        // Labels are small integers, which a double holds exactly.
        #[expect(
            clippy::float_cmp,
            clippy::cast_precision_loss,
            reason = "both sides are digits"
        )]
        label.data.first().map(|&seen| seen == self.label as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_has_a_digit_and_64_pixels() {
        let images = images().unwrap();
        assert_eq!(images.len(), 899);
        for image in &images {
            assert!((0..10).contains(&image.label));
            let request: serde_json::Value = serde_json::from_slice(&image.request).unwrap();
            assert_eq!(request["inputs"][0]["data"].as_array().unwrap().len(), 64);
        }
    }

    #[test]
    fn an_answer_is_right_wrong_or_no_answer() {
        let image = Image {
            request: Bytes::new(),
            label: 7,
        };
        let answer = |digit: u8| format!(r#"{{"outputs":[{{"name":"label","data":[{digit}]}}]}}"#);
        assert_eq!(image.judge(answer(7).as_bytes()), Some(true));
        assert_eq!(image.judge(answer(1).as_bytes()), Some(false));
        assert_eq!(image.judge(br#"{"outputs":[]}"#), None);
    }
}
