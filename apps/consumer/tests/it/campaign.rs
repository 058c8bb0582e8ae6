//! A campaign as work for the services.

use std::time::{Duration, Instant};

use catchment_domain::ports::{CampaignRepository, ShopRepository, Tallies};
use catchment_domain::{
    Campaign, CampaignId, CampaignState, Draft, ImportBatch, ImportOrder, ImportTerms, Location,
    Nonce, Profile, Radius, Revision, Scope, ShopImport, Status,
};
use catchment_seaorm::SeaOrmStore;
use tokio::time::sleep;
use uuid::Uuid;

use crate::world::World;

/// How long a campaign may take before a test fails.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often to check the campaign.
const LOOK: Duration = Duration::from_millis(10);

impl World {
    /// Imports this many shops.
    pub(crate) fn import(&self, store: &SeaOrmStore, shops: u32) {
        let rows: Vec<ShopImport> = (0..shops).map(shop).collect();
        self.runtime.block_on(async {
            let revision = store.take_revision().await.unwrap();
            let (default_base, floor) = (metres(5_000), metres(100));
            let order = ImportOrder::Taken(revision);
            let terms = ImportTerms { order, default_base, floor };
            for batch in ImportBatch::split(rows, store.lanes()) {
                store.import(&batch, terms).await.unwrap();
            }
        });
    }

    /// Stores a campaign over all shops, which narrows each.
    pub(crate) fn begin_campaign(&self, store: &SeaOrmStore) -> Revision {
        let id = Uuid::now_v7();
        let draft = Draft {
            kind: "rider_shortage".parse().unwrap(),
            limit: "3km".parse().unwrap(),
            scope: Scope::everything(),
            reason: String::new(),
            timeout: Duration::from_mins(10),
            until: None,
            replaces: None,
            id: CampaignId(id),
            nonce: Nonce::from_random(u64::try_from(id.as_u128() >> 64).unwrap()),
        };
        let added = self.runtime.block_on(CampaignRepository::add(store, &draft));
        added.unwrap().name.revision
    }

    fn campaign(&self, store: &SeaOrmStore, revision: Revision) -> Campaign {
        let found = self.runtime.block_on(CampaignRepository::get(store, revision));
        found.unwrap().unwrap()
    }

    /// Waits until a campaign has outcomes for a quarter of its shops. Fails if it already has all
    /// of them.
    pub(crate) fn wait_until_half_done(&self, store: &SeaOrmStore, revision: Revision) {
        self.wait_until(store, revision, |campaign| match campaign.state {
            CampaignState::Sending { open } => open < campaign.shops / 4 * 3,
            _ => panic!("all of it is done already"),
        });
    }

    /// Waits until `holds` is true of a campaign.
    fn wait_until(
        &self,
        store: &SeaOrmStore,
        revision: Revision,
        holds: impl Fn(&Campaign) -> bool,
    ) {
        let start = Instant::now();
        loop {
            let campaign = self.campaign(store, revision);
            if holds(&campaign) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "{:?}", campaign.state);
            self.runtime.block_on(async { sleep(LOOK).await });
        }
    }

    /// Waits until every shop of a campaign has an outcome, and expects the campaign to be in force
    /// at each.
    pub(crate) fn wait_until_settled(&self, store: &SeaOrmStore, revision: Revision) {
        self.wait_until(store, revision, |campaign| campaign.state == CampaignState::Settled);
        let tallies = self.runtime.block_on(store.tallies(revision)).unwrap().found;
        let shops = self.campaign(store, revision).shops;
        let Tallies { activation, .. } = tallies;
        assert_eq!(activation.of(Status::Applied) + activation.of(Status::Unchanged), shops);
    }
}

fn shop(number: u32) -> ShopImport {
    let profile = Profile {
        name: format!("Shop {number}"),
        category: "cafe".to_owned(),
        region: "Hackney".to_owned(),
        location: Location::new(51.5, -0.1).unwrap(),
    };
    ShopImport { id: format!("s-{number}").parse().unwrap(), profile, base: None }
}

fn metres(metres: u32) -> Radius {
    Radius::try_from(metres).unwrap()
}
