//! Rounds become medians, medians become tables and bars for people and a record for programs.

use std::{collections::BTreeSet, fmt};

use serde::Serialize;

use crate::{
    figure::{Quantity, Row},
    machine::Machine,
};

/// One run of the instrument.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) date: String,
    pub(crate) machine: Machine,
    pub(crate) is_short: bool,
    pub(crate) sections: Vec<Section>,
}

/// One scenario: who took part, what each showed, and what had been asked for.
#[derive(Serialize)]
pub(crate) struct Section {
    /// What the scenario is called on the command line.
    pub(crate) name: &'static str,
    /// One sentence for what is done, and how often.
    pub(crate) says: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) bars: Vec<Bar>,
    /// What a reader must know besides, such as peers that were left out.
    pub(crate) notes: Vec<String>,
}

impl Section {
    /// That of a scenario which could not be measured, and why.
    pub(crate) fn without_figures(name: &'static str, why: &str) -> Self {
        Self {
            name,
            says: format!("No figures: {why}"),
            rows: Vec::new(),
            bars: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The better of some peers at what costs: the least. `None` when none of them took part.
    pub(crate) fn least(&self, quantity: Quantity, peers: &[&str]) -> Option<f64> {
        self.figures(quantity, peers).min_by(f64::total_cmp)
    }

    /// The better of some peers at what is wanted: the most.
    pub(crate) fn most(&self, quantity: Quantity, peers: &[&str]) -> Option<f64> {
        self.figures(quantity, peers).max_by(f64::total_cmp)
    }

    fn figures(&self, quantity: Quantity, peers: &[&str]) -> impl Iterator<Item = f64> {
        let named = self.rows.iter();
        let named = named.filter(move |row| peers.contains(&row.name.as_str()));
        named.filter_map(move |row| row.figures.get(&quantity).map(|figure| figure.median))
    }

    /// CPU of one peer ÷ the least of others', with its bar.
    pub(crate) fn cpu_bar(&mut self, ours: &str, theirs: &[&str], at_most: f64) {
        let figure = quotient(
            self.least(Quantity::CpuUs, &[ours]),
            self.least(Quantity::CpuUs, theirs),
        );
        let says = format!("CPU, {ours} ÷ {}", either(theirs));
        self.bars.push(Bar::at_most(says, figure, at_most));
    }

    /// How many a second of one peer ÷ the most of others', with its bar.
    pub(crate) fn rate_bar(&mut self, ours: &str, theirs: &[&str], at_least: f64) {
        let figure = quotient(
            self.most(Quantity::PerSecond, &[ours]),
            self.most(Quantity::PerSecond, theirs),
        );
        let says = format!("a second, {ours} ÷ {}", either(theirs));
        self.bars.push(Bar::at_least(says, figure, at_least));
    }
}

/// One figure ÷ another, where both are known.
pub(crate) fn quotient(above: Option<f64>, below: Option<f64>) -> Option<f64> {
    above.zip(below).map(|(above, below)| above / below)
}

fn either(peers: &[&str]) -> String {
    match peers {
        [one] => (*one).to_owned(),
        several => format!("the better of {}", several.join(" and ")),
    }
}

/// A figure that had to reach something.
#[derive(Serialize)]
pub(crate) struct Bar {
    says: String,
    figure: Option<f64>,
    bound: Bound,
    /// Unknown where a peer was left out.
    is_met: Option<bool>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Bar {
    /// Met by a figure that is no larger.
    pub(crate) fn at_most(says: impl Into<String>, figure: Option<f64>, bound: f64) -> Self {
        Self {
            says: says.into(),
            figure,
            bound: Bound::AtMost(bound),
            is_met: figure.map(|figure| figure <= bound),
        }
    }

    /// Met by a figure that is no smaller.
    pub(crate) fn at_least(says: impl Into<String>, figure: Option<f64>, bound: f64) -> Self {
        Self {
            says: says.into(),
            figure,
            bound: Bound::AtLeast(bound),
            is_met: figure.map(|figure| figure >= bound),
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figure = self
            .figure
            .map_or("not measured".to_owned(), |figure| format!("{figure:.2}"));
        let bound = match self.bound {
            Bound::AtMost(bound) => format!("≤ {bound}"),
            Bound::AtLeast(bound) => format!("≥ {bound}"),
        };
        let met = match self.is_met {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "unknown",
        };
        write!(f, "| {} | {figure} | {bound} | {met} |", self.says)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Speed on {}\n", self.date)?;
        if self.is_short {
            writeln!(
                f,
                "A short run: it shows that the instrument works, and nothing about speed.\n"
            )?;
        }
        writeln!(f, "{}.", self.machine.sentence())?;
        writeln!(
            f,
            "CPU is that of the whole process tree, for each of what the scenario counts, with the least and the most of its rounds; other figures are medians."
        )?;
        self.sections
            .iter()
            .try_for_each(|section| write!(f, "\n{section}"))
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## {}\n\n{}\n", self.name, self.says)?;
        if !self.rows.is_empty() {
            self.write_rows(f)?;
        }
        if !self.bars.is_empty() {
            writeln!(f, "\n| bar | figure | wanted | met |\n|---|---|---|---|")?;
            self.bars.iter().try_for_each(|bar| writeln!(f, "{bar}"))?;
        }
        self.notes
            .iter()
            .try_for_each(|note| writeln!(f, "\n{note}"))
    }
}

impl Section {
    fn write_rows(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: BTreeSet<Quantity> = self
            .rows
            .iter()
            .flat_map(|row| row.figures.keys().copied())
            .collect();
        let heads = columns.iter().map(|column| column.label());
        writeln!(f, "| peer | {} |", heads.collect::<Vec<_>>().join(" | "))?;
        writeln!(f, "|---{}|", "|---".repeat(columns.len()))?;
        for row in &self.rows {
            let cells = columns.iter().map(|column| {
                let figure = row.figures.get(column);
                figure.map_or_else(|| "–".to_owned(), |figure| figure.cell(*column))
            });
            let cells = cells.collect::<Vec<_>>().join(" | ");
            writeln!(f, "| {} | {cells} |", row.name)?;
        }
        Ok(())
    }
}
