//! What a run of a model takes, as it was measured before it serves.

use std::time::Duration;

use crate::{Tensor, Values};

/// How long a request took that has so many values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    time: Duration,
    values: usize,
}

impl Cost {
    /// The median time of several runs of such inputs.
    pub(crate) fn new(time: Duration, inputs: &[Tensor]) -> Self {
        Self {
            time,
            values: values(inputs),
        }
    }

    /// How long it took.
    pub fn time(&self) -> Duration {
        self.time
    }

    /// How long a run of these inputs takes at the most: as many times as long as they have values. That is too
    /// much for many rows, of which the first costs most, and so errs on the side of the model's own threads.
    pub fn of(&self, inputs: &[Tensor]) -> Duration {
        let times = values(inputs).div_ceil(self.values);
        self.time
            .saturating_mul(u32::try_from(times).unwrap_or(u32::MAX))
    }
}

/// At least one: what a model is asked without any value costs something, too. Texts count by their bytes.
fn values(inputs: &[Tensor]) -> usize {
    let count = |input: &Tensor| match &input.values {
        Values::Bytes(texts) => texts.iter().map(|text| text.len().max(1)).sum(),
        values => values.len(),
    };
    inputs
        .iter()
        .map(count)
        .fold(0, usize::saturating_add)
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: usize) -> Vec<Tensor> {
        vec![Tensor {
            name: "x".to_owned(),
            shape: vec![rows, 2],
            values: Values::Fp32(vec![0.0; 2 * rows]),
        }]
    }

    #[test]
    fn more_rows_cost_as_many_times_as_much() {
        let cost = Cost::new(Duration::from_micros(3), &rows(1));
        assert_eq!(cost.of(&rows(1)), Duration::from_micros(3));
        assert_eq!(cost.of(&rows(20)), Duration::from_micros(60));
        assert_eq!(cost.of(&[]), Duration::from_micros(3));
    }
}
