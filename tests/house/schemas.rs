//! Names of the schemas of the HTTP API: each type has one of its own.
//!
//! The document has one schema for a name, so two types of one name would replace each other in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use syn::{
    Attribute, Ident, Item, ItemMacro, Meta,
    visit::{self, Visit},
};

use crate::files::{below, root};

/// Name of the trait that gives a type its schema.
const TRAIT: &str = "ToSchema";

/// Search for types with schemas in a file.
#[derive(Default)]
struct Search {
    /// Macros of the file whose calls make a type with a schema.
    macros: BTreeSet<String>,
    found: Vec<String>,
}

/// Returns `true` if attributes derive the schema, also behind a feature.
fn derive_it(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => {
            let words = list.tokens.to_string();
            let words = words.split(|it: char| !it.is_alphanumeric() && it != '_');
            let derives = list.path.is_ident("derive") || list.path.is_ident("cfg_attr");
            derives && words.into_iter().any(|word| word == TRAIT)
        }
        _ => false,
    })
}

impl<'a> Visit<'a> for Search {
    fn visit_item(&mut self, item: &'a Item) {
        match item {
            Item::Struct(item) if derive_it(&item.attrs) => {
                self.found.push(item.ident.to_string());
            }
            Item::Enum(item) if derive_it(&item.attrs) => self.found.push(item.ident.to_string()),
            Item::Impl(item) => {
                let last = item
                    .trait_
                    .as_ref()
                    .and_then(|(path, _)| path.segments.last());
                if let (Some(last), syn::Type::Path(of)) = (last, &*item.self_ty)
                    && last.ident == TRAIT
                    && let Some(name) = of.path.get_ident()
                {
                    self.found.push(name.to_string());
                }
            }
            Item::Macro(item) => self.call(item),
            _ => {}
        }
        visit::visit_item(self, item);
    }
}

impl Search {
    /// Notes a macro, or the type that a call of one makes: its first argument.
    fn call(&mut self, item: &ItemMacro) {
        let words = item.mac.tokens.to_string();
        if let Some(name) = &item.ident {
            if words.contains(TRAIT) {
                self.macros.insert(name.to_string());
            }
            return;
        }
        let called = item.mac.path.get_ident().map(Ident::to_string);
        if called.is_some_and(|name| self.macros.contains(&name)) {
            let name = words.split(|it: char| !it.is_alphanumeric() && it != '_');
            self.found.extend(
                name.into_iter()
                    .find(|it| !it.is_empty())
                    .map(str::to_owned),
            );
        }
    }
}

/// Returns the types with schemas of a file's text, without those of its tests.
pub(crate) fn types(text: &str) -> Vec<String> {
    let file = syn::parse_file(text).expect("Rust");
    let mut search = Search::default();
    search.visit_file(&file);
    search.found
}

#[test]
fn types_with_schemas_have_names_of_their_own() {
    let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for folder in ["crates/server/src", "crates/client/src"] {
        for path in below(&root().join(folder), ".rs") {
            let text = fs::read_to_string(&path).expect("a source");
            if !text.contains(TRAIT) {
                continue;
            }
            for name in types(&text) {
                files
                    .entry(name)
                    .or_default()
                    .push(path.display().to_string());
            }
        }
    }
    assert!(files.len() > 100, "only {} types were found", files.len());
    let twice: Vec<_> = files.iter().filter(|(_, files)| files.len() > 1).collect();
    assert!(
        twice.is_empty(),
        "types of one name replace each other in /openapi.json; give each a name of its own: {twice:#?}"
    );
}

#[test]
fn types_finds_derived_written_and_made_schemas() {
    let text = r#"
        macro_rules! made { ($name:ident) => { impl utoipa::ToSchema for $name {} } }
        made!(One, "doc");
        #[derive(Debug, ToSchema)]
        struct Two;
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        enum Three {}
        impl utoipa::ToSchema for Four {}
        #[derive(Debug)]
        struct Other;
        println!("ToSchema");
        mod inner { #[derive(ToSchema)] struct Five; }
    "#;
    assert_eq!(types(text), ["One", "Two", "Three", "Four", "Five"]);
}
