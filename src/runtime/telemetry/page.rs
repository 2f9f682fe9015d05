//! Keeps `docs/metrics.md` up to date: the table of the page is generated from the table of this program.

use std::fmt::Write;
use std::{env, fs};

use metrics::Unit;

use super::names::{METRICS, Metric, Scope};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
const BEGIN: &str = "<!-- metrics: generated, CMGATE_WRITE_GOLDEN=1 rewrites it -->\n\n";
const END: &str = "\n<!-- end of metrics -->";

fn table() -> String {
    let mut table =
        "| metric | type | unit | labels | of | meaning |\n| --- | --- | --- | --- | --- | --- |\n".to_owned();
    for metric in METRICS {
        let Metric { name, kind, unit, labels, scope, .. } = metric;
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let unit = match unit {
            Unit::Seconds => "seconds",
            Unit::Bytes => "bytes",
            _ => "",
        };
        let scope = match scope {
            Scope::Process => "process",
            Scope::Owner => "owner",
            Scope::Database => "database",
        };
        let (kind, labels, meaning) = (kind.name(), labels.join(", "), metric.meaning());
        writeln!(table, "| `{name}` | {kind} | {unit} | {labels} | {scope} | {meaning} |").unwrap();
    }
    table
}

#[test]
fn the_page_has_every_metric() {
    let page = fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page has the begin of the table");
    let (found, after) = rest.split_once(END).expect("the page has the end of the table");
    let table = table();
    if env::var_os("CMGATE_WRITE_GOLDEN").is_some() {
        fs::write(PAGE, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    let differs = found.lines().zip(table.lines()).find(|(found, wanted)| found != wanted);
    assert_eq!(found, table, "docs/metrics.md is not up to date; first difference: {differs:?}");
}
