//! Compression of rows: a byte stands for several numbers of a row.

/// Number of codes of a codebook.
pub(super) const CODES: usize = 256;

/// Passes over the vectors. Further ones hardly change the codes.
const PASSES: usize = 12;

/// Codes of vectors, with the vectors that the codes stand for.
pub(super) struct Coded {
    /// [`CODES`] vectors; zeros if there are fewer different ones.
    pub(super) book: Vec<f64>,
    /// One code a vector.
    pub(super) codes: Vec<u8>,
}

/// Finds 256 vectors near to all of `vectors`, each of `width` numbers, by Lloyd's algorithm.
///
/// It begins with vectors at equal distances in the list. If two codes are equally near, the first
/// one is taken.
pub(super) fn coded(vectors: &[f64], width: usize) -> Coded {
    let count = vectors.len() / width;
    let starts = CODES.min(count);
    let mut book = vec![0.0; CODES * width];
    for start in 0..starts {
        let from = start * count / starts * width;
        book[start * width..][..width].copy_from_slice(&vectors[from..from + width]);
    }
    let mut codes = vec![0; count];
    for _ in 0..PASSES {
        assign(vectors, width, &book[..starts * width], &mut codes);
        let mut sums = vec![0.0; CODES * width];
        let mut counts = [0.0; CODES];
        for (vector, &code) in vectors.chunks_exact(width).zip(&codes) {
            let code = usize::from(code);
            counts[code] += 1.0;
            for (sum, number) in sums[code * width..].iter_mut().zip(vector) {
                *sum += number;
            }
        }
        for (code, count) in counts.into_iter().enumerate() {
            // A code that no vector has stays where it is.
            if count > 0.0 {
                for at in code * width..(code + 1) * width {
                    book[at] = sums[at] / count;
                }
            }
        }
    }
    assign(vectors, width, &book[..starts * width], &mut codes);
    Coded { book, codes }
}

/// Writes the code of each vector: the number of the nearest vector in the book.
fn assign(vectors: &[f64], width: usize, book: &[f64], codes: &mut [u8]) {
    for (vector, code) in vectors.chunks_exact(width).zip(codes) {
        let mut nearest = f64::INFINITY;
        for (entry, number) in book.chunks_exact(width).zip(0..=u8::MAX) {
            let far = entry
                .iter()
                .zip(vector)
                .fold(0.0, |far, (a, b)| far + (a - b) * (a - b));
            if far < nearest {
                nearest = far;
                *code = number;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CODES, coded};

    #[test]
    fn coded_keeps_vectors_if_there_are_no_more_than_codes() {
        let vectors: Vec<f64> = (0..200)
            .map(|number| f64::from(number) * 0.5 - 20.0)
            .collect();
        let found = coded(&vectors, 2);
        assert_eq!(found.book.len(), CODES * 2);
        for (vector, &code) in vectors.chunks(2).zip(&found.codes) {
            assert_eq!(&found.book[usize::from(code) * 2..][..2], vector);
        }
    }

    #[test]
    fn coded_takes_the_mean_of_near_vectors() {
        // 300 clusters of two: some share a code, and every code is near to what it stands for.
        let vectors: Vec<f64> = (0..600)
            .map(|number| f64::from(number / 2) + f64::from(number % 2) * 0.1)
            .collect();
        let found = coded(&vectors, 1);
        for (vector, &code) in vectors.iter().zip(&found.codes) {
            assert!((vector - found.book[usize::from(code)]).abs() < 1.6);
        }
        let used: std::collections::BTreeSet<u8> = found.codes.iter().copied().collect();
        assert!(used.len() > 200, "{}", used.len());
    }
}
