//! Links and paths in the documents exist, and every linked file defines the function that the link names.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

use super::report;

/// A link of a document, `[text](target)`.
#[derive(Debug, PartialEq, Eq)]
struct Link<'a> {
    text: &'a str,
    target: &'a str,
}

#[test]
fn links_of_the_documents_lead_to_files() {
    let documents = documents();
    report(documents.iter().flat_map(|(path, text)| {
        let is_file = |link: &Link<'_>| !link.target.contains("://");
        let folder = root().join(path).parent().unwrap().to_owned();
        let lost = links(text).into_iter().filter(is_file).filter(move |link| !folder.join(link.target).exists());
        lost.map(move |link| format!("{path} links to {}, which does not exist", link.target))
    }));
}

#[test]
fn paths_in_the_documents_exist() {
    let documents = documents();
    report(documents.iter().flat_map(|(path, text)| {
        let lost = code_spans(text).into_iter().filter(|span| is_path(span) && !root().join(span).exists());
        lost.map(move |span| format!("{path} names {span}, which does not exist"))
    }));
}

#[test]
fn functions_that_the_tour_links_to_are_defined_in_their_files() {
    let text = read("docs/architecture.md");
    report(links(&text).into_iter().filter_map(|link| {
        let name = link.text.trim_matches('`');
        let file = root().join("docs").join(link.target);
        let text = fs::read_to_string(&file).unwrap_or_default();
        let is_defined = if file.extension().is_some_and(|extension| extension == "rs") {
            definitions(&text).contains(name)
        } else {
            text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|word| word == name)
        };
        (!is_defined).then(|| format!("docs/architecture.md: {} does not define {name}", link.target))
    }));
}

#[test]
fn each_tour_has_ten_steps_and_each_step_a_link() {
    let text = read("docs/architecture.md");
    for tour in ["## A create", "## An event"] {
        let (_, tour_text) = text.split_once(&format!("{tour}\n")).unwrap_or_else(|| panic!("no section {tour:?}"));
        let tour_text = tour_text.split("\n## ").next().unwrap();
        let mut steps = Vec::new();
        for line in tour_text.lines().filter(|line| !line.is_empty()) {
            match line.split_once(". **") {
                Some((number, _)) if !line.starts_with(' ') => steps.push((number.to_owned(), line.to_owned())),
                _ => steps.last_mut().unwrap_or_else(|| panic!("{tour}: {line:?} precedes the steps")).1.push_str(line),
            }
        }
        let numbers: Vec<&str> = steps.iter().map(|(number, _)| number.as_str()).collect();
        assert_eq!(numbers, ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"], "{tour}");
        report(
            steps
                .iter()
                .filter(|(_, step)| links(step).is_empty())
                .map(|(n, _)| format!("{tour}: step {n} has no link")),
        );
    }
}

#[test]
fn links_paths_and_definitions_are_found() {
    let link = |text, target| Link { text, target };
    assert_eq!(links("a [`b::c`](../d.rs), [e](f#g) and [h]\n(i)"), [link("`b::c`", "../d.rs"), link("e", "f")]);
    assert_eq!(code_spans("`src/a.rs` is\n```sh\n`b`\n```\nnot `c`"), ["src/a.rs", "c"]);
    assert!(is_path("src/a.rs") && is_path(".ci/run") && !is_path("src/a::b") && !is_path("/livez") && !is_path("a/b"));
    let text = "fn a() {} struct B; impl B { fn c(&self) {} } impl D for B { fn e() {} } trait D { fn e(); } mod x { fn y() {} }";
    let names: Vec<String> = definitions(text).into_iter().collect();
    assert_eq!(names, ["B", "B::c", "B::e", "D", "D::e", "a", "y"]);
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(super) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The documents at the top and in `docs`, by their paths.
pub(super) fn documents() -> Vec<(String, String)> {
    let folder = |folder: &str| -> Vec<PathBuf> {
        fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let mut paths = folder("");
    paths.extend(folder("docs"));
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    assert!(paths.len() > 3, "the documents are in {}", root().display());
    let name = |path: &PathBuf| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    paths.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

/// The links of a text, without fragments of their targets.
fn links(text: &str) -> Vec<Link<'_>> {
    let mut links = Vec::new();
    for (end, _) in text.match_indices("](") {
        let (Some(begin), Some(length)) = (text[..end].rfind('['), text[end..].find(')')) else { continue };
        let target = &text[end + 2..end + length];
        links.push(Link { text: &text[begin + 1..end], target: target.split('#').next().unwrap_or_default() });
    }
    links
}

/// The text between single backticks, outside of code blocks.
pub(super) fn code_spans(text: &str) -> Vec<&str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|prose| prose.split('`').skip(1).step_by(2)).collect()
}

/// Whether a span of code is a path in the project.
fn is_path(span: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
    let folder = span.split_once('/').map_or("", |(folder, _)| folder);
    ["src", "tests", "docs", "deploy", "proto", "benches", ".ci"].contains(&folder) && span.chars().all(is_plain)
}

/// The definitions of a file: functions and types by their names, methods as `Type::method`.
fn definitions(text: &str) -> BTreeSet<String> {
    let mut found = Definitions::default();
    found.visit_file(&syn::parse_file(text).unwrap());
    found.names
}

#[derive(Default)]
struct Definitions {
    names: BTreeSet<String>,
    /// The type or trait that the methods belong to.
    owner: String,
}

impl Definitions {
    fn add(&mut self, name: &syn::Ident) {
        self.names.insert(name.to_string());
    }

    fn add_method(&mut self, name: &syn::Ident) {
        self.names.insert(format!("{}::{name}", self.owner));
    }
}

impl<'ast> Visit<'ast> for Definitions {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add(&item.sig.ident);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.add(&item.ident);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.add(&item.ident);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if let syn::Type::Path(path) = &*item.self_ty {
            self.owner = path.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
            visit::visit_item_impl(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add_method(&item.sig.ident);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.add(&item.ident);
        self.owner = item.ident.to_string();
        visit::visit_item_trait(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.add_method(&item.sig.ident);
    }
}
