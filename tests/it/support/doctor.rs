//! Runs `cmgate doctor` and reads its lines.

use super::env::TestEnv;

/// A text that is part of every secret, and must not appear anywhere.
pub(crate) const MARK: &str = "canary-7f3a";

/// What the doctor found.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the doctor with more settings, each the name and value of an environment variable. Fails if it prints a secret.
pub(crate) fn doctor(env: &TestEnv, settings: &[(&str, &str)], arguments: &[&str]) -> Findings {
    let output = env.run(settings, &[&["doctor"], arguments].concat());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let found = Findings { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
    assert!(!found.stdout.contains(MARK) && !found.stderr.contains(MARK), "a secret is shown: {found:?}");
    found
}

impl Findings {
    /// The lines of a level.
    pub(crate) fn lines(&self, level: &str) -> Vec<&str> {
        self.stdout.lines().filter(|line| line.split(' ').next() == Some(level)).collect()
    }

    /// Fails unless there is a line of a level whose rest begins with a text.
    pub(crate) fn assert_line(&self, level: &str, begin: &str) {
        let found = self.lines(level);
        let rest = |line: &&str| line[level.len()..].trim_start().starts_with(begin);
        assert!(found.iter().any(rest), "no line `{level} {begin}` in\n{}\n{}", self.stdout, self.stderr);
    }

    /// Fails unless there is exactly one fault, whose line begins with a text and says what to do.
    pub(crate) fn assert_only_fault(&self, begin: &str) {
        let faults = self.lines("fault");
        assert_eq!(faults.len(), 1, "{}\n{}", self.stdout, self.stderr);
        self.assert_line("fault", begin);
        self.assert_faulty();
    }

    /// Fails unless the exit code says that there are faults.
    pub(crate) fn assert_faulty(&self) {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert!(self.stderr.starts_with("cmgate: the doctor found "), "{self:?}");
    }

    /// Fails if there is a fault.
    pub(crate) fn assert_healthy(&self) {
        assert_eq!((self.code, self.lines("fault").len()), (Some(0), 0), "{}\n{}", self.stdout, self.stderr);
        assert!(self.stderr.is_empty(), "{}", self.stderr);
    }
}
