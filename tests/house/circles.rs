//! Import circles between the files of one crate.
//!
//! A file imports another if it names something that the other defines, in a `use` or in a path.
//! If a name is re-exported, the file that defines it counts.
//! Neither `mod child;` nor `pub use child::…` alone imports the child: they only publish it.
//!
//! In Rust, the children of a module see everything in it.
//! So a file that uses its parent's names does not import the parent, unless that is the crate's
//! root.
//! A file that names something of a sibling or a child does import it.
//!
//! Code that only tests compile does not count: it may use everything.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    slice,
};

use syn::{
    Attribute, Item, ItemUse, Meta, MetaList, UseTree, Visibility,
    buffer::{Cursor, TokenBuffer},
    visit::{self, Visit},
};

/// Maximum length of a chain of re-exports that the search follows.
const MAX_HOPS: usize = 16;

/// Returns the circles of a crate, sorted.
///
/// A circle is a group of files that import each other, directly or through others. It comes with
/// descriptions of the imports between them.
pub(crate) fn of(root: &Path) -> Vec<(Vec<String>, Vec<String>)> {
    let tree = Tree::read(root);
    let edges = tree.edges();
    let reached: Vec<BTreeSet<usize>> = (0..tree.files.len())
        .map(|from| reach(&edges, from))
        .collect();
    let mut done: BTreeSet<usize> = BTreeSet::new();
    let mut circles = Vec::new();
    for file in 0..tree.files.len() {
        if !reached[file].contains(&file) || done.contains(&file) {
            continue;
        }
        let circle: Vec<usize> = reached[file]
            .iter()
            .copied()
            .filter(|other| reached[*other].contains(&file))
            .collect();
        done.extend(&circle);
        let inner = edges
            .iter()
            .filter(|((from, to), _)| circle.contains(from) && circle.contains(to));
        let words = inner.map(|((from, to), name)| {
            format!("{} uses {name} of {}", tree.files[*from], tree.files[*to])
        });
        let mut names: Vec<_> = circle.iter().map(|it| tree.files[*it].clone()).collect();
        names.sort();
        circles.push((names, words.collect()));
    }
    circles.sort();
    circles
}

/// Imports between files, given by their indices, each with one of the imported names.
type Edges = BTreeMap<(usize, usize), String>;

fn reach(edges: &Edges, from: usize) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from];
    while let Some(file) = next.pop() {
        let targets = edges.range((file, 0)..=(file, usize::MAX));
        for ((_, target), _) in targets {
            if reached.insert(*target) {
                next.push(*target);
            }
        }
    }
    reached
}

/// Modules of a crate, and their files.
struct Tree {
    /// Paths relative to the folder of the crate's root file.
    files: Vec<String>,
    modules: Vec<Module>,
}

/// Module in a file of its own, or within another module's file.
struct Module {
    file: usize,
    parent: usize,
    children: BTreeMap<String, usize>,
    /// Names that the module defines.
    items: BTreeSet<String>,
    imports: BTreeMap<String, Import>,
    globs: Vec<Vec<String>>,
    /// Paths in the module's code.
    paths: BTreeSet<Vec<String>>,
}

struct Import {
    path: Vec<String>,
    /// `true` if other modules can use the name through this module.
    visible: bool,
}

/// Result of looking a path up in a module.
enum Found {
    Module(usize),
    Item {
        file: usize,
    },
    /// Path of another crate.
    Elsewhere,
    Nothing,
}

impl Tree {
    fn read(root: &Path) -> Self {
        let mut tree = Self {
            files: Vec::new(),
            modules: Vec::new(),
        };
        let folder = root.parent().expect("a folder");
        tree.read_file(root, folder, folder, 0);
        tree
    }

    /// Reads a module's file, and its children in `folder`.
    fn read_file(&mut self, path: &Path, folder: &Path, base: &Path, parent: usize) -> usize {
        let text = fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        let parsed = syn::parse_file(&text)
            .unwrap_or_else(|error| panic!("cannot parse {}: {error}", path.display()));
        let name = path.strip_prefix(base).expect("a file of the crate");
        self.files.push(name.to_string_lossy().into_owned());
        let file = self.files.len() - 1;
        self.read_items(&parsed.items, file, folder, base, parent)
    }

