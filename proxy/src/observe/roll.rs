//! What one worker saw, one by one: for a recording that can be judged again.

/// How many observations wait for the referee's next beat; those beyond are left out of the recording.
const ROWS_MAX: usize = 1 << 16;

/// One exposure or one observation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seen {
    /// When its request started, in milliseconds since 1970.
    pub(crate) at_ms: u64,
    pub(crate) epoch: u32,
    pub(crate) unit: u64,
    pub(crate) bucket: u16,
    pub(crate) arm: usize,
    /// The metric's position and the value; none where the arm was given a request.
    pub(crate) value: Option<(usize, f64)>,
    /// The number beside the value, which ratios and covariates ask for.
    pub(crate) beside: Option<f64>,
}

/// What was seen since the last beat.
#[derive(Debug, Default)]
pub(crate) struct Roll {
    pub(crate) seen: Vec<Seen>,
    /// How many had no room.
    pub(crate) shed: u64,
}

impl Roll {
    /// Room for all that a beat may bring, so that writing down allocates nothing.
    pub(crate) fn with_room() -> Self {
        Self {
            seen: Vec::with_capacity(ROWS_MAX),
            shed: 0,
        }
    }

    /// Writes one down, if there is room.
    pub(crate) fn add(&mut self, seen: Seen) {
        if self.seen.len() < ROWS_MAX {
            self.seen.push(seen);
        } else {
            self.shed += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_roll_counts_what_it_leaves_out() {
        let mut roll = Roll::with_room();
        let room = roll.seen.capacity();
        let seen = Seen {
            at_ms: 1,
            epoch: 0,
            unit: 2,
            bucket: 3,
            arm: 0,
            value: None,
            beside: None,
        };
        (0..ROWS_MAX + 3).for_each(|_| roll.add(seen));
        assert_eq!((roll.seen.len(), roll.shed), (ROWS_MAX, 3));
        assert_eq!(roll.seen.capacity(), room, "nothing was allocated");
    }
}
