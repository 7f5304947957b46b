//! What can be measured, and the medians of what was.

use std::collections::BTreeMap;

use serde::Serialize;

/// What a figure is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Quantity {
    CpuUs,
    UserUs,
    SystemUs,
    PerSecond,
    P50Us,
    P99Us,
    P999Us,
    MemoryKib,
    EachKib,
    Instructions,
    Switches,
}

impl Quantity {
    /// The head of its column.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::CpuUs => "CPU µs",
            Self::UserUs => "user µs",
            Self::SystemUs => "system µs",
            Self::PerSecond => "a second",
            Self::P50Us => "p50 µs",
            Self::P99Us => "p99 µs",
            Self::P999Us => "p99.9 µs",
            Self::MemoryKib => "resident KiB",
            Self::EachKib => "KiB each",
            Self::Instructions => "instructions",
            Self::Switches => "context switches",
        }
    }

    /// How many digits after the point mean something.
    fn digits(self) -> usize {
        match self {
            Self::CpuUs | Self::UserUs | Self::SystemUs | Self::EachKib => 1,
            Self::Switches => 3,
            _ => 0,
        }
    }
}

/// What one round showed. CPU and switches are for each request, or whatever else the scenario counts.
pub(crate) type Round = BTreeMap<Quantity, f64>;

/// The median of some rounds, with the least and the most.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Figure {
    /// That of these figures, if there are any.
    pub(crate) fn of(mut figures: Vec<f64>) -> Option<Self> {
        figures.sort_by(f64::total_cmp);
        let upper = figures.get(figures.len() / 2)?;
        let lower = figures.get(figures.len().saturating_sub(1) / 2)?;
        Some(Self {
            median: f64::midpoint(*lower, *upper),
            least: *figures.first()?,
            most: *figures.last()?,
        })
    }

    /// As a cell of a table.
    pub(crate) fn cell(self, quantity: Quantity) -> String {
        let digits = quantity.digits();
        match quantity {
            Quantity::CpuUs => format!(
                "{:.digits$} ({:.digits$}–{:.digits$})",
                self.median, self.least, self.most
            ),
            _ => format!("{:.digits$}", self.median),
        }
    }
}

/// One peer in a table.
#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) figures: BTreeMap<Quantity, Figure>,
}

impl Row {
    /// The medians of `rounds`, each figure by itself.
    pub(crate) fn of(name: impl Into<String>, rounds: &[Round]) -> Self {
        let mut all: BTreeMap<Quantity, Vec<f64>> = BTreeMap::new();
        for (quantity, figure) in rounds.iter().flatten() {
            all.entry(*quantity).or_default().push(*figure);
        }
        let figures = all
            .into_iter()
            .filter_map(|(quantity, figures)| Some((quantity, Figure::of(figures)?)));
        Self {
            name: name.into(),
            figures: figures.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_count_lies_between_the_middle_two() {
        let even = Figure::of(vec![9.0, 1.0, 4.0, 2.0]).expect("four figures");
        assert!((even.median - 3.0).abs() < 1e-12);
        let odd = Figure::of(vec![9.0, 1.0, 2.0]).expect("three figures");
        assert!((odd.median - 2.0).abs() < 1e-12);
        assert!(Figure::of(Vec::new()).is_none());
    }
}
