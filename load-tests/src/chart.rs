//! The bars of a run as SVG, for the README: CPU for each request, event or handshake, in colours that suit a light page
//! and a dark one.

use std::fmt::{self, Display, Formatter};

use crate::{
    figure::Quantity,
    report::{Report, Section},
};

const WIDTH: f64 = 720.0;
/// Where bars begin, and how long the longest of a group is.
const LEFT: f64 = 130.0;
const LONGEST: f64 = 500.0;
/// Heights of a group's title, and of a bar with the space below it.
const TITLE: f64 = 34.0;
const BAR: f64 = 20.0;

/// What is drawn of a scenario: its title, and the peers in this order.
const GROUPS: [(&str, &str, &[&str]); 6] = [
    (
        "plain",
        "HTTP/1.1, µs of CPU for a request",
        &["floor", "wald", "nginx", "haproxy", "envoy"],
    ),
    (
        "secure",
        "with TLS, client certificate, token, authorization and split",
        &["wald", "haproxy", "envoy"],
    ),
    (
        "grpc",
        "gRPC, for a call",
        &["wald", "nginx", "haproxy", "envoy"],
    ),
    (
        "stream",
        "server-sent events, for an event",
        &["wald", "nginx", "haproxy", "envoy"],
    ),
    (
        "handshakes",
        "TLS 1.3 with client certificate, for a handshake",
        &["wald", "nginx", "haproxy", "envoy"],
    ),
    (
        "mirror",
        "every request copied, for a request",
        &["wald", "nginx", "envoy"],
    ),
];

/// The chart of a run.
pub(crate) struct Chart<'a>(pub(crate) &'a Report);

/// One scenario with the figures that there are.
struct Group<'a> {
    title: &'a str,
    bars: Vec<(&'a str, f64)>,
}

impl Chart<'_> {
    fn groups(&self) -> Vec<Group<'_>> {
        let groups = GROUPS.iter().filter_map(|(name, title, peers)| {
            let mut sections = self.0.sections.iter();
            let section = sections.find(|section| section.name == *name)?;
            Some(Group::of(section, title, peers))
        });
        groups.filter(|group| !group.bars.is_empty()).collect()
    }
}

impl<'a> Group<'a> {
    fn of(section: &Section, title: &'a str, peers: &[&'a str]) -> Self {
        let bars = peers.iter().filter_map(|peer| {
            let cpu = section.least(Quantity::CpuUs, &[peer])?;
            Some((*peer, cpu))
        });
        Self {
            title,
            bars: bars.collect(),
        }
    }

    fn height(&self) -> f64 {
        TITLE + BAR * self.bars.len() as f64
    }

    fn draw(&self, f: &mut Formatter<'_>, top: f64) -> fmt::Result {
        let title = top + TITLE - 12.0;
        writeln!(
            f,
            r#"<text class="title" x="16" y="{title:.0}">{}</text>"#,
            self.title
        )?;
        let most = self.bars.iter().map(|(_, cpu)| *cpu).fold(0.0, f64::max);
        let mut top = top + TITLE;
        for (peer, cpu) in &self.bars {
            let class = match *peer {
                "wald" => "wald",
                "floor" => "floor",
                _ => "peer",
            };
            let (width, line) = (LONGEST * cpu / most, top + 12.0);
            let (before, behind) = (LEFT - 8.0, LEFT + width + 6.0);
            writeln!(
                f,
                r#"<text class="name" x="{before:.0}" y="{line:.0}">{peer}</text>"#
            )?;
            writeln!(
                f,
                r#"<rect class="{class}" x="{LEFT:.0}" y="{top:.0}" width="{width:.1}" height="15" rx="2"/>"#
            )?;
            writeln!(f, r#"<text x="{behind:.0}" y="{line:.0}">{cpu:.1}</text>"#)?;
            top += BAR;
        }
        Ok(())
    }
}

impl Display for Chart<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let groups = self.groups();
        let height: f64 = groups.iter().map(Group::height).sum::<f64>() + 40.0;
        writeln!(
            f,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0} {height:.0}" role="img" aria-label="CPU for each request, of Wald and its peers">"#
        )?;
        f.write_str(STYLE)?;
        let mut top = 0.0;
        for group in groups {
            group.draw(f, top)?;
            top += group.height();
        }
        let foot = top + 24.0;
        writeln!(
            f,
            r#"<text class="foot" x="16" y="{foot:.0}">medians of one run on {}, {}</text>"#,
            self.0.date,
            escaped(&self.0.machine.place())
        )?;
        writeln!(f, "</svg>")
    }
}

const STYLE: &str = "<style>
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600 }
.name { text-anchor: end }
.foot { font-size: 11px; fill: #656d76 }
.wald { fill: #0969da }
.peer { fill: #8c959f }
.floor { fill: #d0d7de }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.foot { fill: #8d96a0 }
.wald { fill: #4493f8 }
.peer { fill: #6e7681 }
.floor { fill: #3d444d }
}
</style>
";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        figure::{Round, Row},
        machine::Machine,
    };

    #[test]
    fn a_bar_is_as_long_as_its_figure_and_who_was_left_out_has_none() {
        let row = |name: &str, cpu| Row::of(name, &[Round::from([(Quantity::CpuUs, cpu)])]);
        let section = Section {
            name: "plain",
            says: String::new(),
            rows: vec![row("wald", 10.0), row("envoy", 40.0)],
            bars: Vec::new(),
            notes: Vec::new(),
        };
        let report = Report {
            date: "2026-01-01".to_owned(),
            machine: Machine::default(),
            is_short: false,
            sections: vec![section],
        };
        let text = Chart(&report).to_string();
        assert!(
            text.contains(r#"class="wald" x="130" y="34" width="125.0""#),
            "{text}"
        );
        assert!(
            text.contains(r#"class="peer" x="130" y="54" width="500.0""#),
            "{text}"
        );
        assert!(!text.contains("nginx"), "{text}");
    }
}
