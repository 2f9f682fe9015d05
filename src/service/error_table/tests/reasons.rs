//! The reasons of the code, of the published enum `ErrorReason` and of the documentation are the same, with the same kinds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use prost_reflect::DescriptorPool;
use syn::visit::{self, Visit};

use super::{KINDS, name, row};
use crate::contract::DESCRIPTORS;

/// Folders and files whose code answers calls.
const ANSWERING: [&str; 4] = ["src/domain/refusal.rs", "src/service", "src/grpc", "src/http"];
/// Files with names of gRPC codes, of kinds, and of errors that only HTTP has, which are not reasons.
const NOT_REASONS: [&str; 3] = ["src/service/error_table.rs", "src/http/call/observed.rs", "src/http/rest/mod.rs"];

#[test]
fn every_reason_of_the_code_is_published() {
    let published = published();
    let found = reasons_of_the_code();
    assert!(found.len() > 30, "the code has reasons: {found:?}");
    let unpublished: Vec<_> = found.keys().filter(|reason| !published.contains(*reason)).collect();
    assert!(
        unpublished.is_empty(),
        "add these reasons to proto/cmgate/v1/error_reason.proto and docs/errors.md: {unpublished:?}"
    );
}

#[test]
fn the_documentation_has_every_published_reason_with_its_kind() {
    let documented = documented();
    let names: BTreeSet<String> = documented.keys().cloned().collect();
    assert_eq!(names, published());
    for (reason, kinds) in reasons_of_the_code() {
        for kind in kinds {
            let kind = KINDS.iter().find(|known| format!("{known:?}") == kind).unwrap();
            assert_eq!(documented[&reason], row(*kind).problem.to_lowercase().replace('_', " "), "{reason}");
        }
    }
}

/// The comments are `CODE: cause`.
#[test]
fn the_comments_of_the_enum_begin_with_the_code_of_the_reason() {
    let documented = documented();
    let text = read("proto/cmgate/v1/error_reason.proto");
    let mut compared = 0;
    let mut comment = "";
    for line in text.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("// ") {
            comment = text;
        } else if let Some((reason, _)) = line.split_once(" = ")
            && let Some(kind) = documented.get(reason)
        {
            let problem = kind.to_uppercase().replace(' ', "_");
            let kind = KINDS.iter().find(|known| row(**known).problem == problem).unwrap();
            assert!(comment.starts_with(&format!("{}: ", name(row(*kind).code))), "{reason}: {comment}");
            compared += 1;
        }
    }
    assert_eq!(compared, documented.len());
}

fn published() -> BTreeSet<String> {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let reasons = pool.get_enum_by_name("cmgate.v1.ErrorReason").unwrap();
    reasons.values().filter(|value| value.number() != 0).map(|value| value.name().to_owned()).collect()
}

/// The kind of each reason in the table of `docs/errors.md`, whose rows are `` | `REASON` | kind | cause | ``.
fn documented() -> BTreeMap<String, String> {
    let page = read("docs/errors.md");
    let rows = page.lines().skip_while(|line| !line.starts_with("| reason | kind |")).skip(2);
    rows.take_while(|line| line.starts_with('|'))
        .map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            (cells[1].trim_matches('`').to_owned(), cells[2].to_owned())
        })
        .collect()
}

/// The reasons of the code, with the names of their kinds where the same type defines both.
fn reasons_of_the_code() -> BTreeMap<String, BTreeSet<String>> {
    let mut reasons: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in ANSWERING.iter().flat_map(|path| files(&root().join(path))) {
        let mut found = Found::default();
        found.visit_file(&syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap());
        for (variant, reason) in &found.reasons {
            reasons.entry(reason.clone()).or_default().extend(found.kinds.get(variant).cloned());
        }
        for literal in found.literals {
            reasons.entry(literal).or_default();
        }
    }
    reasons
}

/// What one file says about reasons.
#[derive(Default)]
struct Found {
    /// Variant and reason of each arm in a function `reason`.
    reasons: Vec<(String, String)>,
    /// Kind of each variant in a function `kind`.
    kinds: BTreeMap<String, String>,
    /// Texts of several words in upper case.
    literals: BTreeSet<String>,
    /// The method around the current code.
    method: String,
}

impl<'ast> Visit<'ast> for Found {
    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.method = item.sig.ident.to_string();
        visit::visit_impl_item_fn(self, item);
        self.method.clear();
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        let patterns = match &arm.pat {
            syn::Pat::Or(patterns) => patterns.cases.iter().collect(),
            pattern => vec![pattern],
        };
        for variant in patterns.into_iter().filter_map(variant) {
            match (self.method.as_str(), &*arm.body) {
                ("reason", syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(reason), .. })) => {
                    self.reasons.push((variant, reason.value()));
                }
                ("kind", body) => self.kinds.extend(kind(body).map(|kind| (variant, kind))),
                _ => {}
            }
        }
        visit::visit_arm(self, arm);
    }

    fn visit_lit_str(&mut self, literal: &'ast syn::LitStr) {
        let text = literal.value();
        let is_word = |word: &str| {
            word.starts_with(|first: char| first.is_ascii_uppercase())
                && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        };
        if text.contains('_') && text.split('_').all(is_word) {
            self.literals.insert(text);
        }
    }
}

/// The variant that a pattern such as `Self::Busy(_)` matches.
fn variant(pattern: &syn::Pat) -> Option<String> {
    let path = match pattern {
        syn::Pat::Path(pattern) => &pattern.path,
        syn::Pat::TupleStruct(pattern) => &pattern.path,
        syn::Pat::Struct(pattern) => &pattern.path,
        _ => return None,
    };
    path.segments.last().map(|segment| segment.ident.to_string())
}

/// The variant of `ErrorKind` that an arm returns.
fn kind(body: &syn::Expr) -> Option<String> {
    match body {
        syn::Expr::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        syn::Expr::Block(block) => match block.block.stmts.last()? {
            syn::Stmt::Expr(last, None) => kind(last),
            _ => None,
        },
        _ => None,
    }
}

/// The source files at a path, without tests and exceptions.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_dir() {
        let is_tests = path.ends_with("tests");
        let entries = fs::read_dir(path).unwrap().filter(|_| !is_tests);
        return entries.flat_map(|entry| files(&entry.unwrap().path())).collect();
    }
    let is_source = path.extension().is_some_and(|extension| extension == "rs");
    let is_exempt = path.ends_with("tests.rs") || NOT_REASONS.iter().any(|exempt| path.ends_with(exempt));
    if is_source && !is_exempt { vec![path.to_owned()] } else { Vec::new() }
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
