//! The choice of an offer within a payer's limits.

use alloy_primitives::Address;

use super::{
    Reason, batch, exact,
    wire::{PaymentRequired, PaymentRequirements},
};

/// Asset that a payer spends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// Number of the chain.
    pub chain_id: u64,
    /// Address of the token.
    pub token: Address,
    /// Maximum of a payment, in atomic units.
    pub max_payment: u128,
}

/// Reason why a payer pays none of the offers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChooseError {
    /// No offer has a scheme and an asset that the payer allows.
    #[error(
        "cannot pay: none of the server's {0} offers is of a scheme, chain and token that you allow; allow one"
    )]
    NoneAllowed(usize),
    /// All offers of allowed assets are above the payer's limits.
    #[error(
        "cannot pay: the cheapest offer costs {price} atomic units, above your limit of {limit}; raise the limit"
    )]
    AboveLimit {
        /// Lowest price.
        price: u128,
        /// Limit of that asset.
        limit: u128,
    },
}

/// Returns the first offer whose scheme is in `schemes`, and whose asset and amount the payer allows.
///
/// The server orders its offers. `left` is what the payer's budget leaves of an asset, in atomic units.
///
/// # Errors
///
/// Fails if the payer allows no offer.
pub fn choose<'a>(
    required: &'a PaymentRequired,
    schemes: &[&str],
    assets: &[Asset],
    left: impl Fn(&Asset) -> u128,
) -> Result<&'a PaymentRequirements, ChooseError> {
    let mut cheapest: Option<(u128, u128)> = None;
    for offer in &required.accepts {
        let Some((asset, price)) = allowed(offer, schemes, assets) else {
            continue;
        };
        let limit = asset.max_payment.min(left(asset));
        if price <= limit {
            return Ok(offer);
        }
        if cheapest.is_none_or(|(lowest, _)| price < lowest) {
            cheapest = Some((price, limit));
        }
    }
    Err(match cheapest {
        Some((price, limit)) => ChooseError::AboveLimit { price, limit },
        None => ChooseError::NoneAllowed(required.accepts.len()),
    })
}

fn allowed<'a>(
    offer: &PaymentRequirements,
    schemes: &[&str],
    assets: &'a [Asset],
) -> Option<(&'a Asset, u128)> {
    if !schemes.contains(&offer.scheme.as_str()) {
        return None;
    }
    let is_sound = match offer.scheme.as_str() {
        exact::SCHEME => exact::check_offer(offer),
        batch::SCHEME => batch::Terms::of(offer).map(drop),
        _ => Err(Reason::UnsupportedScheme),
    };
    is_sound.ok()?;
    let (chain_id, token) = (offer.chain_id()?, offer.asset()?);
    let asset = assets
        .iter()
        .find(|it| (it.chain_id, it.token) == (chain_id, token))?;
    Some((asset, offer.amount.to_u128()?))
}
