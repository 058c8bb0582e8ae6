//! Old campaigns are deleted beside the work.

use std::time::Duration;

use catchment_bootstrap::database::delete_old_campaigns;
use catchment_seaorm::SeaOrmStore;
use tokio::time::sleep;

/// How often old campaigns are looked for.
const LOOK: Duration = Duration::from_mins(10);

/// Keeps deleting the campaigns that ended so long ago. Other requesters may do the same.
pub(crate) async fn keep_deleting(store: SeaOrmStore, kept: Duration) {
    loop {
        delete_old_campaigns(&store, kept).await;
        sleep(LOOK).await;
    }
}
