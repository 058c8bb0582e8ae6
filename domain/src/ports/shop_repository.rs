use async_trait::async_trait;

use crate::damage::{Damage, Found};
use crate::import::{ImportBatch, ImportReceipt, ImportTerms};
use crate::lane::{Lane, Lanes};
use crate::ports::StoreError;
use crate::revision::Revision;
use crate::scope::Scope;
use crate::shop::{Shop, ShopCursor, ShopId, ShopState};

/// A function that is called with each receipt of an import.
pub type VisitImportReceipt<'a> = &'a mut (dyn FnMut(ImportReceipt) + Send);

/// Shops of one region where the same is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShopGroup {
    /// The region.
    pub region: String,
    /// What is in force at each of them; the version is the highest.
    pub state: ShopState,
    /// How many they are.
    pub shops: u64,
}

/// The shops, for those who ask about them and bring them in.
///
/// # Promises
///
/// - `import_adds_and_updates`: new shops are added with base radius and version 1, known ones
///   keep their causes, are resolved again, and get a new version.
/// - `import_is_atomic`: all rows of a batch are brought in and its receipt is stored, or nothing.
/// - `import_leaves_a_receipt`: it says of each shop what the radius was before and after, what
///   decided, and the version; the imports of a lane are numbered from 1, without gaps.
/// - `unreadable_import_receipt_stands_alone`: a visit names the unreadable receipt, and shows the
///   others.
/// - `import_receipts_are_pruned`: those that are old enough go with later imports of the lane.
/// - `import_keeps_released_causes`: only the owner of a lane drops them.
/// - `import_beside_a_batch_loses_nothing`: imports and the batches of a lane's owner, all over
///   the same shops at once, end as if they had run one after the other, and no shop that is
///   there counts as unknown.
/// - `import_beside_a_zombie_loses_nothing`: nor while owners of the lane fence each other.
/// - `import_beside_an_end_releases_every_shop`: a campaign that is ended meanwhile is over at
///   every shop.
/// - `imports_at_once_add_each_shop_once`: of imports of the same new shops at once, one adds
///   each shop and the others update it; none fails.
/// - `import_can_be_repeated`: an import that stopped half way has its full effect when it is
///   done again.
/// - `import_completes_orphans`: a shop of which only one half is stored gets the other: what it
///   is, with what is in force there as it was; or what is in force, with nothing that limits it.
/// - `import_older_base_does_not_count`: a shop keeps a base radius of a higher revision, and the
///   receipt of the import names it.
/// - `overruling_import_outranks_what_was_given_out`: an overruling import replaces every base
///   radius. After it, a request of a revision given out before is superseded, and a request of a
///   later revision counts.
/// - `revisions_only_rise`: each is given out once.
/// - `list_pages_are_complete`: pages in the order of lane and id hold each shop once.
/// - `list_and_count_agree_with_the_scope`: they hold exactly the shops that
///   [`Scope::contains`].
/// - `groups_agree_with_the_list`: each shop of the pages is counted in one group, with its region
///   and what is in force there.
/// - `damage_is_named_and_left_out`: pages hold every other shop once, and `get` names the damage.
/// - `regions_and_categories_are_listed`: each once, in order.
#[async_trait]
pub trait ShopRepository: Send + Sync + 'static {
    /// How many lanes the database had when it was opened.
    fn lanes(&self) -> Lanes;

    /// One shop.
    async fn get(&self, id: &ShopId) -> Result<Option<Shop>, StoreError>;

    /// Up to `limit` shops of a scope behind `after`, in the order of lane and id.
    async fn list(
        &self,
        scope: &Scope,
        after: Option<&ShopCursor>,
        limit: usize,
    ) -> Result<Found<Vec<Shop>>, StoreError>;

    /// The shops of a scope, counted by what is the same of them.
    async fn groups(&self, scope: &Scope) -> Result<Vec<ShopGroup>, StoreError>;

    /// How many shops a scope has.
    async fn count(&self, scope: &Scope) -> Result<u64, StoreError>;

    /// The regions that shops lie in.
    async fn regions(&self) -> Result<Vec<String>, StoreError>;

    /// The categories that shops have.
    async fn categories(&self) -> Result<Vec<String>, StoreError>;

    /// A revision that nobody else gets.
    async fn take_revision(&self) -> Result<Revision, StoreError>;

    /// The newest revision that was given out.
    async fn newest_revision(&self) -> Result<Revision, StoreError>;

    /// Adds or updates the shops of a batch, all or none. If the import overrules, the same
    /// transaction takes a revision for the batch.
    async fn import(
        &self,
        batch: &ImportBatch,
        terms: ImportTerms,
    ) -> Result<ImportReceipt, StoreError>;

    /// Passes the receipts of a lane's imports to `visit`, in their order. Returns the receipts that
    /// cannot be read.
    async fn visit_import_receipts(
        &self,
        lane: Lane,
        visit: VisitImportReceipt<'_>,
    ) -> Result<Vec<Damage>, StoreError>;
}
