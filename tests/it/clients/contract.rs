//! `buf` checks the style of the contract, and its compatibility with the last release.

use std::process::Command;

use super::page::root;

/// The command of the page, which needs npm.
const BUF: [&str; 4] = ["--yes", "--package", "@bufbuild/buf@1.75.0", "buf"];

#[test]
fn buf_finds_nothing_wrong_with_the_contract() {
    let Some(()) = npx_works() else { return };
    buf(&["lint"]);
    let tags = git(&["tag", "--list", "v*", "--merged", "--sort=-version:refname"]);
    match tags.lines().next() {
        Some(tag) => buf(&["breaking", "--against", &format!("../.git#tag={tag},subdir=proto")]),
        None => eprintln!("no release yet: src/contract/compatibility/golden.txt alone guards the contract"),
    }
}

fn npx_works() -> Option<()> {
    let version = Command::new("npx").arg("--version").output();
    let works = version.is_ok_and(|version| version.status.success());
    if !works {
        eprintln!("SKIPPED, although it should run before a change lands: this machine lacks npx");
    }
    works.then_some(())
}

fn buf(arguments: &[&str]) {
    let output = Command::new("npx").args(BUF).args(arguments).current_dir(root().join("proto")).output().unwrap();
    let (found, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "buf {}:\n{found}{errors}", arguments.join(" "));
}

fn git(arguments: &[&str]) -> String {
    let output = Command::new("git").args(arguments).current_dir(root()).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}
