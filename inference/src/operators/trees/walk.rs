//! Rows go down all trees.
//!
//! A step waits for memory twice, for the node and for the column, so several go down at once: a
//! few trees for one row, or a few rows for one tree. Of many rows a block goes down one tree
//! after the other, whose nodes then stay in the nearest cache.

use super::super::real::Real;
use super::flat::{Flat, MISSING, Node};

/// As many as there are registers to hold where each is.
const LANES: usize = 8;

/// Rows of a block: with a hundred columns they and a tree fit into 32 KiB.
const BLOCK: usize = 64;

/// The columns of all rows, row after row.
pub(super) struct Columns<'a, T> {
    pub(super) values: &'a [T],
    pub(super) width: usize,
    pub(super) rows: usize,
}

impl<T: Real> Flat<T> {
    /// Tells for each row where the votes of the leaf begin that it reaches, tree after tree.
    pub(super) fn walk(&self, columns: &Columns<'_, T>, vote: impl FnMut(usize, u32)) {
        if self.missing {
            self.go::<true>(columns, vote);
        } else {
            self.go::<false>(columns, vote);
        }
    }

    fn go<const NAN: bool>(&self, columns: &Columns<'_, T>, mut vote: impl FnMut(usize, u32)) {
        let abreast = columns.rows - columns.rows % LANES;
        for start in (0..abreast).step_by(BLOCK) {
            let block = start..abreast.min(start + BLOCK);
            for root in &self.roots {
                for first in block.clone().step_by(LANES) {
                    let rows: [usize; LANES] = std::array::from_fn(|lane| first + lane);
                    let ends = self.down::<NAN>(columns, rows, [*root; LANES]);
                    for (row, end) in rows.into_iter().zip(ends) {
                        vote(row, self.votes_at(end));
                    }
                }
            }
        }
        for row in abreast..columns.rows {
            for roots in self.roots.chunks(LANES) {
                let last = roots.last().copied().unwrap_or_default();
                let starts = std::array::from_fn(|lane| roots.get(lane).copied().unwrap_or(last));
                let ends = self.down::<NAN>(columns, [row; LANES], starts);
                for end in ends.into_iter().take(roots.len()) {
                    vote(row, self.votes_at(end));
                }
            }
        }
    }

    fn votes_at(&self, end: u32) -> u32 {
        self.nodes.get(end as usize).map_or(0, |node| node.votes)
    }

    /// Steps until all lanes stay where they are.
    #[inline]
    fn down<const NAN: bool>(
        &self,
        columns: &Columns<'_, T>,
        rows: [usize; LANES],
        mut at: [u32; LANES],
    ) -> [u32; LANES] {
        let (nodes, values) = (self.nodes.as_slice(), columns.values);
        let starts = rows.map(|row| row * columns.width);
        loop {
            let mut moved = 0;
            for (at, start) in at.iter_mut().zip(starts) {
                let next = step::<T, NAN>(nodes, values, start, *at);
                moved |= next ^ *at;
                *at = next;
            }
            if moved == 0 {
                return at;
            }
        }
    }
}

/// Where a row goes from a node. Both are in range, as the forest was checked; the compiler cannot
/// know, and a comparison that always goes one way costs little.
#[inline(always)]
fn step<T: Real, const NAN: bool>(nodes: &[Node<T>], values: &[T], start: usize, at: u32) -> u32 {
    let Some(node) = nodes.get(at as usize) else {
        return at;
    };
    let column = if NAN {
        node.feature & !MISSING
    } else {
        node.feature
    };
    let Some(x) = values.get(start + column as usize) else {
        return at;
    };
    let mut yes = *x <= node.threshold;
    if NAN {
        yes |= is_nan(*x) & (node.feature & MISSING != 0);
    }
    node.next + u32::from(yes)
}

#[expect(clippy::eq_op, reason = "only NaN differs from itself")]
#[inline(always)]
fn is_nan<T: Real>(x: T) -> bool {
    x != x
}
