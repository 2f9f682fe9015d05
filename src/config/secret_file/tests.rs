//! Secrets from files: the forms of their keys, and what is refused.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::config::tests::load;

const CANARY: &str = "canary-7f3a";

/// A directory with a file of this content, and the path of the file.
fn file(content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret");
    fs::write(&path, content).unwrap();
    (directory, path)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_secret_is_read_from_its_file_and_only_the_path_is_shown() {
    let url = format!("postgres://u:{CANARY}@db/x");
    let (_directory, url_file) = file(format!("{url}\n"));
    let (_other, password_file) = file(format!(" {CANARY}\r\n\n"));
    let in_file = format!(
        "[database]\nurl_file = '{}'\n[kafka.properties]\n'sasl.username' = 'relay'\n[kafka.properties_file]\nsasl.password = '{}'",
        url_file.display(),
        password_file.display()
    );
    let variables = [
        ("CMGATE__DATABASE__URL_FILE", text(&url_file)),
        ("CMGATE__KAFKA__PROPERTIES__SASL_USERNAME", "relay"),
        ("CMGATE__KAFKA__PROPERTIES_FILE__SASL_PASSWORD", text(&password_file)),
    ];
    for config in [load(&in_file, &[]), load("", &variables)] {
        let config = config.unwrap();
        assert_eq!(config.database.url.expose(), url);
        // Spaces may belong to a password, line ends do not.
        let password = format!(" {CANARY}");
        let properties: Vec<_> = config.kafka.properties.expose().collect();
        assert_eq!(properties, [("sasl.password", password.as_str()), ("sasl.username", "relay")]);

        let shown = config.render().unwrap();
        assert!(!shown.contains(CANARY) && !format!("{config:?}").contains(CANARY), "{shown}");
        for line in
            [format!("url_file = \"{}\"", text(&url_file)), format!("\"sasl.password\" = \"{}\"", text(&password_file))]
        {
            assert!(shown.lines().any(|found| found == line), "{line} is not in\n{shown}");
        }
        assert!(!shown.contains("url = ") && shown.contains("\"sasl.username\" = \"***\""), "{shown}");
        assert_eq!(load(&shown, &[]).unwrap().render().unwrap(), shown);
    }
}

#[test]
fn an_empty_path_names_no_file() {
    let config = load("database.url = 'sqlite://a.db'", &[("CMGATE__DATABASE__URL_FILE", "")]).unwrap();
    assert_eq!(config.database.url.expose(), "sqlite://a.db");
}

#[test]
fn a_value_and_a_file_for_one_secret_are_refused() {
    let (_directory, path) = file("postgres://db/x");
    let url_file = ("CMGATE__DATABASE__URL_FILE", text(&path));
    let refused = load("database.url = 'postgres://db/y'", &[url_file]).unwrap_err();
    let sentence = "database.url_file must not be set beside database.url; remove one of the two \
                    (from the environment variable CMGATE__DATABASE__URL_FILE)";
    assert_eq!(refused, sentence);
    let both = format!("[kafka.properties]\n'a.b' = 'x'\n[kafka.properties_file]\n'a.b' = '{}'", path.display());
    let refused = load(&both, &[]).unwrap_err();
    let sentence =
        "kafka.properties_file.a.b must not be set beside kafka.properties.a.b; remove one of the two (from FILE)";
    assert_eq!(refused, sentence);
}

#[test]
fn a_file_that_is_no_secret_is_named_with_its_key() {
    let (directory, large) = file("x".repeat((64 << 10) + 1));
    let write = |name: &str, content: &[u8]| {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    for (path, problem) in [
        (directory.path().join("missing"), "PATH: No such file or directory (os error 2)"),
        (directory.path().to_owned(), "PATH is not a regular file"),
        ("/dev/zero".into(), "PATH is not a regular file"),
        (large, "PATH has more than 65536 bytes"),
        (write("bytes", b"postgres://\xff"), "PATH is not UTF-8"),
        (write("empty", b"\n\n"), "PATH is empty"),
    ] {
        let refused = load(&format!("database.url_file = '{}'", path.display()), &[]).unwrap_err();
        let told = refused.replace(&path.display().to_string(), "PATH").replace("cannot read ", "");
        assert_eq!(told, format!("database.url_file cannot be used: {problem} (from FILE)"));
    }
    let exact = write("exact", format!("postgres://h/{}", "x".repeat((64 << 10) - 13)).as_bytes());
    load(&format!("database.url_file = '{}'", exact.display()), &[]).unwrap();
    let refused = load("kafka.properties_file.x = [1]", &[]).unwrap_err();
    assert!(refused.starts_with("kafka.properties_file.x must be a path"), "{refused}");
}

#[test]
fn the_content_of_a_file_is_checked_without_being_shown() {
    let (_directory, path) = file(format!("mysql://u:{CANARY}@db"));
    let refused = load(&format!("database.url_file = '{}'", path.display()), &[]).unwrap_err();
    let sentence = format!(
        "database.url must be a URL that begins with postgres:// or sqlite:// and names a database (from the file {})",
        path.display()
    );
    assert_eq!(refused, sentence);
    let refused = load(&format!("kafka.properties_file.acks = '{}'", path.display()), &[]).unwrap_err();
    assert!(refused.starts_with("kafka.properties must not set \"acks\"") && !refused.contains(CANARY), "{refused}");
}
