//! Rows of numbers that several runs give, in the order in which they were asked for.

use crate::{Tensor, Values};

/// As many rows as were asked for, of one width.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Gathered {
    pub(super) rows: usize,
    pub(super) width: usize,
    pub(super) values: Vec<f32>,
}

/// An output does not have the shape that its model declares.
#[derive(Debug, thiserror::Error)]
#[error("output `{output}` has shape {shape:?}, expected {expected}")]
pub(super) struct Unexpected {
    pub(super) output: String,
    pub(super) shape: Vec<usize>,
    pub(super) expected: &'static str,
}

impl Unexpected {
    pub(super) fn of(tensor: &Tensor, expected: &'static str) -> Self {
        Self {
            output: tensor.name.clone(),
            shape: tensor.shape.clone(),
            expected,
        }
    }
}

impl Gathered {
    /// Room for so many rows; how wide they are, the first run says.
    pub(super) fn new(rows: usize) -> Self {
        Self {
            rows,
            width: 0,
            values: Vec::new(),
        }
    }

    /// The rows of a tensor of two dimensions.
    pub(super) fn of(tensor: &Tensor) -> Result<Self, Unexpected> {
        match (&tensor.values, &tensor.shape[..]) {
            (Values::Fp32(values), &[rows, width]) => Ok(Self {
                rows,
                width,
                values: values.clone(),
            }),
            _ => Err(Unexpected::of(tensor, "FP32 of two dimensions")),
        }
    }

    /// Puts the rows of one run where they belong. Rows of another width than the first ones are left out.
    pub(super) fn put(&mut self, places: &[usize], run: &Self) {
        if self.values.is_empty() {
            self.width = run.width;
            self.values = vec![0.0; self.rows.saturating_mul(run.width)];
        }
        if run.width != self.width {
            return;
        }
        let rows = run.values.chunks_exact(run.width.max(1));
        for (place, row) in places.iter().zip(rows) {
            let start = place.saturating_mul(self.width);
            let into = self.values.get_mut(start..start.saturating_add(run.width));
            if let Some(into) = into {
                into.copy_from_slice(row);
            }
        }
    }

    /// Each row.
    pub(super) fn each(&mut self) -> impl Iterator<Item = &mut [f32]> {
        self.values.chunks_exact_mut(self.width.max(1))
    }

    /// As a tensor of two dimensions.
    pub(super) fn into_tensor(self, name: &str) -> Tensor {
        Tensor {
            name: name.to_owned(),
            shape: vec![self.rows, self.width],
            values: Values::Fp32(self.values),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_in_the_order_in_which_they_were_asked_for() {
        let run = |values: &[f32]| Gathered {
            rows: values.len() / 2,
            width: 2,
            values: values.to_vec(),
        };
        let mut all = Gathered::new(3);
        all.put(&[2, 0], &run(&[5.0, 6.0, 1.0, 2.0]));
        all.put(&[1, 1], &run(&[3.0, 4.0, 3.0, 4.0]));
        assert_eq!(all, run(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    }
}
