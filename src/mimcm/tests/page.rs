//! `docs/rest.md` agrees with the numbers and the unsupported endpoints of the facade.

use std::fs;
use std::path::Path;

use crate::domain::Status;
use crate::mimcm::codes::status_number;

#[test]
fn the_page_has_the_number_of_each_status() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rest.md");
    let page = fs::read_to_string(path).unwrap();
    let rows = page.lines().skip_while(|line| !line.starts_with("| number | `Status` |")).skip(2);
    let listed: Vec<(String, String)> = rows
        .take_while(|line| line.starts_with('|'))
        .map(|row| row.split('|').map(str::trim).map(str::to_owned).collect::<Vec<_>>())
        .map(|cells| (cells[1].clone(), cells[2].to_lowercase()))
        .collect();
    let mut expected: Vec<(u8, &str)> =
        Status::ALL.into_iter().map(|status| (status_number(status), status.name())).collect();
    expected.sort_unstable();
    let expected: Vec<(String, String)> =
        expected.into_iter().map(|(number, name)| (number.to_string(), name.to_lowercase())).collect();
    assert_eq!(listed, expected);
}
