use std::path::PathBuf;

use cotrain_protocol::classifier::Kind;
use thiserror::Error;

use crate::data::{MAX_INDEX, MAX_NUMBER};
use crate::pictures::Form;
use crate::sentences::{SentenceFault, SentenceId};
use crate::text::escaped;
use crate::vectors::TableId;

/// Reason why examples cannot be encoded.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum EncodeError {
    /// The classifier is binary, but there are more classes.
    #[error(
        "`{}` has {classes} classes, but a {kind} is binary; use the learner {}",
        path.display(), instead.name()
    )]
    NotBinary {
        /// File of the training data.
        path: PathBuf,
        /// Kind of the classifier.
        kind: Kind,
        /// Kind of classifier that takes the data.
        instead: Kind,
        /// Number of classes of the data.
        classes: usize,
    },
    /// The data gives no features.
    #[error(
        "`{}` gives no features; it needs a word, column or index, and the number of features must be above 0",
        path.display()
    )]
    NoFeatures {
        /// File of the training data.
        path: PathBuf,
    },
    /// The data gives more features than the classifier can have.
    #[error(
        "`{}` gives {features} features, but a {kind} has at most {max}{}; remove columns of a table, take smaller pictures, or set the number of features to keep only the most frequent words or indices",
        path.display(), beside_constant(*learns_intercept)
    )]
    TooManyFeatures {
        /// File of the training data.
        path: PathBuf,
        /// Kind of the classifier.
        kind: Kind,
        /// Number of features of the data.
        features: usize,
        /// Maximum number of features.
        max: usize,
        /// `true` if one more is the constant through which the model learns its intercept.
        learns_intercept: bool,
    },
    /// The encoder knows nothing of any text to learn from.
    #[error(
        "the encoder knows no word of the {texts} texts to learn from in `{}`, so they would teach a model nothing; choose an encoder for their language, leave that choice out, or name another column of texts",
        path.display()
    )]
    NothingKnown {
        /// File of the training data.
        path: PathBuf,
        /// Number of texts.
        texts: usize,
    },
    /// The encoder's table of word vectors is not there.
    #[error(
        "cannot read texts: the table of word vectors of the model is missing, the one with {id}; add its file with `cotrain encoder add FILE`"
    )]
    NoTable {
        /// Identity of the table.
        id: TableId,
    },
    /// The sentence encoder of the model runs in another program, and nobody has given it.
    #[error(
        "cannot read texts here: the model needs the sentence encoder {id}; let `cotrain predict` or `cotrain contribute` read them on your machine, or send samples"
    )]
    NoSentences {
        /// Identity of the sentence encoder.
        id: SentenceId,
    },
    /// The sentence encoder failed.
    #[error("cannot read texts: {0}")]
    Sentences(SentenceFault),
    /// An encoder gives numbers, and the classifier takes none.
    #[error(
        "cannot use {of} with a {kind}, which only learns what is present; use the learner {}",
        Kind::DenseNearestCentroid.name()
    )]
    VectorsAreNumbers {
        /// Encoder of texts as numbers.
        of: &'static str,
        /// Kind of the classifier.
        kind: Kind,
    },
    /// A pixel has more than two levels of grey, and the classifier takes no numbers.
    #[error(
        "cannot use pictures of {levels} levels of grey with a {kind}, which only learns what is present; take 2 levels, or the learner {}",
        Kind::DenseNearestCentroid.name()
    )]
    PicturesAreNumbers {
        /// Kind of the classifier.
        kind: Kind,
        /// Number of levels.
        levels: u32,
    },
    /// The level of a pixel is out of range.
    #[error(
        "pixel `{pixel}` is {value}, expected 0 to {} for {form}",
        form.levels() - 1
    )]
    Pixel {
        /// Name of the pixel.
        pixel: String,
        /// Its value.
        value: f64,
        /// Form of the pictures.
        form: Form,
    },
    /// The options fix the intercept of a model that never learns one.
    #[error(
        "cannot fix the intercept of a {kind}: only a {} learns its intercept; leave that choice out",
        Kind::DensePerceptron
    )]
    NoLearnedIntercept {
        /// Kind of the classifier.
        kind: Kind,
    },
    /// A feature without examples cannot be reserved.
    #[error("cannot reserve the feature `{}`: {fault}", escaped(name))]
    Reserve {
        /// Name of the feature.
        name: String,
        /// Cause of the failure.
        fault: ReserveFault,
    },
    /// The number of features in the options differs from the number of columns.
    #[error(
        "the number of features is {features}, but in `{}` every column of numbers is one, which makes {columns}; leave the number out",
        path.display()
    )]
    NotTheColumns {
        /// File of the training data.
        path: PathBuf,
        /// Number of columns of the table.
        columns: usize,
        /// Number of features in the options.
        features: usize,
    },
    /// The options say how to read texts, and the data has none.
    #[error(
        "`{}` has no texts for {option}; name the column of the texts, or leave that choice out",
        path.display()
    )]
    NoTexts {
        /// File of the training data.
        path: PathBuf,
        /// Option that is for texts alone.
        option: &'static str,
    },
    /// The options say how to read texts, and an extractor of the caller's does so itself.
    #[error("the extractor reads the examples itself; leave out {option}")]
    OwnRules {
        /// Option that is for cotrain's own extractors.
        option: &'static str,
    },
    /// The number of hashed features is out of range.
    #[error("the number of hashed features is {features}, expected 2 to 65536")]
    Hashed {
        /// Number of features.
        features: usize,
    },
    /// The options have both hashed features and a vocabulary of limited size.
    #[error(
        "cannot keep {features} words and hash all words to {hashed} features: these exclude each other; leave one of the two numbers out"
    )]
    HashedVocabulary {
        /// Number of hashed features.
        hashed: usize,
        /// Number of words to keep.
        features: usize,
    },
    /// The options limit the numbers of a classifier that takes none.
    #[error(
        "cannot limit the numbers of a {kind}: its samples only say which features are present; leave the limits out"
    )]
    NothingToLimit {
        /// Kind of the classifier.
        kind: Kind,
    },
    /// A limit is no number above 0.
    #[error("the {limit} is {value}, expected a number above 0")]
    Limit {
        /// Name of the limit.
        limit: &'static str,
        /// Value of the limit.
        value: f64,
    },
    /// The example is of another sort than those that the encoder learned from.
    #[error("the example is {found}, expected {wanted}, as the model learned from it")]
    WrongSort {
        /// Sort of the example.
        found: &'static str,
        /// Sort that the encoder takes.
        wanted: &'static str,
    },
    /// A row has too few or too many numbers.
    #[error(
        "the length of the example is {found}, expected {wanted}{}, a number for each of {columns}",
        without_reserved(*wanted, *reserved)
    )]
    WrongWidth {
        /// Number of values in the row.
        found: usize,
        /// Expected number of values.
        wanted: usize,
        /// Number of the last values that may be left out together.
        reserved: usize,
        /// Names of the columns, separated by commas.
        columns: String,
    },
    /// A number is too large, infinite or not a number.
    #[error("{feature} is {value:e}, expected a number between -{MAX_NUMBER:e} and {MAX_NUMBER:e}")]
    OutOfRange {
        /// Word, column or index.
        feature: String,
        /// Value of the number.
        value: f64,
    },
    /// A number is neither 0 nor 1, and the sparse encoding only says which features are present.
    #[error(
        "{feature} is {value}, but a {kind} takes only 0 and 1; use the learner {}, or write the values as 0 and 1",
        Kind::DenseNearestCentroid.name()
    )]
    NotPresence {
        /// Kind of the classifier.
        kind: Kind,
        /// Column or index.
        feature: String,
        /// Value of the number.
        value: f64,
    },
    /// An extractor made a feature that it does not count.
    #[error(
        "the extractor made the feature {feature} of {features}; expected numbers from 0 and below their count"
    )]
    NoSuchFeature {
        /// Number of the feature.
        feature: u16,
        /// Number of the extractor's features.
        features: usize,
    },
    /// The number of features in the options differs from that of an extractor.
    #[error(
        "the number of features is {features}, but the extractor makes {made}; leave the number out"
    )]
    NotTheExtractors {
        /// Number of features in the options.
        features: usize,
        /// Number of the extractor's features.
        made: usize,
    },
    /// An example of a data set cannot be encoded.
    #[error("line {line} of `{}`: {fault}", path.display())]
    Example {
        /// File of the example.
        path: PathBuf,
        /// Line where the example starts, from 1.
        line: u64,
        /// Cause of the failure.
        fault: Box<EncodeError>,
    },
}

