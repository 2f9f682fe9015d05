//! The components of the project with their sizes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A folder or file directly under `src`, `proto` or `benches`.
pub(crate) struct Component {
    /// Path from the root of the project.
    pub path: String,
    /// Lines of Rust, protobuf and SQL, without tests.
    pub lines: usize,
}

/// Every component.
pub(crate) fn all() -> Vec<Component> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut components: BTreeMap<String, usize> = BTreeMap::new();
    for folder in ["src", "proto", "benches"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let lines = lines(&path);
            if lines > 0 {
                // `name.rs` and `name/` are one module.
                let name = path.with_extension("").file_name().unwrap().to_str().unwrap().to_owned();
                *components.entry(format!("{folder}/{name}")).or_default() += lines;
            }
        }
    }
    components.into_iter().map(|(path, lines)| Component { path, lines }).collect()
}

/// The component of a module of `src`.
pub(crate) fn component_of(module: &str) -> &str {
    match module.split("::").next() {
        None | Some("") => "lib",
        Some(component) => component,
    }
}

fn lines(path: &Path) -> usize {
    let is_test = path.file_stem().is_some_and(|name| name == "tests" || name == "fixtures");
    if is_test {
        0
    } else if path.is_dir() {
        fs::read_dir(path).unwrap().map(|entry| lines(&entry.unwrap().path())).sum()
    } else if path.extension().is_some_and(|extension| ["rs", "proto", "sql"].iter().any(|known| extension == *known)) {
        fs::read_to_string(path).unwrap().lines().count()
    } else {
        0
    }
}
