use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::decode::Grey;

/// Maximum number of levels of grey.
const MAX_LEVELS: u32 = 256;

/// Number of levels of grey if none is chosen: all that 8 bits have.
const DEFAULT_LEVELS: u32 = MAX_LEVELS;

/// Maximum number of pixels, as of the features of a contract (`docs/spec.md`).
const MAX_FEATURES: u64 = 65_536;

/// Width and height of pictures, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    width: u32,
    height: u32,
}

impl Default for Size {
    /// Returns 16×16 pixels.
    fn default() -> Self {
        Self {
            width: 16,
            height: 16,
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl FromStr for Size {
    type Err = FormError;

    /// Parses a width and a height with `x` between them, such as `16x16`.
    fn from_str(text: &str) -> Result<Self, FormError> {
        let sides = text.split_once('x').and_then(|(width, height)| {
            let side = |text: &str| text.parse::<u32>().ok();
            Some((side(width)?, side(height)?))
        });
        let (width, height) = sides.ok_or_else(|| FormError::NoSize(text.to_owned()))?;
        Self::new(width, height)
    }
}

impl Size {
    fn new(width: u32, height: u32) -> Result<Self, FormError> {
        let pixels = u64::from(width) * u64::from(height);
        if (1..=MAX_FEATURES).contains(&pixels) {
            Ok(Self { width, height })
        } else {
            Err(FormError::Size { width, height })
        }
    }
}

/// Form of the pictures that a model takes: their size, and the numbers that stand for a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct Form {
    width: u32,
    height: u32,
    levels: u32,
    #[serde(skip_serializing_if = "is_false")]
    ink: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Form in a model's card, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    width: u32,
    height: u32,
    levels: u32,
    #[serde(default)]
    ink: bool,
}

impl TryFrom<Written> for Form {
    type Error = FormError;

    fn try_from(written: Written) -> Result<Self, FormError> {
        let size = Size::new(written.width, written.height)?;
        Self::new(size, Some(written.levels), written.ink)
    }
}

impl Default for Form {
    /// Returns 16×16 pixels of 256 levels of grey, white being the largest.
    fn default() -> Self {
        let Size { width, height } = Size::default();
        Self {
            width,
            height,
            levels: DEFAULT_LEVELS,
            ink: false,
        }
    }
}

/// Reason why pictures cannot have a form.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FormError {
    /// The text is no size.
    #[error(
        "`{0}` is no size of pictures; expected the width and the height in pixels, such as 16x16"
    )]
    NoSize(String),
    /// There are no pixels, or more than a model has features.
    #[error(
        "{width}x{height} is no size of a model's pictures; expected 1 to {MAX_FEATURES} pixels"
    )]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The number of levels is out of range.
    #[error("there are {0} levels of grey; expected 2 to {MAX_LEVELS}")]
    Levels(u32),
}

impl Form {
    /// Form of the embedded digits.
    pub(crate) const DIGITS: Self = Self {
        width: 8,
        height: 8,
        levels: 17,
        ink: true,
    };

    /// Creates the form of pictures of a size, with so many levels of grey from 0 on (by default
    /// 256). If `ink` is `true`, white is 0 and black the largest level; otherwise black is 0.
    ///
    /// # Errors
    /// [`FormError::Levels`].
    pub fn new(size: Size, levels: Option<u32>, ink: bool) -> Result<Self, FormError> {
        let levels = levels.unwrap_or(DEFAULT_LEVELS);
        if !(2..=MAX_LEVELS).contains(&levels) {
            return Err(FormError::Levels(levels));
        }
        let Size { width, height } = size;
        Ok(Self {
            width,
            height,
            levels,
            ink,
        })
    }

    /// Returns the width in pixels.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Returns the height in pixels.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Returns the number of pixels, 1 to 65,536.
    #[must_use]
    pub fn pixels(&self) -> usize {
        self.width as usize * self.height as usize
    }

    /// Returns the number of levels of grey, 2 to 256.
    #[must_use]
    pub fn levels(&self) -> u32 {
        self.levels
    }

    /// Returns `true` if white is 0 and black is the largest level.
    #[must_use]
    pub fn is_ink(&self) -> bool {
        self.ink
    }

    /// Returns the name of a pixel: `r` with its row and `c` with its column, from 0. `r0c0` is the
    /// upper left one. Returns `None` if there is no such pixel.
    #[must_use]
    pub fn name(&self, pixel: usize) -> Option<String> {
        let width = self.width as usize;
        (pixel < self.pixels()).then(|| format!("r{}c{}", pixel / width, pixel % width))
    }

