//! A language of clients: builds its examples with the commands of `docs/clients.md`, in a copy under `target/clients`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Once, OnceLock};

use super::page::{block, read, root, section};

/// Longest run of a command of an example, in seconds; a consumer that waits for events in vain would never end.
const TIMEOUT_SECONDS: &str = "300";

/// A language with a section in `docs/clients.md` and a folder in `examples`.
pub(super) struct Language {
    heading: &'static str,
    folder: &'static str,
    /// Commands that succeed where the tools of the language are installed.
    tools: &'static [&'static [&'static str]],
    built: OnceLock<Option<PathBuf>>,
}

pub(super) static PYTHON: Language = Language::new("### Python", "python", &[&["python3", "-m", "venv", "--help"]]);
pub(super) static GO: Language = Language::new("### Go", "go", &[&["go", "version"], NPX]);
pub(super) static JAVA: Language = Language::new("### Java", "java", &[&["javac", "-version"], &["mvn", "--version"]]);
pub(super) static TYPESCRIPT: Language = Language::new("### TypeScript", "typescript", &[NPX]);
pub(super) static CSHARP: Language = Language::new("### C#", "csharp", &[&["dotnet", "--version"]]);

const NPX: &[&str] = &["npx", "--version"];

/// The examples get a copy of the contract, because Maven does not follow links.
static COPY_CONTRACT: Once = Once::new();

impl Language {
    const fn new(heading: &'static str, folder: &'static str, tools: &'static [&'static [&'static str]]) -> Self {
        Self { heading, folder, tools, built: OnceLock::new() }
    }

    /// The folder with the built examples; `None`, with a line on stderr, if this machine lacks a tool.
    pub(super) fn build(&self) -> Option<&Path> {
        self.built.get_or_init(|| self.build_once()).as_deref()
    }

    fn build_once(&self) -> Option<PathBuf> {
        if let Some(tool) = self.tools.iter().find(|tool| !succeeds(tool)) {
            eprintln!("SKIPPED, although it should run before a change lands: this machine lacks {}", tool.join(" "));
            return None;
        }
        let examples = root().join("target/clients/examples");
        let folder = examples.join(self.folder);
        copy(&root().join("examples").join(self.folder), &folder);
        COPY_CONTRACT.call_once(|| copy(&root().join("proto"), &root().join("target/clients/proto")));
        let page = read("docs/clients.md");
        let commands = format!("set -e\n{}", block(section(&page, self.heading), "sh"));
        let output = Command::new("bash").args(["-c", &commands]).current_dir(&folder).output().unwrap();
        assert_success(&output, &commands);
        Some(folder)
    }
}

/// Runs a program of an example in its folder.
pub(super) fn run(folder: &Path, program: &[&str]) -> Output {
    Command::new("timeout").arg(TIMEOUT_SECONDS).args(program).current_dir(folder).output().unwrap()
}

/// The output of a program of an example that must succeed.
pub(super) fn printed(folder: &Path, program: &[&str]) -> String {
    let output = run(folder, program);
    assert_success(&output, &program.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

/// The command line of an example in Python, Go or Java; `name` is as in Java, such as `ConsumeEvents`.
pub(super) fn program(language: &Language, name: &str) -> Vec<String> {
    let words: Vec<String> = match language.folder {
        "python" => vec!["venv/bin/python".to_owned(), format!("{}.py", snake_case(name))],
        "go" => vec![format!("bin/{}", snake_case(name).split('_').next().unwrap())],
        "java" => vec![
            "java".to_owned(),
            "-cp".to_owned(),
            "target/classes:target/libs/*".to_owned(),
            format!("examples.{name}"),
        ],
        folder => panic!("{folder} has no examples of its own"),
    };
    words
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

fn succeeds(command: &[&str]) -> bool {
    let output = Command::new(command[0]).args(&command[1..]).output();
    output.is_ok_and(|output| output.status.success())
}

fn assert_success(output: &Output, command: &str) {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {command}\n{stdout}\n{stderr}", output.status);
}

/// Copies the files of the version control, and none of what the commands of the page made there.
fn copy(from: &Path, to: &Path) {
    let listed =
        Command::new("git").args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(from).output();
    for file in String::from_utf8(listed.unwrap().stdout).unwrap().lines() {
        let target = to.join(file);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        // An equal file keeps its time, so that incremental builds work.
        let content = fs::read(from.join(file)).unwrap();
        if fs::read(&target).ok().as_ref() != Some(&content) {
            fs::write(target, content).unwrap();
        }
    }
}
