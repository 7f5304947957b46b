//! What tokens cost.

use config::document;
use config::{Path, code};

use super::{Report, names};
use crate::{Arm, Observe, Price};

/// The price of each arm, in their order; none unless all of them have one.
pub(super) fn compile(
    report: &mut Report<'_>,
    path: &Path,
    written: &document::Experiment,
    arms: &[Arm],
    observations: &[Observe],
) -> Vec<Price> {
    let path = path.field("prices");
    let known = arms.iter().map(|arm| &*arm.name);
    for name in written.prices.keys() {
        if !known.clone().any(|known| known == name) {
            names::unknown("arm", name, &mut known.clone(), &path.field(name), report);
        }
    }
    let prices = known.clone().map(|name| written.prices.get(name));
    let prices: Option<Vec<Price>> = prices
        .map(|price| {
            let document::Price { input, output } = *price?;
            Some(Price { input, output })
        })
        .collect();
    if prices.is_none() && observations.contains(&Observe::Cost) {
        let message = "a metric with `source: cost` needs the price of every arm";
        let names: Vec<&str> = known.collect();
        let remedy = format!("give a price to each of: {}", names.join(", "));
        report.error(code::BAD_METRIC, &path, message, remedy);
    }
    prices.unwrap_or_default()
}
