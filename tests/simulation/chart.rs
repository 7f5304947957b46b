//! A chart as SVG text: curves and bands over two axes, in colours that suit a light page and a dark one.

use std::fmt::{self, Display, Formatter};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 420.0;
/// The corner points of the plane: left, right, top, bottom.
const LEFT: f64 = 78.0;
const RIGHT: f64 = 684.0;
const TOP: f64 = 78.0;
const BOTTOM: f64 = 364.0;

/// A plane with its curves; those listed first lie below.
pub(crate) struct Chart {
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) curves: Vec<Curve>,
}

pub(crate) struct Axis {
    pub(crate) label: &'static str,
    pub(crate) logarithmic: bool,
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// Where the axis is marked, and with what.
    pub(crate) marks: Vec<(f64, String)>,
}

pub(crate) struct Curve {
    pub(crate) name: &'static str,
    pub(crate) ink: Ink,
    pub(crate) shape: Shape,
}

pub(crate) enum Shape {
    Line(Vec<[f64; 2]>),
    /// From the second to the third number, at the first.
    Band(Vec<[f64; 3]>),
}

/// The roles that colours have.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ink {
    Wald,
    Naive,
    Truth,
}

impl Ink {
    fn class(self) -> &'static str {
        match self {
            Self::Wald => "wald",
            Self::Naive => "naive",
            Self::Truth => "truth",
        }
    }
}

impl Axis {
    /// How far along the axis a value stands, from 0 to 1.
    fn part(&self, value: f64) -> f64 {
        let scale = |value: f64| if self.logarithmic { value.ln() } else { value };
        ((scale(value) - scale(self.from)) / (scale(self.to) - scale(self.from))).clamp(0.0, 1.0)
    }
}

/// Blue and orange of Okabe and Ito, which the colour-blind tell apart, lighter on dark.
const STYLE: &str = "<style>
text { font-family: system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; font-size: 15px; fill: #24292f; }
.title { font-size: 18px; font-weight: 600; }
.page { fill: #ffffff; }
.grid { stroke: #d0d7de; stroke-width: 1; }
.line { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
.band { fill-opacity: 0.28; stroke-width: 1.5; stroke-linejoin: round; }
.wald { stroke: #0072b2; } .wald.band { fill: #0072b2; }
.naive { stroke: #d55e00; } .naive.band { fill: none; stroke-width: 2; }
.truth { stroke: #24292f; stroke-dasharray: 7 5; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .page { fill: #0d1117; } .grid { stroke: #30363d; }
.wald { stroke: #56b4e9; } .wald.band { fill: #56b4e9; }
.naive { stroke: #ff9f40; }
.truth { stroke: #e6edf3; }
}
</style>";

impl Display for Chart {
    fn fmt(&self, svg: &mut Formatter<'_>) -> fmt::Result {
        let title = &self.title;
        writeln!(
            svg,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">"#
        )?;
        writeln!(svg, "{STYLE}")?;
        writeln!(
            svg,
            r#"<rect class="page" width="{WIDTH}" height="{HEIGHT}" rx="8"/>"#
        )?;
        writeln!(svg, r#"<text class="title" x="20" y="30">{title}</text>"#)?;
        self.legend(svg)?;
        self.axes(svg)?;
        self.curves
            .iter()
            .try_for_each(|curve| self.curve(svg, curve))?;
        writeln!(svg, "</svg>")
    }
}

impl Chart {
    fn axes(&self, svg: &mut Formatter<'_>) -> fmt::Result {
        for (value, name) in &self.y.marks {
            let y = self.down(*value);
            writeln!(svg, r#"<path class="grid" d="M{LEFT} {y:.1}H{RIGHT}"/>"#)?;
            writeln!(
                svg,
                r#"<text x="{}" y="{:.1}" text-anchor="end">{name}</text>"#,
                LEFT - 8.0,
                y + 5.0
            )?;
        }
        for (value, name) in &self.x.marks {
            let x = self.across(*value);
            writeln!(svg, r#"<path class="grid" d="M{x:.1} {BOTTOM}v6"/>"#)?;
            writeln!(
                svg,
                r#"<text x="{x:.1}" y="{}" text-anchor="middle">{name}</text>"#,
                BOTTOM + 22.0
            )?;
        }
        let (middle, low) = (f64::midpoint(LEFT, RIGHT), HEIGHT - 12.0);
        writeln!(
            svg,
            r#"<text x="{middle}" y="{low}" text-anchor="middle">{}</text>"#,
            self.x.label
        )?;
        let centre = f64::midpoint(TOP, BOTTOM);
        writeln!(
            svg,
            r#"<text transform="translate(18 {centre}) rotate(-90)" text-anchor="middle">{}</text>"#,
            self.y.label
        )
    }

    fn legend(&self, svg: &mut Formatter<'_>) -> fmt::Result {
        let mut x = LEFT;
        for Curve { name, ink, shape } in &self.curves {
            let class = ink.class();
            match shape {
                Shape::Line(_) => writeln!(svg, r#"<path class="line {class}" d="M{x} 54h26"/>"#)?,
                Shape::Band(_) => writeln!(
                    svg,
                    r#"<path class="band {class}" d="M{x} 47h26v14h-26z"/>"#
                )?,
            }
            writeln!(svg, r#"<text x="{}" y="59">{name}</text>"#, x + 32.0)?;
            // Some 7.8 pixels a letter at this size.
            x += 58.0 + 7.8 * f64::from(u32::try_from(name.chars().count()).unwrap_or(0));
        }
        Ok(())
    }

    fn curve(&self, svg: &mut Formatter<'_>, curve: &Curve) -> fmt::Result {
        let class = curve.ink.class();
        let at = |[x, y]: [f64; 2]| format!("{:.1} {:.1}", self.across(x), self.down(y));
        match &curve.shape {
            Shape::Line(points) => {
                let path: Vec<String> = points.iter().map(|&point| at(point)).collect();
                writeln!(
                    svg,
                    r#"<path class="line {class}" d="M{}"/>"#,
                    path.join("L")
                )
            }
            Shape::Band(points) => {
                let low = points.iter().map(|&[x, low, _]| at([x, low]));
                let high = points.iter().rev().map(|&[x, _, high]| at([x, high]));
                let path: Vec<String> = low.chain(high).collect();
                writeln!(
                    svg,
                    r#"<path class="band {class}" d="M{}z"/>"#,
                    path.join("L")
                )
            }
        }
    }

    fn across(&self, x: f64) -> f64 {
        LEFT + (RIGHT - LEFT) * self.x.part(x)
    }

    fn down(&self, y: f64) -> f64 {
        BOTTOM - (BOTTOM - TOP) * self.y.part(y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(logarithmic: bool, from: f64, to: f64) -> Axis {
        Axis {
            label: "",
            logarithmic,
            from,
            to,
            marks: vec![],
        }
    }

    #[test]
    fn values_stand_where_their_axis_puts_them() {
        let chart = Chart {
            title: "t".to_owned(),
            x: axis(true, 1.0, 100.0),
            y: axis(false, 0.0, 1.0),
            curves: vec![Curve {
                name: "c",
                ink: Ink::Wald,
                shape: Shape::Line(vec![[1.0, 0.0], [10.0, 0.5], [100.0, 2.0]]),
            }],
        };
        // Half of a logarithmic axis from 1 to 100 is 10; what is beyond the plane stays at its edge.
        let path = r#"d="M78.0 364.0L381.0 221.0L684.0 78.0""#;
        assert!(chart.to_string().contains(path), "{chart}");
    }
}
