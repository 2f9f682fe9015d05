//! The results as a Markdown table.

use std::fmt;

/// The rows of the report.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    figure: String,
    ours: String,
    yardstick: String,
    ratio: String,
    goal: &'static str,
}

/// Results of the rounds of a figure: of the service, and of the yardstick right after it.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    ours: Vec<f64>,
    yardstick: Vec<f64>,
}

impl Turns {
    pub(crate) fn add(&mut self, ours: f64, yardstick: f64) {
        self.ours.push(ours);
        self.yardstick.push(yardstick);
    }

    fn ratios(&self) -> Vec<f64> {
        self.ours.iter().zip(&self.yardstick).map(|(ours, yardstick)| ours / yardstick).collect()
    }
}

impl Table {
    /// Adds a figure with its yardstick, both in `unit`. The ratio is computed per round.
    pub(crate) fn compare(&mut self, figure: &str, unit: &str, turns: &Turns, yardstick: &str, goal: &'static str) {
        let (lowest, median, highest) = spread(&turns.ratios());
        self.add(Row {
            figure: figure.to_owned(),
            ours: format!("{} {unit}", rounded(spread(&turns.ours).1)),
            yardstick: format!("{} {unit}, {yardstick}", rounded(spread(&turns.yardstick).1)),
            ratio: format!("{median:.2} ({lowest:.2} to {highest:.2})"),
            goal,
        });
    }

    /// Adds a figure without a yardstick.
    pub(crate) fn report(&mut self, figure: &str, unit: &str, values: &[f64], goal: &'static str) {
        let (lowest, median, highest) = spread(values);
        let ours = format!("{} {unit} ({} to {})", rounded(median), rounded(lowest), rounded(highest));
        self.add(Row { figure: figure.to_owned(), ours, yardstick: "-".to_owned(), ratio: "-".to_owned(), goal });
    }

    fn add(&mut self, row: Row) {
        println!("{row}");
        self.rows.push(row);
    }
}

/// Lowest, median and highest.
fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |part: usize| sorted.get(part).copied().unwrap_or(f64::NAN);
    (at(0), at(sorted.len() / 2), at(sorted.len().saturating_sub(1)))
}

/// Three significant digits, or all digits of a larger number without its fraction.
fn rounded(value: f64) -> String {
    if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| figure | cmgate | yardstick | ratio, median (range) | goal |")?;
        writeln!(f, "| --- | --- | --- | --- | --- |")?;
        self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { figure, ours, yardstick, ratio, goal } = self;
        write!(f, "| {figure} | {ours} | {yardstick} | {ratio} | {goal} |")
    }
}