    fn read_items(
        &mut self,
        items: &[Item],
        file: usize,
        folder: &Path,
        base: &Path,
        parent: usize,
    ) -> usize {
        let number = self.modules.len();
        self.modules.push(Module {
            file,
            parent,
            children: BTreeMap::new(),
            items: BTreeSet::new(),
            imports: BTreeMap::new(),
            globs: Vec::new(),
            paths: BTreeSet::new(),
        });
        for item in items.iter().filter(|item| !is_test_only(item)) {
            let Item::Mod(module) = item else {
                self.modules[number].visit_item(item);
                continue;
            };
            let name = module.ident.to_string();
            let below = folder.join(&name);
            let child = if let Some((_, items)) = &module.content {
                self.read_items(items, file, &below, base, number)
            } else {
                let files = [below.with_extension("rs"), below.join("mod.rs")];
                let path: &PathBuf = files
                    .iter()
                    .find(|path| path.is_file())
                    .unwrap_or_else(|| panic!("no file of the module {}", below.display()));
                self.read_file(path, &below, base, number)
            };
            self.modules[number].children.insert(name, child);
        }
        number
    }

    fn edges(&self) -> Edges {
        let mut edges = Edges::new();
        for (number, module) in self.modules.iter().enumerate() {
            let imports = module.imports.values();
            let imported = imports
                .filter(|import| !(import.visible && module.is_own(&import.path)))
                .map(|import| &import.path);
            let used = module.paths.iter().filter(|path| {
                path.len() > 1 || module.imports.get(&path[0]).is_some_and(|it| it.visible)
            });
            for path in imported.chain(used).chain(&module.globs) {
                let file = match self.resolve(number, path, MAX_HOPS) {
                    Found::Module(module) => self.modules[module].file,
                    Found::Item { file } => file,
                    Found::Elsewhere | Found::Nothing => continue,
                };
                if file != module.file && !self.is_above(file, number) {
                    edges
                        .entry((module.file, file))
                        .or_insert_with(|| path.join("::"));
                }
            }
        }
        edges
    }

    /// Returns `true` if a file is that of a module above this one, except the crate's root.
    fn is_above(&self, file: usize, number: usize) -> bool {
        let mut above = self.modules[number].parent;
        while above != 0 {
            if self.modules[above].file == file {
                return true;
            }
            above = self.modules[above].parent;
        }
        false
    }

    /// Resolves a path that occurs in a module's code.
    fn resolve(&self, number: usize, path: &[String], hops: usize) -> Found {
        let module = &self.modules[number];
        let Some((first, rest)) = path.split_first() else {
            return Found::Module(number);
        };
        match first.as_str() {
            "crate" => self.look_up(0, rest, hops),
            "self" => self.look_up(number, rest, hops),
            "super" => {
                // Each `super` after the first one goes up one more level.
                let mut above = module.parent;
                let mut rest = rest;
                while rest.first().is_some_and(|it| it == "super") {
                    above = self.modules[above].parent;
                    rest = &rest[1..];
                }
                self.look_up(above, rest, hops)
            }
            _ => match self.look_up(number, path, hops) {
                Found::Nothing => Found::Elsewhere,
                found => found,
            },
        }
    }

    fn look_up(&self, number: usize, path: &[String], hops: usize) -> Found {
        let module = &self.modules[number];
        let Some((name, rest)) = path.split_first() else {
            return Found::Module(number);
        };
        if let Some(child) = module.children.get(name) {
            return match self.look_up(*child, rest, hops) {
                // A macro has defined the name, so the search counts the child's file.
                Found::Nothing => Found::Module(*child),
                found => found,
            };
        }
        if module.items.contains(name) {
            return Found::Item { file: module.file };
        }
        if hops == 0 {
            return Found::Nothing;
        }
        if let Some(import) = module.imports.get(name) {
            // An import such as `use name::name` refers to another crate, not to itself.
            if import.path.first() == Some(name) && !module.children.contains_key(name) {
                return Found::Elsewhere;
            }
            let path = [&import.path, rest].concat();
            return self.resolve(number, &path, hops - 1);
        }
        for glob in &module.globs {
            if let Found::Module(of) = self.resolve(number, glob, hops - 1)
                && of != number
            {
                match self.look_up(of, path, hops - 1) {
                    Found::Nothing => {}
                    found => return found,
                }
            }
        }
        Found::Nothing
    }
}

