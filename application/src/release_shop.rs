//! Ends a limit at one shop, whatever its campaign says.

use catchment_domain::ports::{CampaignRepository, Repairs};
use catchment_domain::service::{CommandedRelease, release_by_command};
use catchment_domain::{CauseName, Policy, Prospect, ReleaseTerms, ShopId, Standing};

use crate::triggers::known_kind;
use crate::{NotFound, UseCaseError};

/// What a release did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShopRelease {
    /// The limit was in force, and is ended.
    Released(Standing),
    /// The limit was not in force. Says whether its campaign may still ask for it there.
    NotInForce(Prospect),
}

impl ShopRelease {
    /// Returns whether the limit is not in force, and will not come from a request that was sent.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Released(_) | Self::NotInForce(Prospect::NotAsked))
    }
}

/// Releases a cause at a shop, also a cause of a campaign that the database does not have, and of a
/// kind that the policy does not have any more.
///
/// # Errors
///
/// When there is no such shop, nothing was released and there is no such kind, or the store fails.
pub async fn release_shop(
    (repairs, campaigns): (&dyn Repairs, &dyn CampaignRepository),
    shop: &ShopId,
    cause: CauseName,
    policy: &Policy,
) -> Result<ShopRelease, UseCaseError> {
    let terms = ReleaseTerms { cause, floor: policy.floor };
    match (release_by_command(repairs, campaigns, shop, terms).await?, cause) {
        (CommandedRelease::Done(standing), _) => Ok(ShopRelease::Released(standing)),
        (CommandedRelease::UnknownShop, _) => Err(NotFound::new("such shop").into()),
        (CommandedRelease::Nothing(prospect), cause) => {
            if let CauseName::Kind(kind) = cause {
                known_kind(kind.as_str(), policy)?;
            }
            Ok(ShopRelease::NotInForce(prospect))
        }
    }
}
