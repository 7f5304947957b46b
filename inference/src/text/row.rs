//! The tokens of one text, as a model takes them.

/// One text's tokens: their numbers, which of them are read, and which part of the text they are of.
///
/// The three have one length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) ids: Vec<i64>,
    pub(super) mask: Vec<i64>,
    pub(super) kinds: Vec<i64>,
}

impl Row {
    /// Tokens that are all read, of a text with one part.
    pub(super) fn of(ids: Vec<i64>) -> Self {
        let (mask, kinds) = (vec![1; ids.len()], vec![0; ids.len()]);
        Self { ids, mask, kinds }
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// How many tokens are read.
    pub(super) fn count(&self) -> i64 {
        self.mask.iter().filter(|read| **read != 0).map(|_| 1).sum()
    }
}

/// What fills rows up to one length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Padding {
    pub(super) id: i64,
    pub(super) kind: i64,
    /// Whether it stands before the tokens.
    pub(super) is_ahead: bool,
}

impl Padding {
    /// `tokens` with as much of `filler` as makes `length` of them.
    pub(super) fn fill(
        self,
        tokens: &[i64],
        filler: i64,
        length: usize,
    ) -> impl Iterator<Item = i64> {
        let missing = length.saturating_sub(tokens.len());
        let (ahead, behind) = if self.is_ahead {
            (missing, 0)
        } else {
            (0, missing)
        };
        std::iter::repeat_n(filler, ahead)
            .chain(tokens.iter().copied())
            .chain(std::iter::repeat_n(filler, behind))
    }
}

/// Which rows run together.
pub(super) struct Runs {
    /// How many rows the model takes, where that is fixed.
    pub(super) rows: Option<usize>,
    /// How long it wants them, where that is fixed.
    pub(super) length: Option<usize>,
}

/// How many tokens, padding among them, run at once. A transformer gains nothing from more on a CPU, and what it
/// needs of memory grows with them: about 100 MB for MiniLM with texts of 512 tokens.
const TOKENS_MAX: usize = 4096;

impl Runs {
    /// The positions of `rows` in groups that run one after the other, like lengths together so that little is
    /// padded. Where the number of rows is fixed, a group that lacks some has its first one again.
    pub(super) fn of(&self, rows: &[Row]) -> Vec<Vec<usize>> {
        let mut by_length: Vec<(usize, usize)> = rows
            .iter()
            .map(|row| self.length.unwrap_or(row.len()))
            .enumerate()
            .collect();
        by_length.sort_by_key(|(_, length)| *length);
        let mut runs: Vec<Vec<usize>> = Vec::new();
        for (position, length) in by_length {
            let most = self.rows.unwrap_or((TOKENS_MAX / length.max(1)).max(1));
            match runs.last_mut().filter(|run| run.len() < most) {
                Some(run) => run.push(position),
                None => runs.push(vec![position]),
            }
        }
        for run in &mut runs {
            if let (Some(wanted), Some(first)) = (self.rows, run.first().copied()) {
                run.resize(wanted, first);
            }
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(lengths: &[usize]) -> Vec<Row> {
        lengths
            .iter()
            .map(|length| Row::of(vec![7; *length]))
            .collect()
    }

    #[test]
    fn padding_stands_on_its_side() {
        let fill = |is_ahead| {
            let padding = Padding {
                is_ahead,
                ..Padding::default()
            };
            padding.fill(&[1, 2], 9, 4).collect::<Vec<_>>()
        };
        assert_eq!(fill(false), [1, 2, 9, 9]);
        assert_eq!(fill(true), [9, 9, 1, 2]);
    }

    #[test]
    fn like_lengths_run_together_and_none_is_lost() {
        let free = Runs {
            rows: None,
            length: None,
        };
        let runs = free.of(&rows(&[3000, 2, 3000, 2]));
        assert_eq!(runs, [vec![1, 3], vec![0], vec![2]]);
        assert_eq!(free.of(&rows(&[9000])), [vec![0]]);
        assert_eq!(free.of(&[]), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn the_longest_of_a_run_says_how_many_fit() {
        let free = Runs {
            rows: None,
            length: None,
        };
        for run in free.of(&rows(&[1; 5000])) {
            assert!(run.len() <= TOKENS_MAX);
        }
        let runs = free.of(&rows(&[1, 1, 1, 4096]));
        assert_eq!(runs, [vec![0, 1, 2], vec![3]]);
    }

    #[test]
    fn a_fixed_number_of_rows_is_filled() {
        let two = Runs {
            rows: Some(2),
            length: None,
        };
        assert_eq!(two.of(&rows(&[1, 1, 1])), [vec![0, 1], vec![2, 2]]);
    }

    #[test]
    fn only_what_is_read_counts() {
        let row = Row {
            ids: vec![5, 6, 0],
            mask: vec![1, 1, 0],
            kinds: vec![0; 3],
        };
        assert_eq!(row.count(), 2);
    }
}
