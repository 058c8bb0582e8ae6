//! Old campaigns are deleted beside the work.

use std::time::Duration;

use catchment_bootstrap::database::delete_old_campaigns;
use catchment_domain::service::Retention;
use catchment_seaorm::SeaOrmStore;
use tokio::time::sleep;

/// How often old campaigns are looked for.
const LOOK: Duration = Duration::from_mins(10);

/// Deletes, again and again, the campaigns that ended longer ago than `kept`. If `kept` is `None`,
/// campaigns are kept for ever. This also finishes deletions whose process was killed. Several
/// requesters may do this at once.
pub(crate) async fn keep_deleting(store: SeaOrmStore, kept: Option<Duration>) {
    let mut retention = Retention::new(kept);
    loop {
        delete_old_campaigns(&store, &mut retention).await;
        sleep(LOOK).await;
    }
}
