//! Tables of federated rounds, as CSV.

use std::fmt::Write;

use super::FederatedRun;

impl FederatedRun {
    /// Returns the name of a client: its kind and its number, from 1.
    #[must_use]
    pub fn client_name(&self, index: usize) -> String {
        let kind = self.clients.get(index).map_or("client", |it| it.kind);
        format!("{kind}-{}", index + 1)
    }

    /// Returns a row for each round, after one for the start.
    #[must_use]
    pub fn rounds_csv(&self) -> Vec<u8> {
        let mut text =
            "round,accuracy,accuracy_by_mean,revealed,admitted,improvement,emitted,settled\n"
                .to_owned();
        let accuracies = self.accuracy.iter().zip(&self.by_mean).enumerate();
        for (number, (accuracy, by_mean)) in accuracies {
            let before = number.checked_sub(1);
            let rest = before.and_then(|index| self.rounds.get(index));
            let rest = rest.map_or_else(
                || ",,,,".to_owned(),
                |it| {
                    let improvement = it.improvement.map(|it| it.to_string());
                    format!(
                        "{},{},{},{},{}",
                        it.revealed,
                        it.admitted,
                        improvement.unwrap_or_default(),
                        it.emitted,
                        it.is_settled
                    )
                },
            );
            // Writing into a text cannot fail.
            let _ = writeln!(text, "{number},{accuracy},{by_mean},{rest}");
        }
        text.into_bytes()
    }

    /// Returns a row for each client and round: the value of its update, empty without a score.
    #[must_use]
    pub fn values_csv(&self) -> Vec<u8> {
        let mut text = "round,client,kind,value\n".to_owned();
        for round in 0..self.rounds.len() {
            for (index, client) in self.clients.iter().enumerate() {
                let value = client.values.get(round).copied().flatten();
                let value = value.map(|it| it.to_string()).unwrap_or_default();
                let name = self.client_name(index);
                // Writing into a text cannot fail.
                let _ = writeln!(text, "{},{name},{},{value}", round + 1, client.kind);
            }
        }
        text.into_bytes()
    }
}
