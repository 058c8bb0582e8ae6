//! Old campaigns are deleted beside the work.

use std::time::Duration;

use catchment_bootstrap::database::delete_old_campaigns;
use catchment_domain::service::Retention;
use catchment_seaorm::SeaOrmStore;
use tokio::time::sleep;

/// How often old campaigns are looked for.
const LOOK: Duration = Duration::from_mins(10);

/// Keeps deleting the campaigns that ended so long ago; none where they are kept for ever. Also goes
/// on with a deletion whose process was killed. Other requesters may do the same.
pub(crate) async fn keep_deleting(store: SeaOrmStore, kept: Option<Duration>) {
    let mut retention = Retention::new(kept);
    loop {
        delete_old_campaigns(&store, &mut retention).await;
        sleep(LOOK).await;
    }
}