impl Module {
    /// Returns `true` if a path leads to an item of this module or of a module below it.
    fn is_own(&self, path: &[String]) -> bool {
        path[0] == "self" || self.children.contains_key(&path[0])
    }

    fn note_use(&mut self, tree: &UseTree, before: &mut Vec<String>, visible: bool) {
        let mut import = |name: String, path: Vec<String>| {
            self.imports.insert(name, Import { path, visible });
        };
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.note_use(&path.tree, before, visible);
                before.pop();
            }
            UseTree::Name(name) if name.ident == "self" => {
                let last = before.last().expect("a path before `self`").clone();
                import(last, before.clone());
            }
            UseTree::Name(name) => {
                let name = name.ident.to_string();
                let path = [before.as_slice(), slice::from_ref(&name)].concat();
                import(name, path);
            }
            UseTree::Rename(renamed) => {
                let mut path = before.clone();
                if renamed.ident != "self" {
                    path.push(renamed.ident.to_string());
                }
                // A module may import several names as `_`, so the path tells them apart.
                let name = match renamed.rename.to_string() {
                    name if name == "_" => path.join("::"),
                    name => name,
                };
                import(name, path);
            }
            UseTree::Glob(_) => self.globs.push(before.clone()),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.note_use(tree, before, visible);
                }
            }
        }
    }

    /// Records the paths among the tokens of a macro or an attribute.
    fn scan(&mut self, mut cursor: Cursor<'_>) {
        let mut path: Vec<String> = Vec::new();
        let mut joined = false;
        while !cursor.eof() {
            if let Some((inside, _, _, after)) = cursor.any_group() {
                self.note_path(std::mem::take(&mut path));
                self.scan(inside);
                cursor = after;
                joined = false;
            } else if let Some((ident, after)) = cursor.ident() {
                if !joined {
                    self.note_path(std::mem::take(&mut path));
                }
                path.push(ident.to_string());
                cursor = after;
                joined = false;
            } else if let Some((one, after)) = cursor.punct() {
                let colons = after.punct().filter(|(two, _)| {
                    !path.is_empty() && one.as_char() == ':' && two.as_char() == ':'
                });
                joined = colons.is_some();
                if !joined {
                    self.note_path(std::mem::take(&mut path));
                }
                cursor = colons.map_or(after, |(_, after)| after);
            } else if let Some((_, after)) = cursor.token_tree() {
                self.note_path(std::mem::take(&mut path));
                cursor = after;
                joined = false;
            }
        }
        self.note_path(path);
    }

    fn note_path(&mut self, path: Vec<String>) {
        if !path.is_empty() {
            self.paths.insert(path);
        }
    }
}

impl<'ast> Visit<'ast> for Module {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_test_only(item) {
            return;
        }
        self.items.extend(match item {
            Item::Const(it) => Some(it.ident.to_string()),
            Item::Enum(it) => Some(it.ident.to_string()),
            Item::Fn(it) => Some(it.sig.ident.to_string()),
            Item::Static(it) => Some(it.ident.to_string()),
            Item::Struct(it) => Some(it.ident.to_string()),
            Item::Trait(it) => Some(it.ident.to_string()),
            Item::Type(it) => Some(it.ident.to_string()),
            Item::Macro(it) => it.ident.as_ref().map(ToString::to_string),
            _ => None,
        });
        visit::visit_item(self, item);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let visible = !matches!(item.vis, Visibility::Inherited);
        if item.leading_colon.is_none() {
            self.note_use(&item.tree, &mut Vec::new(), visible);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names = path.segments.iter().map(|it| it.ident.to_string());
        self.note_path(names.collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, it: &'ast syn::Macro) {
        visit::visit_macro(self, it);
        self.scan(TokenBuffer::new2(it.tokens.clone()).begin());
    }

    fn visit_meta_list(&mut self, list: &'ast MetaList) {
        visit::visit_meta_list(self, list);
        self.scan(TokenBuffer::new2(list.tokens.clone()).begin());
    }
}

/// Returns `true` if an item is compiled only for tests.
fn is_test_only(item: &Item) -> bool {
    let attributes = match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => return false,
    };
    let is_test = |attribute: &Attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    };
    attributes.iter().any(is_test)
}
