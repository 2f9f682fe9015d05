//! The pages of `docs/` as tests read them: sections, code blocks and tables.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the project.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the project.
pub(super) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The text below a heading, such as `### Go`, up to the next heading of any level.
pub(super) fn section<'p>(page: &'p str, heading: &str) -> &'p str {
    let (_, rest) = page.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no heading {heading}"));
    rest.split("\n#").next().unwrap()
}

/// The only code block of a language in a text.
pub(super) fn block<'p>(text: &'p str, language: &str) -> &'p str {
    let mut blocks = text.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix(language));
    let block = blocks.next().unwrap_or_else(|| panic!("no block of {language} in {text}"));
    assert!(blocks.next().is_none(), "two blocks of {language} in {text}");
    block
}

/// The cells of the table in a text, without its head and without backticks around a whole cell.
pub(super) fn table(text: &str) -> Vec<Vec<String>> {
    let cell = |cell: &str| cell.trim().trim_matches('`').to_owned();
    let rows = text.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split('|').map(cell).collect()).collect()
}

/// Compares a file with its generated content; `CMGATE_WRITE_GOLDEN=1` rewrites it.
pub(super) fn assert_golden(path: &str, generated: &str) {
    let file: PathBuf = root().join(path);
    if std::env::var_os("CMGATE_WRITE_GOLDEN").is_some() {
        fs::write(&file, generated).unwrap();
    }
    let golden = fs::read_to_string(&file).unwrap_or_default();
    let differs = golden.lines().zip(generated.lines()).find(|(golden, generated)| golden != generated);
    assert!(
        golden == generated,
        "{path} is not up to date, CMGATE_WRITE_GOLDEN=1 rewrites it; first difference: {differs:?}"
    );
}