    /// Returns the names of all pixels, row by row.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        (0..self.pixels()).filter_map(|it| self.name(it)).collect()
    }

    /// Returns the levels of a picture at this size, row by row.
    ///
    /// A pixel of this size is the mean of the area that it covers in the picture, and each of the
    /// picture's pixels counts by its part in that area. The only rounding is that to a level, with
    /// halves upwards. `docs/spec.md` has the formula.
    ///
    /// The time is that of the picture's pixels and of those of this size, whatever their shapes are.
    #[must_use]
    pub fn apply(&self, picture: &Grey) -> Vec<f64> {
        let sums = if self.is_faster_by_columns(picture) {
            transposed(
                &sums(&picture.transposed(), self.height, self.width),
                self.height,
            )
        } else {
            sums(picture, self.width, self.height)
        };
        let whole = 255 * u64::from(picture.width()) * u64::from(picture.height());
        let last = u64::from(self.levels - 1);
        let level = |sum: u64| {
            let amount = if self.ink { whole - sum } else { sum };
            let level = (2 * last * amount + whole) / (2 * whole);
            // It is at most 255.
            f64::from(u32::try_from(level).unwrap_or(u32::MAX))
        };
        sums.into_iter().map(level).collect()
    }

    /// Returns `true` if the columns of a picture should be read instead of its rows.
    ///
    /// Each row takes the time of the form's width. A picture of 1×2,097,152 pixels and a form of
    /// 65536x1 would take minutes.
    fn is_faster_by_columns(&self, picture: &Grey) -> bool {
        let by_rows = u64::from(picture.height()) * u64::from(self.width);
        let by_columns = u64::from(picture.width()) * u64::from(self.height);
        self.width > picture.width() && by_rows > by_columns
    }
}

/// Returns the weighted sum of the picture's greys in each of `width` × `height` areas, row by row.
fn sums(picture: &Grey, width: u32, height: u32) -> Vec<u64> {
    let across = overlaps(picture.width(), width);
    let down = overlaps(picture.height(), height);
    let (width, height) = (width as usize, height as usize);
    // A picture has at most 2^25 pixels, each of at most 255. The weights in a sum add up to the
    // number of the picture's pixels, so it is below 2^33.
    let mut sums = vec![0_u64; width * height];
    let mut row_sums = vec![0_u64; width];
    let mut next = down.iter().peekable();
    for (y, row) in (0..).zip(picture.rows()) {
        row_sums.fill(0);
        for overlap in &across {
            let grey = u64::from(row[overlap.from]);
            row_sums[overlap.to] += overlap.weight * grey;
        }
        while let Some(overlap) = next.next_if(|it| it.from == y) {
            let sums = &mut sums[overlap.to * width..][..width];
            for (sum, row_sum) in sums.iter_mut().zip(&row_sums) {
                *sum += overlap.weight * row_sum;
            }
        }
    }
    sums
}

/// Turns columns into rows: `numbers` has rows of `width`.
fn transposed(numbers: &[u64], width: u32) -> Vec<u64> {
    let width = width as usize;
    let column = |x: usize| numbers.iter().skip(x).step_by(width).copied();
    (0..width).flat_map(column).collect()
}

/// Part of a pixel of the one picture in a pixel of the other, along one axis.
struct Overlap {
    from: usize,
    to: usize,
    weight: u64,
}

/// Returns the overlaps of `from` pixels with `to` pixels of the same length in all, in the order of
/// the former. The unit is one part in `from * to`; the weights of each of `to` add up to `from`.
fn overlaps(from: u32, to: u32) -> Vec<Overlap> {
    let (from, to) = (u64::from(from), u64::from(to));
    let mut all = Vec::new();
    let mut start = 0;
    // Both sequences of edges, merged.
    while start < from * to {
        let (of, into) = (start / to, start / from);
        let end = ((of + 1) * to).min((into + 1) * from);
        // Both are indices of pixels in memory.
        all.push(Overlap {
            from: usize::try_from(of).unwrap_or(usize::MAX),
            to: usize::try_from(into).unwrap_or(usize::MAX),
            weight: end - start,
        });
        start = end;
    }
    all
}