/// Returns the alternative length of a row, if columns are reserved.
fn without_reserved(wanted: usize, reserved: usize) -> String {
    match reserved {
        0 => String::new(),
        _ => format!(", or {} without the reserved ones", wanted - reserved),
    }
}

fn beside_constant(learns_intercept: bool) -> &'static str {
    if learns_intercept {
        " beside the constant through which it learns its intercept, which can be fixed instead"
    } else {
        ""
    }
}

/// Reason why a name cannot be that of a feature without examples.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReserveFault {
    /// The model's encoding is dense.
    #[error(
        "the numbers of a {0} are scaled by the examples of each feature, and this one has none; use a learner of what is present, such as {naive_bayes}, or deploy the model once there are examples",
        naive_bayes = Kind::NaiveBayes.name()
    )]
    Dense(Kind),
    /// The extractor decides about its features alone.
    #[error("the features of this encoder are fixed; leave it out")]
    Fixed,
    /// The name is empty.
    #[error("it is empty; give it a name")]
    Empty,
    /// The model has a feature of this name.
    #[error("the data or another reserved feature has that name already; leave it out")]
    Known,
    /// The name is a text of a column of categories, whose features are those of the data.
    #[error(
        "the categories of the column `{}` are those of the data; add an example with `{}` to the data, or leave it out",
        escaped(column),
        escaped(value)
    )]
    Category {
        /// Name of the column.
        column: String,
        /// Text of the category.
        value: String,
    },
    /// The name is no word of texts.
    #[error(
        "texts are read as words of at least two letters, digits or underscores; name such a word"
    )]
    NoWord,
    /// The tokenizer finds no word in the name.
    #[error("the tokenizer finds no letter, digit or emoji in it; name a word")]
    NoToken,
    /// Tokens are hashed.
    #[error("words are hashed, so every word has a feature already; leave it out")]
    Hashed,
    /// The encoder would split the name into these words.
    #[error("texts with it are read as {}; reserve that", quoted(.0))]
    OtherWords(Vec<String>),
    /// The features are indices, and the name is not an index.
    #[error(
        "the features are indices, expected a whole number from 1 (0 if the data counts so) to {MAX_INDEX}"
    )]
    NoIndex,
}

/// Returns a list of words, each in quotation marks.
fn quoted(words: &[String]) -> String {
    let words = words.iter().map(|word| format!("`{}`", escaped(word)));
    words.collect::<Vec<_>>().join(", ")
}
