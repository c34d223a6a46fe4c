/// Returns the words of a text: every longest run of at least two letters, digits or underscores.
/// The rule is `\b\w\w+\b` of scikit-learn's `CountVectorizer`, for a text in lower case.
pub(super) fn tokens(lower_case: &str) -> impl Iterator<Item = &str> {
    lower_case
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| word.chars().nth(1).is_some())
}

#[cfg(test)]
mod tests {
    use super::tokens;

    #[test]
    fn words_have_two_characters_at_least() {
        let found: Vec<&str> = tokens("it's a 10 of 10, déjà-vu! x_1 … é").collect();
        assert_eq!(found, ["it", "10", "of", "10", "déjà", "vu", "x_1"]);
    }
}