impl fmt::Display for Form {
    /// Writes the form in words, such as `8x8 pixels of 17 levels, black the largest`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { width, height, .. } = self;
        let largest = if self.ink { "black" } else { "white" };
        write!(
            f,
            "{width}x{height} pixels of {} levels of grey, {largest} the largest",
            self.levels
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn form(size: &str, levels: u32, ink: bool) -> Form {
        Form::new(size.parse().unwrap(), Some(levels), ink).unwrap()
    }

    fn grey(width: u32, height: u32, pixels: &[u8]) -> Grey {
        let rgba = pixels.iter().flat_map(|&grey| [grey, grey, grey, 255]);
        Grey::of_rgba(width, height, &rgba.collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn apply_keeps_pictures_of_the_same_size() {
        let picture = grey(3, 2, &[0, 1, 127, 128, 254, 255]);
        let same = form("3x2", 256, false).apply(&picture);
        assert_eq!(same, [0.0, 1.0, 127.0, 128.0, 254.0, 255.0]);
        let ink = form("3x2", 256, true).apply(&picture);
        assert_eq!(ink, [255.0, 254.0, 128.0, 127.0, 1.0, 0.0]);
        // The levels are 0, 127.5 and 255; halves of the distance go upwards.
        let three = form("3x2", 3, false).apply(&grey(3, 2, &[63, 64, 191, 192, 0, 255]));
        assert_eq!(three, [0.0, 1.0, 1.0, 2.0, 0.0, 2.0]);
    }

    #[test]
    fn apply_takes_means_of_areas() {
        let picture = grey(3, 1, &[0, 90, 255]);
        // The middle pixel counts by half on both sides: 30 and 200.
        assert_eq!(form("2x1", 256, false).apply(&picture), [30.0, 200.0]);
        assert_eq!(form("1x1", 256, false).apply(&picture), [115.0]);
        assert_eq!(
            form("6x2", 256, false).apply(&picture),
            [0.0, 0.0, 90.0, 90.0, 255.0, 255.0].repeat(2)
        );
        assert_eq!(form("2x1", 2, true).apply(&picture), [1.0, 0.0]);
        let tall = grey(1, 4, &[0, 10, 20, 255]);
        assert_eq!(form("1x2", 256, false).apply(&tall), [5.0, 138.0]);
    }

    #[test]
    fn apply_takes_wide_forms_of_tall_pictures_in_the_time_of_their_pixels() {
        // Row by row, this is 2^37 steps.
        let tall = grey(1, 1 << 21, &vec![51; 1 << 21]);
        let levels = form("65536x1", 256, false).apply(&tall);
        assert!(levels.len() == 65_536 && levels.iter().all(|it| it.total_cmp(&51.0).is_eq()));
        let wide = grey(1 << 21, 1, &vec![51; 1 << 21]);
        let levels = form("1x65536", 256, false).apply(&wide);
        assert!(levels.len() == 65_536 && levels.iter().all(|it| it.total_cmp(&51.0).is_eq()));
    }

    #[test]
    fn size_is_a_width_and_a_height_within_the_features_of_a_model() {
        assert_eq!("28x20".parse::<Size>().unwrap().to_string(), "28x20");
        for text in [
            "",
            "16",
            "x",
            "16x",
            "-1x2",
            "a16x16",
            "16x16x3",
            "4294967296x1",
        ] {
            assert_eq!(
                text.parse::<Size>(),
                Err(FormError::NoSize(text.to_owned()))
            );
        }
        for text in ["0x4", "4x0", "256x257", "4294967295x4294967295"] {
            assert!(matches!(text.parse::<Size>(), Err(FormError::Size { .. })));
        }
        for levels in [0, 1, 257] {
            let told = Form::new(Size::default(), Some(levels), false);
            assert_eq!(told, Err(FormError::Levels(levels)));
        }
    }

    proptest! {
        #[test]
        fn sums_are_the_same_by_rows_and_by_columns(
            pixels in proptest::collection::vec(0_u8.., 60), width in 1_usize..=60,
            to in (1_u32..20, 1_u32..20),
        ) {
            let height = 60 / width;
            let size = |it: usize| u32::try_from(it).unwrap();
            let picture = grey(size(width), size(height), &pixels[..width * height]);
            let by_columns = sums(&picture.transposed(), to.1, to.0);
            prop_assert_eq!(sums(&picture, to.0, to.1), transposed(&by_columns, to.1));
        }

        #[test]
        fn overlaps_share_every_pixel_among_those_of_the_other_size(from in 1_u32..300, to in 1_u32..300) {
            let all = overlaps(from, to);
            let mut of = vec![0; from as usize];
            let mut into = vec![0; to as usize];
            for one in &all {
                of[one.from] += one.weight;
                into[one.to] += one.weight;
            }
            prop_assert!(of.iter().all(|&weight| weight == u64::from(to)));
            prop_assert!(into.iter().all(|&weight| weight == u64::from(from)));
            prop_assert!(all.windows(2).all(|pair| pair[0].from <= pair[1].from));
        }
    }
}
