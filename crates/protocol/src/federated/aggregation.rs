//! Joining of the updates of a round, parameter by parameter or by their distances.

use super::{
    FederatedError, Network, Rule, Width, encoding::check_lengths, krum::select_multi_krum,
    network::guards,
};

/// Maximum number of updates that one aggregation takes. A contract takes 32.
pub const MAX_UPDATES: usize = 1_024;

impl Rule {
    /// Checks the number of updates that count.
    ///
    /// # Errors
    /// [`FederatedError::TooFewUpdates`] or [`FederatedError::TooManyUpdates`].
    pub fn check(self, updates: usize, hostile: usize) -> Result<(), FederatedError> {
        let needed = self.needed(hostile);
        if updates < needed {
            return Err(FederatedError::TooFewUpdates {
                rule: self,
                updates,
                hostile,
                needed,
            });
        }
        if updates > MAX_UPDATES {
            return Err(FederatedError::TooManyUpdates {
                updates,
                max: MAX_UPDATES,
            });
        }
        Ok(())
    }
}

/// Joins updates by a rule that bears so many hostile ones. Quotients are rounded down.
///
/// # Errors
/// Those of [`Rule::check`], [`FederatedError::WrongLength`] and [`FederatedError::OutOfRange`].
pub fn aggregate(
    rule: Rule,
    hostile: usize,
    width: Width,
    updates: &[&[i16]],
) -> Result<Vec<i16>, FederatedError> {
    rule.check(updates.len(), hostile)?;
    check_numbers(width, updates)?;
    Ok(match rule {
        Rule::Mean => mean(updates),
        Rule::Median => sorted(width, updates, (updates.len() - 1) / 2),
        Rule::TrimmedMean => sorted(width, updates, hostile),
        Rule::MultiKrum => {
            let selected = select_multi_krum(updates, hostile)?;
            let selected: Vec<&[i16]> = selected.iter().map(|&index| updates[index]).collect();
            mean(&selected)
        }
    })
}

/// Checks that the updates have equal lengths and that their numbers fit their lanes.
fn check_numbers(width: Width, updates: &[&[i16]]) -> Result<(), FederatedError> {
    check_lengths(updates)?;
    for update in updates {
        for (parameter, &value) in update.iter().enumerate() {
            width.check(parameter, value)?;
        }
    }
    Ok(())
}

fn mean(updates: &[&[i16]]) -> Vec<i16> {
    let mut sums = vec![0_i32; updates[0].len()];
    for update in updates {
        for (sum, &value) in sums.iter_mut().zip(*update) {
            *sum += i32::from(value);
        }
    }
    sums.into_iter()
        .map(|sum| quotient(sum, updates.len()))
        .collect()
}

/// Returns a sum of at most [`MAX_UPDATES`] numbers divided by their count, rounded down.
// The quotient lies between the numbers, and the count is small.
#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
fn quotient(sum: i32, count: usize) -> i16 {
    sum.div_euclid(count as i32) as i16
}

/// Returns the mean of each parameter's numbers without the `cut` smallest and largest.
///
/// The columns are padded to the network's: one half with the smallest number, the rest with the
/// largest. So the median's outputs are always the network's middle.
fn sorted(width: Width, updates: &[&[i16]], cut: usize) -> Vec<i16> {
    let (count, parameters) = (updates.len(), updates[0].len());
    let network = Network::sorting(count);
    let lowest = (network.columns() - count) / 2;
    let (first, last) = (lowest + cut, lowest + count - 1 - cut);
    let network = network.pruned(first, last);
    let largest = guards(width) - (guards(width) >> (width.bits() - 1));
    let lanes = (u64::BITS / width.bits()) as usize;
    let mask = u64::MAX >> (u64::BITS - width.bits());
    let mut words = vec![0; network.columns()];
    let mut result = Vec::with_capacity(parameters);
    for start in (0..parameters).step_by(lanes) {
        let end = (start + lanes).min(parameters);
        words[..lowest].fill(0);
        words[lowest + count..].fill(largest);
        for (word, update) in words[lowest..].iter_mut().zip(updates) {
            *word = update[start..end].iter().rev().fold(0, |word, &value| {
                // The bias makes each number positive.
                (word << width.bits()) | u64::from((value + width.bias()).unsigned_abs())
            });
        }
        network.apply(width, &mut words);
        for lane in 0..end - start {
            let shift = lane * width.bits() as usize;
            let kept = &words[first..=last];
            let number = |word: &u64| i32::try_from((*word >> shift) & mask).unwrap_or_default();
            let sum: i32 = kept.iter().map(number).sum();
            // The bias is a whole number, so it may be taken away after rounding down.
            result.push(quotient(sum, kept.len()) - width.bias());
        }
    }
    result
}
