//! Dependencies between files: paths are followed through re-exports to the defining file.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::source::{Source, Use};

/// Names already looked up, which ends the search when two files re-export a name from each other.
type Seen = BTreeSet<(usize, String)>;

/// The files of the crate and the uses between them.
pub(crate) struct Graph<'s> {
    sources: &'s [Source],
    by_module: HashMap<&'s [String], usize>,
    /// The files that each file uses, each with one line of use.
    edges: BTreeMap<usize, BTreeMap<usize, usize>>,
}

/// Files with circular dependencies.
pub(crate) struct Circle {
    /// The files, in the order of their paths.
    pub files: Vec<String>,
    /// The uses between them.
    pub ties: Vec<String>,
}

impl<'s> Graph<'s> {
    /// The graph of these files.
    pub(crate) fn of(sources: &'s [Source]) -> Self {
        let by_module = sources.iter().enumerate().map(|(index, source)| (source.module.as_slice(), index)).collect();
        let mut graph = Self { sources, by_module, edges: BTreeMap::new() };
        for (index, source) in sources.iter().enumerate().filter(|(_, source)| !source.is_test()) {
            for used in source.uses.iter().filter(|used| !used.is_reexport) {
                let target = graph.resolve(index, used, &mut Seen::new()).filter(|target| *target != index);
                if let Some(target) = target {
                    graph.edges.entry(index).or_default().entry(target).or_insert(used.line);
                }
            }
        }
        graph
    }

    /// Uses from one file in another: user, line, used.
    pub(crate) fn uses(&self) -> impl Iterator<Item = (&'s Source, usize, &'s Source)> {
        let sources = self.sources;
        self.edges.iter().flat_map(move |(from, targets)| {
            targets.iter().map(move |(to, line)| (&sources[*from], *line, &sources[*to]))
        })
    }

    /// Groups of files with circular dependencies, each with the uses that cause it.
    ///
    /// A module may use definitions of its parent module: `mod.rs` holds what its files share.
    pub(crate) fn circles(&self) -> Vec<Circle> {
        let reach: Vec<BTreeSet<usize>> = (0..self.sources.len()).map(|file| self.reachable(file)).collect();
        let mut circles: BTreeSet<BTreeSet<usize>> = BTreeSet::new();
        for file in 0..self.sources.len() {
            circles.insert(reach[file].iter().copied().filter(|other| reach[*other].contains(&file)).collect());
        }
        circles.into_iter().filter(|circle| !circle.is_empty()).map(|circle| self.describe(&circle)).collect()
    }

    fn describe(&self, circle: &BTreeSet<usize>) -> Circle {
        let file = |index: &usize| self.sources[*index].file.clone();
        let ties = circle.iter().flat_map(|from| {
            let targets = self.edges.get(from).into_iter().flatten().filter(|(to, _)| circle.contains(to));
            targets.map(move |(to, line)| format!("{}:{line} uses {}", file(from), file(to)))
        });
        Circle { files: circle.iter().map(file).collect(), ties: ties.collect() }
    }

    fn reachable(&self, file: usize) -> BTreeSet<usize> {
        let mut reached = BTreeSet::new();
        let mut waiting = vec![file];
        while let Some(next) = waiting.pop() {
            let targets = self.edges.get(&next).into_iter().flat_map(BTreeMap::keys);
            for target in targets.filter(|target| !self.is_around(**target, next)) {
                if reached.insert(*target) {
                    waiting.push(*target);
                }
            }
        }
        reached
    }

    /// Whether one module contains another.
    fn is_around(&self, outer: usize, inner: usize) -> bool {
        self.sources[inner].module.starts_with(&self.sources[outer].module)
    }

    /// The file that defines a used name; `None` if it is not in this crate.
    fn resolve(&self, from: usize, used: &Use, seen: &mut Seen) -> Option<usize> {
        let source = &self.sources[from];
        let mut here: Vec<String> = source.module.iter().chain(&used.inner).cloned().collect();
        let mut rest = used.path.as_slice();
        match rest.first()?.as_str() {
            "crate" | "cmgate" => {
                here.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while let Some("super") = rest.first().map(String::as_str) {
                    here.pop()?;
                    rest = &rest[1..];
                }
            }
            first => {
                // A path may begin with a module that stands below this one, and otherwise with the name of another crate.
                here.push(first.to_owned());
                let is_ours = self.by_module.contains_key(here.as_slice());
                here.pop();
                if !is_ours {
                    return None;
                }
            }
        }
        self.follow(here, rest, seen)
    }

    /// Resolves a path from a module, following re-exports to their source.
    fn follow(&self, mut here: Vec<String>, path: &[String], seen: &mut Seen) -> Option<usize> {
        for (index, name) in path.iter().enumerate() {
            here.push(name.clone());
            if self.by_module.contains_key(here.as_slice()) {
                continue;
            }
            here.pop();
            // An inline module stands in the file of the module around it.
            let file = (0..=here.len()).rev().find_map(|length| self.by_module.get(&here[..length]))?;
            let passed_on = self.sources[*file].uses.iter().find(|used| used.alias.as_ref() == Some(name));
            let target = passed_on.filter(|_| seen.insert((*file, name.clone()))).and_then(|used| {
                let path = used.path.iter().chain(&path[index + 1..]).cloned().collect();
                self.resolve(*file, &Use { path, ..used.clone() }, seen)
            });
            return target.or(Some(*file));
        }
        self.by_module.get(here.as_slice()).copied()
    }
}
