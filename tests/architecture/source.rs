//! The source files as modules, and every path of this crate that each uses.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{ItemMod, ItemUse, UseTree, Visibility};

/// A source file.
pub(crate) struct Source {
    /// Path from the root of the project, for messages.
    pub file: String,
    /// Path of its module; empty for the root of the crate.
    pub module: Vec<String>,
    /// Its text.
    pub text: String,
    /// The paths that it uses outside of `#[cfg(test)]`.
    pub uses: Vec<Use>,
}

/// A path that a file uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    /// Line in the file, from 1.
    pub line: usize,
    /// Segments as written, with groups of `use` expanded; `crate`, `self` and `super` are kept.
    pub path: Vec<String>,
    /// The inline modules around it.
    pub inner: Vec<String>,
    /// The name under which a `use` brings it into scope.
    pub alias: Option<String>,
    /// Whether it is a re-export: `pub use`.
    pub is_reexport: bool,
}

impl Source {
    /// Reads a module from its text.
    pub(crate) fn parse(file: &str, module: &str, text: &str) -> Self {
        let syntax = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut collector = Collector::default();
        collector.visit_file(&syntax);
        let module = module.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Self { file: file.to_owned(), module, text: text.to_owned(), uses: collector.uses }
    }

    /// Whether it is compiled only for tests.
    pub(crate) fn is_test(&self) -> bool {
        self.module.iter().any(|name| name == "tests" || name == "fixtures")
    }

    /// Path of the module in code, without `crate`.
    pub(crate) fn name(&self) -> String {
        self.module.join("::")
    }
}

/// Every Rust file under `src`.
pub(crate) fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    assert!(files.len() > 20, "the sources are under {}", root.display());
    let read = |file: PathBuf| {
        let relative = file.strip_prefix(&root).unwrap();
        let without_extension = relative.with_extension("");
        let names = without_extension.iter().map(|name| name.to_str().unwrap()).filter(|name| *name != "mod");
        let module = names.collect::<Vec<_>>().join("::");
        let module = if module == "lib" { String::new() } else { module };
        Source::parse(&format!("src/{}", relative.display()), &module, &fs::read_to_string(&file).unwrap())
    };
    files.into_iter().map(read).collect()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

#[derive(Default)]
struct Collector {
    inner: Vec<String>,
    uses: Vec<Use>,
}

impl Collector {
    fn add(&mut self, path: Vec<String>, line: usize, alias: Option<String>, is_reexport: bool) {
        self.uses.push(Use { line, path, inner: self.inner.clone(), alias, is_reexport });
    }

    fn add_tree(&mut self, tree: &UseTree, mut prefix: Vec<String>, line: usize, is_reexport: bool) {
        match tree {
            UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.add_tree(&path.tree, prefix, line, is_reexport);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_tree(tree, prefix.clone(), line, is_reexport);
                }
            }
            UseTree::Name(name) if name.ident == "self" => {
                let alias = prefix.last().cloned();
                self.add(prefix, line, alias, is_reexport);
            }
            UseTree::Name(name) => {
                prefix.push(name.ident.to_string());
                self.add(prefix, line, Some(name.ident.to_string()), is_reexport);
            }
            UseTree::Rename(rename) => {
                prefix.push(rename.ident.to_string());
                self.add(prefix, line, Some(rename.rename.to_string()), is_reexport);
            }
            UseTree::Glob(_) => self.add(prefix, line, None, is_reexport),
        }
    }

    /// Paths in the arguments of a macro, which the parser leaves as tokens.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut line = 0;
        let mut expects_name = true;
        for token in tokens {
            match token {
                TokenTree::Ident(name) if path.is_empty() || expects_name => {
                    if path.is_empty() {
                        line = name.span().start().line;
                    }
                    path.push(name.to_string());
                    expects_name = false;
                    continue;
                }
                TokenTree::Punct(colon) if colon.as_char() == ':' && !path.is_empty() => {
                    expects_name = true;
                    continue;
                }
                TokenTree::Group(group) => self.add_tokens(group.stream()),
                _ => {}
            }
            self.add_if_path(std::mem::take(&mut path), line);
            expects_name = true;
        }
        self.add_if_path(path, line);
    }

    fn add_if_path(&mut self, path: Vec<String>, line: usize) {
        if path.len() > 1 {
            self.add(path, line, None, false);
        }
    }
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let is_for_tests = item.attrs.iter().any(|attribute| {
            attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
        });
        if !is_for_tests && item.content.is_some() {
            self.inner.push(item.ident.to_string());
            visit::visit_item_mod(self, item);
            self.inner.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let line = item.use_token.span.start().line;
        self.add_tree(&item.tree, Vec::new(), line, !matches!(item.vis, Visibility::Inherited));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let line = path.segments.first().map_or(0, |segment| segment.ident.span().start().line);
        self.add_if_path(path.segments.iter().map(|segment| segment.ident.to_string()).collect(), line);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.add_tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }
}
